"""Every route of the console, asked as every role: allowed exactly as the table says, and on record either way."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from itertools import product
from uuid import UUID

import pytest
import pytest_asyncio

from services.console.app import PAGES
from services.console.roles import TABLE, Act, Role
from services.console.visit import Page
from services.kernel.adapters.ids import SystemIds
from services.kernel.adapters.postgres.ledger import PostgresLedger
from tests.handlers.bench import Bench
from tests.rig.console import OpenedConsole, opened_console
from tests.rig.inbox import Reader
from tests.rig.postgres import PrivatePostgres

pytestmark = pytest.mark.asyncio(loop_scope="module")

R, O, C, D, A = "reader", "operator", "caseworker", "decision_maker", "admin"  # noqa: E741 -- as the table has them
ALL = {R, O, C, D, A}
EXPECTED: dict[tuple[str, str], set[str]] = {
    ("GET", "/overview"): ALL,
    ("GET", "/notices"): ALL,
    ("GET", "/notices/{notice_id}"): ALL,
    ("GET", "/notices/{notice_id}/proof"): ALL,
    ("GET", "/notices/{notice_id}/words"): {C, D},
    ("GET", "/dead-letters"): ALL,
    ("GET", "/dead-letters/list"): ALL,
    ("GET", "/dead-letters/chosen"): ALL,
    ("POST", "/dead-letters/discard"): {O},
    ("POST", "/dead-letters/restore"): {O},
    ("POST", "/dead-letters/hurry"): {O},
    ("POST", "/dead-letters/stop"): {O},
    ("GET", "/dead-letters/runs"): ALL,
    ("POST", "/dead-letters/runs"): {O},
    ("GET", "/dead-letters/runs/{run_id}"): ALL,
    ("POST", "/dead-letters/runs/{run_id}/stop"): {O},
    ("POST", "/dead-letters/runs/{run_id}/resume"): {O},
    ("POST", "/dead-letters/runs/{run_id}/cancel"): {O},
    ("GET", "/dead-letters/edits"): ALL,
    ("GET", "/dead-letters/edits/{edit_id}"): {O, C, D},
    ("POST", "/dead-letters/edits/{edit_id}/approve"): {O},
    ("POST", "/dead-letters/edits/{edit_id}/reject"): {O},
    ("GET", "/dead-letters/{failed_id}/edit"): {O},
    ("POST", "/dead-letters/{failed_id}/edit"): {O},
    ("GET", "/dead-letters/{failed_id}"): ALL,
    ("POST", "/dead-letters/{failed_id}/note"): {O, C, D},
    ("GET", "/sanctions"): ALL,
    ("GET", "/sanctions/{sanction_id}"): ALL,
    ("POST", "/sanctions/{sanction_id}/decide"): {D},
    ("POST", "/sanctions/{sanction_id}/approve"): {D},
    ("POST", "/sanctions/{sanction_id}/decline"): {D},
    ("POST", "/sanctions/{sanction_id}/rescind"): {D},
    ("POST", "/sanctions/{sanction_id}/uphold"): {D},
    ("GET", "/sanctions/batches"): ALL,
    ("POST", "/sanctions/batches"): {D},
    ("GET", "/sanctions/batches/{batch_id}"): ALL,
    ("POST", "/sanctions/batches/{batch_id}/release"): {D},
    ("POST", "/sanctions/batches/{batch_id}/reject"): {D},
    ("GET", "/sanctions/batches/{batch_id}/{number}"): {D},
    ("POST", "/sanctions/batches/{batch_id}/{number}/judge"): {D},
    ("GET", "/reversals"): ALL,
    ("GET", "/holds"): ALL,
    ("GET", "/holds/{hold_id}"): ALL,
    ("POST", "/holds/{hold_id}/lift"): {C},
    ("GET", "/notices/{notice_id}/hold"): {C},
    ("POST", "/notices/{notice_id}/hold"): {C},
    ("GET", "/notices/{notice_id}/deadline"): {C},
    ("POST", "/notices/{notice_id}/deadline"): {C},
    ("GET", "/evidence"): ALL,
    ("GET", "/evidence/{evidence_id}"): ALL,
    ("GET", "/evidence/{evidence_id}/body"): {O, C, D},
    ("POST", "/evidence/{evidence_id}/clear"): {C},
    ("POST", "/evidence/{evidence_id}/match"): {C},
    ("GET", "/stop"): ALL,
    ("GET", "/stop/kinds/{kind}/stop"): {O, C, D, A},
    ("POST", "/stop/kinds/{kind}/stop"): {O, C, D, A},
    ("GET", "/stop/kinds/{kind}/go-on"): {D, A},
    ("POST", "/stop/kinds/{kind}/go-on"): {D, A},
    ("GET", "/stop/kinds/{kind}/lower"): {O, C, D, A},
    ("POST", "/stop/kinds/{kind}/lower"): {O, C, D, A},
    ("GET", "/stop/kinds/{kind}/raise"): {D, A},
    ("POST", "/stop/kinds/{kind}/raise"): {D, A},
    ("GET", "/stop/mail/stop"): {O, C, D, A},
    ("POST", "/stop/mail/stop"): {O, C, D, A},
    ("GET", "/stop/mail/go-on"): {O},
    ("POST", "/stop/mail/go-on"): {O},
    ("GET", "/search"): ALL,
    ("GET", "/retention"): {A},
    ("GET", "/retention/place"): {A},
    ("GET", "/retention/erase"): {A},
    ("GET", "/retention/holds/{legal_hold_id}"): {A},
    ("POST", "/retention/holds"): {A},
    ("POST", "/retention/holds/{legal_hold_id}/lift"): {A},
    ("POST", "/retention/erase"): {A},
    ("GET", "/audit"): {A},
}
"""Who may come to which page, said a second time: a page without a line here has not been thought about."""
OPEN = {("GET", "/"), ("GET", "/sign-in"), ("POST", "/sign-in"), ("GET", "/signed-in"), ("GET", "/signed-out")}
SIGNED_IN = {("POST", "/sign-out")}
ABSENT = UUID(int=7)
GUARDED = [page for page in PAGES if page.may is not None]
ROLES = [*Role, None]


def named(page: Page) -> str:
    return f"{page.method} {page.path}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def console(postgres_server: PrivatePostgres, trial_template: str) -> AsyncIterator[OpenedConsole]:
    dsn = postgres_server.new_database(template=trial_template)
    ledger = await PostgresLedger.open(dsn, SystemIds(), name="test", most=8)
    async with opened_console(Bench(ledger)) as console:
        yield console
    await ledger.close()
    postgres_server.drop_database(dsn.partition("@/")[2].partition("?")[0])


def path_of(page: Page) -> str:
    """The page's address, about something that is not there."""
    return re.sub(r"{(\w+)}", lambda found: "1" if found[1] in {"number", "kind"} else str(ABSENT), page.path)


async def asked(officer: Reader, page: Page, *, csrf: str | None = None) -> int:
    if page.method == "GET":
        return (await officer.get(path_of(page))).status_code
    fields = {"reason": "as was asked", "csrf": officer.csrf if csrf is None else csrf}
    return (await officer.post(path_of(page), **fields)).status_code


async def last(console: OpenedConsole) -> tuple[str, str, bool]:
    row = (await console.record())[-1]
    return row["person"], row["act"], row["allowed"]


async def test_every_route_is_open_or_says_who_may() -> None:
    table = {(page.method, page.path) for page in PAGES}
    assert {(page.method, page.path) for page in PAGES if page.may is None} == OPEN | SIGNED_IN
    assert {(page.method, page.path) for page in PAGES if page.alone} == OPEN
    assert len(table) == len(PAGES), "no route twice"
    may = {(page.method, page.path): set(map(str, TABLE[page.may])) for page in GUARDED if page.may}
    assert may == EXPECTED


async def test_what_changes_something_is_no_look() -> None:
    assert [named(page) for page in GUARDED if page.method == "POST" and page.may in {Act.LOOK, Act.AUDIT}] == []


async def test_every_act_has_its_roles_and_every_role_may_look() -> None:
    assert set(TABLE) == set(Act)
    assert all(TABLE.values())
    assert TABLE[Act.LOOK] == set(Role)
    assert TABLE[Act.GO_ON] < TABLE[Act.STOP]
    assert TABLE[Act.DECIDE] == TABLE[Act.APPROVE] == {Role.DECISION_MAKER}


@pytest.mark.parametrize(
    ("page", "role"),
    [pytest.param(page, role, id=f"{named(page)}, {role}") for page, role in product(GUARDED, ROLES)],
)
async def test_a_role_may_what_the_table_says_and_each_decision_is_on_record(
    console: OpenedConsole, page: Page, role: Role | None
) -> None:
    assert page.may is not None
    officer = await console.officer(*([role] if role else []), person=f"a {role}")
    before = len(await console.record())
    status = await asked(officer, page)
    allowed = role is not None and role in TABLE[page.may]
    assert (status != 403) == allowed
    assert status < 500
    record = [(row["person"], row["act"], row["allowed"]) for row in (await console.record())[before:]]
    assert record[0] == (f"a {role}", page.may.value, allowed), "what the law says of it afterwards is a row of its own"


@pytest.mark.parametrize("page", GUARDED, ids=named)
async def test_nobody_who_is_not_signed_in_comes_to_a_page(console: OpenedConsole, page: Page) -> None:
    before = len(await console.record())
    assert await asked(console.visitor(), page) == (303 if page.method == "GET" else 403)
    assert len(await console.record()) == before


POSTS = [page for page in GUARDED if page.method == "POST"]


@pytest.mark.parametrize("csrf", ["", "x" * 43], ids=["none", "another"])
async def test_no_form_without_the_sessions_token_does_anything(console: OpenedConsole, csrf: str) -> None:
    for page in POSTS:
        assert page.may is not None
        officer = await console.officer(*TABLE[page.may], person="forged")
        assert await asked(officer, page, csrf=csrf) == 403, named(page)
        assert await last(console) == ("forged", page.may.value, False), named(page)


async def test_no_form_of_another_site_does_anything(console: OpenedConsole) -> None:
    for page in POSTS:
        assert page.may is not None
        officer = await console.officer(*TABLE[page.may], person="led")
        answer = await officer.client.post(
            path_of(page), data={"csrf": officer.csrf, "reason": "x"}, headers={"sec-fetch-site": "cross-site"}
        )
        assert answer.status_code == 403, named(page)
        assert await last(console) == ("led", page.may.value, False), named(page)
