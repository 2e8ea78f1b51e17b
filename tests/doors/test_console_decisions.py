"""The console's pages of decisions: what they refuse, what they record, and that what came from outside stays text."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest

from services.console.decisions.evidence import readable
from services.kernel.domain.changes import EvidenceStored
from services.kernel.domain.notice import State
from services.kernel.runtime.desk_brakes import make_batch
from tests.rig.console import OpenedConsole
from tests.rig.console import console as console  # noqa: PLC0414 -- a fixture
from tests.rig.inbox import Reader
from tests.rig.notices import IDS, KIND, Made, make

WHY = "looked at with care"
STOPPED = "UPDATE gate_wait SET waiting_for = '{stopped}' RETURNING 1"


async def lapsed(console: OpenedConsole, count: int = 1, *, automatic: bool = True) -> list[Made]:
    return [await make(console.bench.ledger, State.LAPSED, automatic=automatic) for _ in range(count)]


async def officer(console: OpenedConsole, person: str = "dora", *roles: str) -> Reader:
    return await console.officer(*(roles or ("decision_maker",)), person=person, name=person.title())


async def told(reader: Reader, path: str, **fields: str) -> str:
    """What the page says to which a form leads."""
    answer = await reader.post(path, **fields)
    assert answer.status_code == 303, answer.text
    return (await reader.get(answer.headers["location"])).text


async def bodies(console: OpenedConsole, *rows: EvidenceStored) -> None:
    async with console.bench.ledger.begin() as tx:
        await tx.store(rows)


def report(body: bytes, addresses: Sequence[str] = ()) -> EvidenceStored:
    return EvidenceStored(
        IDS.uuid7(), "mail", None, None, "mail.received", "message/rfc822", '{"subject": "<b>hello</b>"}', body, None,
        None, None, tuple(addresses), "parked",
    )  # fmt: skip


async def test_whoever_decided_may_not_approve_under_another_name(console: OpenedConsole) -> None:
    [made] = await lapsed(console, automatic=False)
    path = f"/sanctions/{made.sanction_id}"
    dora = await officer(console)
    assert "Another decision maker must approve" in await told(dora, f"{path}/decide", reason=WHY)
    renamed = await console.officer("decision_maker", person="dora", name="Theodora Vale-Hughes")
    assert "may not approve too" in await told(renamed, f"{path}/approve", reason=WHY)
    namesake = await console.officer("decision_maker", person="other", name="Dora")
    assert "The gate alone decides" in await told(namesake, f"{path}/approve", reason=WHY)
    row = await console.bench.ledger.pool.fetchrow("SELECT decided_by, approved_by FROM sanction")
    assert tuple(row) == ("Dora [dora]", "Dora [other]")


@pytest.mark.parametrize("act", ["decide", "decline", "rescind"])
async def test_nothing_is_done_without_a_reason(console: OpenedConsole, act: str) -> None:
    [made] = await lapsed(console, automatic=False)
    dora, path = await officer(console), f"/sanctions/{made.sanction_id}/{act}"
    for reason in ("", "  \n", "a\x1bb", "x" * 1001):
        assert "the reason cannot be recorded" in await told(dora, path, reason=reason), reason[:9]
    query = "SELECT count(*) FROM notice_event WHERE kind IN ('sanction.decided', 'sanction.rescinded')"
    assert await console.bench.value(query) == 0
    assert await console.bench.value("SELECT count(*) FROM sanction_word") == 0


@pytest.mark.parametrize(
    "path",
    ["/sanctions/{0}", "/sanctions/batches/{0}", "/sanctions/batches/{0}/1", "/sanctions/batches/{0}/-1",
     "/sanctions/batches/{0}/99999999999999999999", "/holds/{0}", "/evidence/{0}", "/evidence/{0}/body",
     "/notices/{0}/hold", "/notices/{0}/deadline", "/stop/kinds/{0}/stop", "/stop/kinds/registration.cancel'--/stop"],
)  # fmt: skip
async def test_what_is_not_there_is_not_found(console: OpenedConsole, path: str) -> None:
    everybody = await officer(console, "all", "decision_maker", "caseworker")
    for named in (str(uuid4()), "not-an-id"):
        assert (await everybody.get(path.format(named))).status_code == 404


async def test_who_looked_at_which_sampled_case_is_on_record_with_its_notice(console: OpenedConsole) -> None:
    made = await lapsed(console, 2)
    await console.bench.value(STOPPED)
    dora = await officer(console)
    answer = await dora.post("/sanctions/batches", kind=KIND, reason=WHY)
    batch = answer.headers["location"]
    assert (await dora.get(f"{batch}/1")).status_code == 200
    last = (await console.record())[-1]
    assert (last["person"], last["act"], last["notice_id"]) == ("dora", "batch", made[0].notice_id)
    assert "are not judged: 1, 2" in await told(dora, f"{batch}/release", reason=WHY)
    assert "say whether the sanction is right or wrong" in await told(dora, f"{batch}/1/judge", reason=WHY)
    assert (await dora.post(f"{batch}/1/judge", reason=WHY, verdict="right")).headers["location"] == f"{batch}/2"
    assert (await dora.post(f"{batch}/2/judge", reason=WHY, verdict="wrong")).headers["location"] == batch
    assert "sampled as wrong: 2" in await told(dora, f"{batch}/release", reason=WHY)
    assert "2 sanctions are declined" in await told(dora, f"{batch}/reject", reason=WHY)


async def test_batch_of_nothing_is_refused_in_words(console: OpenedConsole) -> None:
    dora = await officer(console)
    assert "is held by the brake alone" in await told(dora, "/sanctions/batches", kind=KIND, reason=WHY)


async def test_reader_sees_a_batch_and_its_sample_but_no_way_to_act(console: OpenedConsole) -> None:
    await lapsed(console, 2)
    await console.bench.value(STOPPED)
    async with console.bench.ledger.pool.acquire() as connection:
        from services.kernel.adapters.postgres.desk import PostgresDesk  # noqa: PLC0415
        from services.kernel.runtime.desk import Word  # noqa: PLC0415

        batch = (await make_batch(PostgresDesk(connection, IDS), IDS, KIND, Word("Ann", WHY))).batch_id
    reader = await officer(console, "rita", "reader")
    for path in (f"/sanctions/batches/{batch}", "/sanctions/batches", "/stop", "/holds", "/evidence", "/reversals"):
        page = (await reader.get(path)).text
        assert "<textarea" not in page, path
        assert 'class="button danger"' not in page, path


@pytest.mark.parametrize("cap", ["", "-1", "1.5", "many", "1000001", "500", "9" * 5000])
async def test_cap_is_lowered_to_a_whole_number_below_what_holds(console: OpenedConsole, cap: str) -> None:
    rhys = await officer(console, "rhys", "operator")
    page = await told(rhys, f"/stop/kinds/{KIND}/lower", cap=cap, reason=WHY)
    assert "give a whole number" in page or "that is no less than now" in page
    assert await console.bench.value("SELECT count(*) FROM brake_change") == 0
    assert "499 an hour at most" in await told(rhys, f"/stop/kinds/{KIND}/lower", cap="499", reason=WHY)


async def test_what_came_is_shown_as_text_and_who_read_it_is_on_record(console: OpenedConsole) -> None:
    row = report(b"<script>alert(1)</script>\r\n\x1b[2J\xff\xe2\x80\xaegnp.exe")
    await bodies(console, row)
    cara = await officer(console, "cara", "caseworker")
    page = (await cara.get(f"/evidence/{row.evidence_id}/body")).text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert" not in page
    assert not {"\x1b", "\u202e"} & set(page)
    assert (await console.record())[-1]["act"] == "read_message"
    piece = (await cara.get(f"/evidence/{row.evidence_id}")).text
    assert "alert(1)" not in piece
    assert "<b>hello</b>" not in piece


def test_bytes_become_text_that_steers_nothing() -> None:
    assert readable(b"a\r\n\tb\x00\x7f\x9bc\xc2\x85") == "a\n\tb\ufffd\ufffd\ufffdc\ufffd"


async def test_report_is_matched_to_one_of_the_notices_that_were_mailed(console: OpenedConsole) -> None:
    [made, other] = await lapsed(console, 2)
    row = report(b"returned", [made.notice.address])
    await bodies(console, row)
    cara = await officer(console, "cara", "caseworker")
    page = (await cara.get(f"/evidence/{row.evidence_id}")).text
    assert made.notice.source_ref in page
    path = f"/evidence/{row.evidence_id}/match"
    assert "there is no such notice" in await told(cara, path, reason=WHY)
    assert "there is no such notice" in await told(cara, path, other="no-such-reference", reason=WHY)
    page = await told(cara, path, notice=str(made.notice_id), other=other.notice.source_ref, reason=WHY)
    assert "a hold is placed on it" in page
    held: list[UUID] = await console.bench.column("SELECT notice_id FROM hold")
    assert held == [made.notice_id]
