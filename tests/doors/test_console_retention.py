"""The administrator's page of retention: legal holds by name, asking to erase, why content is kept, who exported."""

from __future__ import annotations

from services.kernel.adapters.postgres.retention import PostgresErasing
from services.kernel.runtime.measures import Measures
from services.relay.erasing import Eraser
from tests.handlers.bench import IDS, LIBRARY_HERE
from tests.rig.console import OpenedConsole
from tests.rig.console import console as console  # noqa: PLC0414 -- a fixture
from tests.rig.system import fee_outstanding


async def test_a_legal_hold_is_placed_seen_and_lifted_by_name(console: OpenedConsole) -> None:
    notice_id = await console.served(fee_outstanding("one"))
    admin = await console.officer("admin", name="Ann Price", person="a7c1")
    placed = await admin.post("/retention/holds", on="notice", named="one", reason="the tribunal asks")
    assert placed.status_code == 303
    page = (await admin.get("/retention")).text
    assert "It is on 1 notice by now." in page
    assert "the tribunal asks" in page
    row = await console.bench.ledger.pool.fetchrow("SELECT * FROM legal_hold")
    assert (row["notice_id"], row["placed_by"]) == (notice_id, "Ann Price [a7c1]")
    assert "Lift it" in (await admin.get(f"/retention/holds/{row['legal_hold_id']}")).text
    await admin.post(f"/retention/holds/{row['legal_hold_id']}/lift", reason="it is over")
    assert "No legal hold is open." in (await admin.get("/retention")).text
    kinds = await console.bench.column("SELECT kind FROM notice_event ORDER BY seq DESC LIMIT 2")
    assert kinds == ["legal_hold.lifted", "legal_hold.placed"]


async def test_what_names_nothing_is_refused_with_the_reason(console: OpenedConsole) -> None:
    admin = await console.officer("admin")
    for on, named, why in (
        ("notice", "nowhere", "names no single notice"), ("matter", "no-colon", "names no matter"),
        ("business", "", "nothing is named"),
    ):  # fmt: skip
        await admin.post("/retention/holds", on=on, named=named, reason="r")
        assert why in (await admin.get("/retention")).text
    assert await console.bench.value("SELECT count(*) FROM legal_hold") == 0


async def test_erasing_early_is_refused_with_every_reason(console: OpenedConsole) -> None:
    await console.served(fee_outstanding("one"))
    admin = await console.officer("admin")
    await admin.post("/retention/holds", on="business", named="B-one", reason="r")
    await admin.post("/retention/erase", notice="one", reason="the business asks")
    page = (await admin.get("/retention")).text
    assert "the notice is served and not over" in page
    assert "a legal hold is open" in page


async def test_why_content_is_kept_is_shown_and_chosen_by(console: OpenedConsole) -> None:
    await console.served(fee_outstanding("one"))
    await console.bench.advance(days=7 * 366)
    await Eraser(PostgresErasing.beside(console.bench.ledger, IDS), LIBRARY_HERE, Measures()).round()
    admin = await console.officer("admin")
    for path in ("/retention", "/retention?reason=not_ended"):
        assert "not over" in (await admin.get(path)).text
    assert "Nothing is old enough" in (await admin.get("/retention?reason=legal_hold")).text
