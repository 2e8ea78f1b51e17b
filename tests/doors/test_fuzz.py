"""A fuzz run over all doors: whatever comes, no door breaks, none loses what it said it has, and no log tells of it.

Real applications behind the server's own protocol, the mail doors behind real sockets, one real database for all, and
many cases at a time, as group commit wants. The run is the same each time; `DULY_TEST_SEED` names another.
"""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
import structlog
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from services.console.roles import Role
from services.kernel.adapters.ids import SystemIds
from services.kernel.adapters.postgres.ledger import PostgresLedger
from services.kernel.adapters.web.sign_in import Person
from services.kernel.ledger.people import ActsFor
from services.kernel.runtime.logging import configure
from tests.doors.fuzz_cases import MAKERS, WEIGHTS
from tests.doors.fuzz_chance import CANARY, Case, Chance, Spice
from tests.doors.fuzz_doors import SETTINGS, Doors, open_doors
from tests.doors.fuzz_http import Known
from tests.doors.fuzz_judge import MAIL, RECEIPT, STORED, Judge, shown
from tests.handlers.bench import Bench
from tests.rig.inbox import PDF, Opened, served
from tests.rig.system import fee_outstanding, information_request

CASES, TOGETHER = 20_000, 40
SEED = os.environ.get("DULY_TEST_SEED", "duly-1")
NOWHERE = "postgresql://duly@127.0.0.1:1/duly"
REFS = ("one", "two", "three")
Plan = list[tuple[str, int]]
"""Which door, and the number that all smaller choices of a case follow."""

odd_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)
spices = st.builds(
    Spice,
    st.lists(st.text(max_size=40), min_size=4, max_size=4),
    st.lists(st.binary(max_size=60), min_size=4, max_size=4),
    st.lists(odd_json, min_size=3, max_size=3),
)
doors = st.sampled_from([door for door, weight in WEIGHTS.items() for _ in range(weight)])
plans = st.lists(st.tuples(doors, st.integers(0, 2**64 - 1)), min_size=TOGETHER, max_size=TOGETHER)


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that is logged, also by libraries."""
    kept, level = logging.root.handlers[:], logging.root.level
    stream = io.StringIO()
    configure("doors", "debug", stream)
    yield stream
    structlog.reset_defaults()
    logging.root.handlers[:] = kept
    logging.root.setLevel(level)


async def known_to(bench: Bench) -> Known:
    """Notices that can be read and answered."""
    asked = [information_request(f"{ref}-asked") for ref in REFS]
    return Known([await served(bench, request) for request in (*map(fee_outstanding, REFS), *asked)])


async def learn(known: Known, doors: Doors, ledger: PostgresLedger) -> None:
    """Who is signed in by now, and the newest answers and links to their files, as the pages make them."""
    known.sessions, made = await sessions(doors), doors.inbox.site.links
    known.officers = await officers(doors)
    rows = await ledger.pool.fetch("SELECT * FROM upload WHERE size IS NOT NULL ORDER BY upload_id DESC LIMIT 5")
    links = [made.make(row["upload_id"], "evidence-1.pdf", row["size"]) for row in rows]
    known.links = [link.removeprefix(made.origin) for link in links]
    known.answers = [{name: str(row[name]) for name in ("notice_id", "evidence_id", "upload_id")} for row in rows]


async def sessions(doors: Doors) -> list[tuple[str, str]]:
    """Two people, one of whom may act for all, one for nobody."""
    inbox = doors.inbox.site
    acts_for = tuple(ActsFor(f"B-{ref}{more}", ref) for ref in REFS for more in ("", "-asked"))
    people = [Person("p1", "A. Price", acts_for), Person("p2", CANARY, ())]
    async with inbox.ledger.open() as tx:
        begun = [await inbox.sessions.begin(person, "en", tx) for person in people]
    return [(token, session.csrf) for session, token in (*begun[:1] * 4, *begun)]


async def officers(doors: Doors) -> list[tuple[str, str]]:
    """Those who may do almost everything, and who may look; nobody has content erased, which others look for."""
    console, all_but_one = doors.console.site, tuple(str(role) for role in Role if role is not Role.ADMIN)
    people = [Person("o1", "O. Okoro", roles=all_but_one), Person("o2", CANARY, roles=("reader",))]
    async with console.people.open() as tx:
        begun = [await console.sessions.begin(person, "en", tx) for person in people]
    return [(token, session.csrf) for session, token in (*begun[:1] * 3, *begun)]


@asynccontextmanager
async def opened(database: str) -> AsyncIterator[PostgresLedger]:
    ledger = await PostgresLedger.open(database, SystemIds(), name="test", most=8)
    try:
        yield ledger
    finally:
        await ledger.close()


async def drawn(cases: int, play: Callable[[Plan, Spice], Awaitable[None]]) -> None:
    """Play so many cases. Hypothesis is not asynchronous, and so has a thread of its own."""
    loop, found = asyncio.get_running_loop(), list[Exception]()

    @seed(SEED)
    @settings(
        max_examples=cases // TOGETHER, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck), report_multiple_bugs=False,
    )  # fmt: skip
    @given(plans, spices)
    def run(plan: Plan, spice: Spice) -> None:
        if found:  # asked to do it again, which the database does not forget: the first time tells why
            raise found[0]
        try:
            asyncio.run_coroutine_threadsafe(play(plan, spice), loop).result()
        except Exception as fault:
            found.append(fault)
            raise

    await asyncio.to_thread(run)


async def fuzz(database: str) -> Counter[str]:
    """The run over doors that have all that they need."""
    async with opened(database) as ledger, open_doors(ledger) as doors:
        known, judge = await known_to(Bench(ledger)), Judge(ledger)

        async def play(plan: Plan, spice: Spice) -> None:
            await learn(known, doors, ledger)
            await judge.judge(await doors.bring([made(door, entropy, spice, known) for door, entropy in plan]))

        await drawn(CASES, play)
        await judge.close()
    return judge.counts


def made(door: str, entropy: int, spice: Spice, known: Known) -> Case:
    """The case that chance makes of a plan's entry."""
    chance = Chance(entropy)
    chance.spice = spice
    return MAKERS[door](chance, known)


async def test_whatever_comes_breaks_no_door_and_what_a_door_says_it_has_is_there(
    trial_database_url: str, log: io.StringIO
) -> None:
    sys.stdout.write(f"\nDULY_TEST_SEED={SEED}\n")
    counts = await fuzz(trial_database_url)
    sys.stdout.write(f"{sum(counts[door] for door in MAKERS)} cases: {dict(sorted(counts.items()))}\n")
    told = log.getvalue()
    assert "mail.stored" in told, "the log was listened to"
    assert CANARY not in told.lower()
    complaints = {event["event"] for event in map(json.loads, told.splitlines()) if event["level"] == "error"}
    assert complaints <= {"subscription.ended"}, complaints
    assert sum(counts[door] for door in MAKERS) >= CASES
    for claim in (
        "callbacks 200",
        "intake 202",
        "inbox 200",
        "inbox answers",
        "files 200",
        "console 200",
        "lmtp 250",
        "smtp 250",
    ):
        assert counts[claim] > CASES // 400, f"few cases came through: {claim}"


async def test_while_the_database_is_away_no_door_claims_anything_and_none_breaks(log: io.StringIO) -> None:
    counts = Counter[str]()
    async with opened(NOWHERE) as nowhere, open_doors(nowhere) as doors:
        known = Known([SystemIds().uuid7()], [("a" * 43, "b" * 43)])

        async def play(plan: Plan, spice: Spice) -> None:
            for came in await doors.bring([made(door, entropy, spice, known) for door, entropy in plan]):
                counts.update(f"{came.case.door} {status}" for status in came.statuses)
                assert not {202, 500, 502, 504} & {*came.statuses} or came.case.door in MAIL, shown(came)
                assert STORED not in came.told
                assert b"250 2.6.0" not in came.told
                assert not RECEIPT.search(came.told)

        await drawn(CASES // 20, play)
    for claim in ("callbacks 503", "intake 503", "inbox 503", "console 503", "lmtp 451", "smtp 451"):
        assert counts[claim] > CASES // 2000, f"few cases met the database away: {claim}"
    assert CANARY not in log.getvalue().lower()


async def test_an_unfit_file_before_a_fit_one_is_told_of_and_neither_is_kept(inbox: Opened) -> None:
    """Found by this run: the second file got the first one's number."""
    notice_id = await inbox.question("one")
    reader = await inbox.reader_of("B-one")
    answer = await reader.answer(notice_id, "evidence", "two files", {"empty.pdf": b"", "owners.pdf": PDF})
    assert answer.status_code == 422
    assert await inbox.bench.value("SELECT count(*) FROM upload_part") == 0
    assert await inbox.bench.value("SELECT state FROM raw_evidence") == "refused"
