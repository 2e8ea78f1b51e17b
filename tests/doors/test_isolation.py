"""Every route of every door, for every other account: nothing is told of what is another's, and nothing changes.

The table below must name each route that the applications have themselves: a new one without a case fails here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from starlette.routing import BaseRoute, Mount, Route

from tests.doors.isolation_house import OTHER_KEY, SECRET, House
from tests.doors.isolation_house import house as house  # noqa: PLC0414 -- a fixture
from tests.rig import callbacks as rig
from tests.rig.inbox import PDF
from tests.rig.intake import KEYS, ONE, event, written
from tests.rig.system import information_request, paid

pytestmark = pytest.mark.asyncio(loop_scope="module")


# --- the table --------------------------------------------------------------------------------------------------------

SIGNED_IN = ("another", "nobody")
NOT_HERE = ("console", "signed out", "stranger", "none")


def expected(signed_in: set[int], not_here: set[int]) -> dict[str, set[int]]:
    """What each account is answered."""
    return {**dict.fromkeys(SIGNED_IN, signed_in), **dict.fromkeys(NOT_HERE, not_here)}


HIDDEN, REFUSED, FORGED = expected({404}, {303}), expected({404}, {403}), expected({403}, {403})
OPEN, OWN = expected({200, 303}, {200, 303}), expected({200, 303}, {303})

INBOX: dict[tuple[str, str], dict[str, set[int]]] = {
    ("GET", "/"): OPEN,
    ("GET", "/sign-in"): OPEN,
    ("POST", "/sign-in"): FORGED,  # as a person whom nobody knows
    ("GET", "/signed-in"): FORGED,
    ("POST", "/sign-out"): FORGED,  # with the owner's form token
    ("GET", "/signed-out"): OPEN,
    ("POST", "/language"): expected({403}, {303}),
    ("GET", "/businesses"): OWN,
    ("POST", "/businesses"): FORGED,
    ("GET", "/notices"): OWN,
    ("GET", "/notices/{notice_id}"): HIDDEN,
    ("GET", "/notices/{notice_id}/print"): HIDDEN,
    ("GET", "/notices/{notice_id}/answer"): HIDDEN,
    ("POST", "/notices/{notice_id}/answer"): REFUSED,
    ("GET", "/notices/{notice_id}/answers/{evidence_id}"): HIDDEN,
    ("GET", "/notices/{notice_id}/files/{upload_id}"): HIDDEN,
    ("GET", "/static/{name}"): expected({404}, {404}),
}
FIELDS = {"person": "trial:B-one", "business": "B-one", "language": "cy", "back": "/"}
INTAKE: dict[tuple[str, str], dict[str, set[int]]] = {
    ("POST", "/v1/events"): {"another": {403}, "outside": {422}, "unknown": {401}, "none": {401}},
    ("GET", "/v1/notices"): {"another": {404}, "outside": {404}, "unknown": {401}, "none": {401}},
    ("GET", "/v1/notices/{notice_id}"): {"another": {404}, "outside": {404}, "unknown": {401}, "none": {401}},
    ("GET", "/v1/evidence-roots/{day}"): {"another": {404}, "outside": {404}, "unknown": {401}, "none": {401}},
    ("GET", "/v1/openapi.json"): {"none": {200}},  # for everybody
    ("GET", "/problems/{name}"): {"none": {404}},
}
KEY_OF = {
    "another": KEYS["fees"], "outside": KEYS["registry"], "unknown": f"duly_caseworking_{'x' * 43}",
    "none": "",
}  # fmt: skip
"""The notices of the table are `caseworking`'s. `another` source may act under their regime, `outside` may not."""

DOWNLOADS = {
    "unsigned": "",
    "of another file": "?size=9&until=9999999999&signature=" + "0" * 64,
    "over": "?size=9&until=1&signature=",
}  # fmt: skip


def told() -> dict[str, object]:
    return {"id": "1", "kind": "permanent", "recipient": "one@business.example"}


CALLERS: dict[tuple[str, str], dict[str, tuple[Callable[[], rig.Signed], int]]] = {
    ("POST", "/callbacks/{provider}"): {
        "another provider's key": (lambda: rig.mailgun(told(), key=rig.GENERIC_KEY.hex()), 403),
        "another provider's form": (lambda: rig.generic(told()), 401),
        "another provider's password": (lambda: rig.postmark(told()), 401),
        "nothing": (lambda: (b"{}", {}), 401),
    },
    ("POST", "/callbacks/{provider}/{name}"): {
        "another provider's key": (lambda: rig.generic(told(), key=OTHER_KEY), 403),
        "another provider's form": (lambda: rig.mailgun(told()), 401),
        "nothing": (lambda: (b"{}", {}), 401),
    },
}


def flat(table: dict[tuple[str, str], dict[str, Any]]) -> list[Any]:
    """The table's cases, one by one."""
    return [
        pytest.param(method, path, account, expected, id=f"{method} {path}, {account}")
        for (method, path), accounts in table.items()
        for account, expected in accounts.items()
    ]


def routes_of(app: Any) -> set[tuple[str, str]]:
    """Every route that an application has itself."""
    while not hasattr(app, "routes"):
        app = getattr(app, "_app", None) or app.app  # what is wrapped around it: ours, and Starlette's
    return set(_flat(app.routes, ""))


def _flat(routes: Iterable[BaseRoute], before: str) -> Iterable[tuple[str, str]]:
    for route in routes:
        if isinstance(route, Mount):
            yield from _flat(route.routes, before + route.path)
        else:
            assert isinstance(route, Route)
            yield from ((method, before + route.path) for method in (route.methods or set()) - {"HEAD"})


async def test_every_route_of_every_door_has_its_cases(house: House) -> None:
    assert routes_of(house.apps["inbox"]) == set(INBOX)
    assert routes_of(house.apps["intake"]) == set(INTAKE)
    assert routes_of(house.apps["callbacks"]) == set(CALLERS)
    assert routes_of(house.apps["files"]) == {("GET", "/{upload_id}/{name}")}
    for table in (INBOX, INTAKE, CALLERS):
        assert all(table.values())


async def visited(house: House, method: str, path: str, account: str, csrf: str) -> httpx2.Response:
    """One request of this account; nothing that is another's is in the answer, and nothing has changed."""
    before = await house.everything()
    headers = {"cookie": f"duly-inbox={house.sessions[account][0]}"}
    more: dict[str, Any] = {}
    if path.endswith("/answer") and method == "POST":
        more["files"] = [
            ("csrf", (None, csrf)),
            ("kind", (None, "answer")),
            ("text", (None, "no")),
            ("files", ("a.pdf", PDF)),
        ]
    elif method == "POST":
        more["data"] = {**FIELDS, "person": "trial:nobody-here", "csrf": csrf}
    answer = await house.call("inbox", method, path, headers=headers, **more)
    for secret in (SECRET, house.names["notice_id"], house.names["fee_id"], house.sessions["owner"][0], "B-one"):
        assert secret not in answer.text
    assert await house.everything() == before
    return answer


@pytest.mark.parametrize(("method", "path", "account", "expected"), flat(INBOX))
async def test_the_inbox_shows_nobody_what_is_anothers(
    house: House, method: str, path: str, account: str, expected: set[int]
) -> None:
    csrf = house.sessions["owner" if "notice_id" not in path else account][1]
    answer = await visited(house, method, path.format(**house.names), account, csrf)
    assert answer.status_code in expected
    if account in NOT_HERE and method == "GET" and answer.status_code == 303:
        assert answer.headers["location"] == "/sign-in"
    owner = {"cookie": f"duly-inbox={house.sessions['owner'][0]}"}
    assert (await house.call("inbox", "GET", "/businesses", headers=owner)).status_code == 200, "still signed in"


@pytest.mark.parametrize("path", [path for _, path in INBOX if "{notice_id}" in path])
@pytest.mark.parametrize("account", ["another", "nobody"])
async def test_ids_that_are_guessed_mixed_or_malformed_are_not_there(house: House, path: str, account: str) -> None:
    method = "GET"
    others, mine = house.names, house.names["their_id"]
    guesses = [{**others, "notice_id": each} for each in ("x", "%00", "{}", "..%2f..%2fx", str(uuid4()), "0" * 32)]
    guesses += [{**others, "notice_id": others["notice_id"].upper()}, {**others, "notice_id": others["fee_id"]}]
    if "evidence_id" in path or "upload_id" in path:
        guesses.append({**others, "notice_id": mine})  # one's own notice, another's answer or file
    for names in guesses:
        answer = await visited(house, method, path.format(**names), account, house.sessions[account][1])
        assert answer.status_code == 404, names


async def test_nobody_acts_for_a_business_that_is_not_theirs(house: House) -> None:
    for account in SIGNED_IN:
        answer = await visited(house, "POST", "/businesses", account, house.sessions[account][1])
        assert answer.status_code == 404
        listed = await visited(house, "GET", "/notices", account, "")
        assert listed.status_code in {200, 303}


@pytest.mark.parametrize("link", DOWNLOADS.values(), ids=DOWNLOADS)
async def test_no_file_is_downloaded_without_a_link_that_was_made_for_it(house: House, link: str) -> None:
    owner = {"cookie": f"duly-inbox={house.sessions['owner'][0]}"}
    led = await house.call(
        "inbox", "GET", "/notices/{notice_id}/files/{upload_id}".format(**house.names), headers=owner
    )
    genuine = httpx2.URL(led.headers["location"])
    query = genuine.query.decode() if not link else link.removeprefix("?")
    name, upload = genuine.path.rpartition("/")[2], house.names["upload_id"]
    for path in (
        f"/{upload}/{name}{link}", f"/{upload}/evidence-2.pdf?{query}", f"/{uuid4()}/{name}?{query}",
        f"/x/{name}?{query}",
    ):  # fmt: skip
        answer = await house.call("files", "GET", path, headers=owner)
        assert answer.status_code == 404
        assert b"%PDF" not in answer.content
    assert (await house.call("files", "GET", f"{genuine.path}?{genuine.query.decode()}")).content == PDF


@pytest.mark.parametrize(("method", "path", "account", "expected"), flat(INTAKE))
async def test_intake_tells_no_source_of_anothers_notices(
    house: House, method: str, path: str, account: str, expected: set[int]
) -> None:
    before = await house.everything()
    key = KEY_OF[account]
    headers = {"content-type": ONE, **({"authorization": f"Bearer {key}"} if key else {})}
    names = {**house.names, "name": "nothing"}
    more: dict[str, Any] = {}
    if method == "POST":
        source = "registry" if account == "outside" else "caseworking"
        more["content"] = written({**event(information_request("new")), "source": source})
    if path == "/v1/notices":
        more["params"] = {"source_ref": "asked"}
    answer = await house.call("intake", method, path.format(**names), headers=headers, **more)
    assert answer.status_code in expected, answer.text
    assert SECRET not in answer.text
    assert "B-one" not in answer.text
    assert await house.everything() == before


@pytest.mark.parametrize("guess", ["x", "%00", "{}", "..%2f..", "2bc773c6-b1ee-4db5-941a-b0941a06f53e", "0" * 33])
async def test_intake_knows_no_notice_by_a_guess(house: House, guess: str) -> None:
    before = await house.everything()
    headers = {"authorization": f"Bearer {KEYS['fees']}"}
    assert (await house.call("intake", "GET", f"/v1/notices/{guess}", headers=headers)).status_code == 404
    by_reference = await house.call("intake", "GET", f"/v1/notices?source_ref={guess}", headers=headers)
    assert by_reference.status_code in {400, 404}
    assert await house.everything() == before


async def test_a_source_speaks_for_itself_alone_even_in_one_event_of_many(house: House) -> None:
    before = await house.everything()
    notice = UUID(house.names["fee_id"])
    fact = {**event(paid("one")), "source": "fees", "data": {"notice_id": str(notice), "kind": "payment"}}
    for key in (KEYS["registry"], KEYS["caseworking"]):
        headers = {"content-type": ONE, "authorization": f"Bearer {key}"}
        answer = await house.call("intake", "POST", "/v1/events", headers=headers, content=written(fact))
        assert answer.status_code == 403
    assert await house.everything() == before


@pytest.mark.parametrize(("method", "path", "account", "expected"), flat(CALLERS))
async def test_no_provider_speaks_with_anothers_proof(
    house: House, method: str, path: str, account: str, expected: tuple[Callable[[], rig.Signed], int]
) -> None:
    before = await house.everything()
    signed, status = expected
    body, headers = signed()
    provider = "generic" if "{name}" in path else "mailgun"
    answer = await house.call(
        "callbacks", method, path.format(provider=provider, name="relay"), content=body, headers=headers
    )
    assert answer.status_code == status, account
    assert await house.everything() == before
