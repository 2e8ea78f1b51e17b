"""The console's door: who may what, and that all of it is on record."""

from __future__ import annotations

from tests.rig.console import OpenedConsole
from tests.rig.console import console as console  # noqa: PLC0414 -- a fixture


async def test_who_is_signed_in_sees_the_overview_and_their_roles(console: OpenedConsole) -> None:
    officer = await console.officer("operator", "reader", person="p-1", name="Ann Price")
    page = await officer.get("/overview")
    assert page.status_code == 200, page.text
    assert "Ann Price" in page.text
    assert "Operator" in page.text
    (look,) = await console.record()
    assert (look["person"], look["act"], look["allowed"], look["detail"]) == ("p-1", "look", True, "GET /overview")


async def test_every_page_of_the_skeleton_shows(console: OpenedConsole) -> None:
    from tests.rig.system import fee_outstanding
    nid = await console.served(fee_outstanding("one"))
    officer = await console.officer("admin", "caseworker", person="p-1", name="Ann Price")
    for path in ("/overview", "/overview?span=month", "/notices", "/notices?state=served&held=yes", f"/notices/{nid}", f"/notices/{nid}/proof", f"/notices/{nid}/words", "/search", "/search?q=one", f"/search?q={nid}", "/audit"):
        page = await officer.get(path)
        assert page.status_code == 200, path + page.text
