"""Relay and the gate: the order of what upstream is told, timers that do nothing, and what the gate waits for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest

from schemas.messages.hops import DeadlinePassedV1, PassedDeadline
from services.kernel.domain.changes import Announced, GateWoken, HoldLifted, HoldPlaced, MarkCommitted
from services.kernel.ledger import Failure, ItemKey
from services.kernel.ports import Outgoing
from services.kernel.runtime.measures import Measures
from services.kernel.runtime.publishing import publish_unsent
from services.kernel.runtime.settings import read
from services.relay.handler import Relay
from services.relay.settings import RelaySettings
from tests.handlers.bench import IDS, Bench, hop
from tests.handlers.test_alerts import TAKEN, claim
from tests.rig.system import fee_outstanding

KIND = "notice.served.v1"


class Refusing:
    """A broker that confirms everything but what it was told to refuse; it keeps what it confirmed, in order."""

    def __init__(self) -> None:
        self.refuses: set[bytes] = set()
        self.took: list[bytes] = []

    async def publish(self, messages: Sequence[Outgoing]) -> set[int]:
        taken = [message for message in messages if message.body not in self.refuses]
        self.took += [message.body for message in taken]
        return {message.key for message in taken}


def told(notice_id: UUID | None, text: str) -> Announced:
    return Announced(notice_id, KIND, text.encode())


@pytest.fixture
def broker() -> Refusing:
    return Refusing()


@pytest.fixture
def relay(bench: Bench, broker: Refusing, monkeypatch: pytest.MonkeyPatch) -> Relay:
    monkeypatch.setenv("DULY_OUTBOX_GRACE", "0")
    return Relay(bench.ledger, broker, IDS, read(RelaySettings), Measures())


# --- the outbox -------------------------------------------------------------------------------------------------------


async def test_no_event_is_told_while_an_older_one_of_its_notice_is_unsent(
    bench: Bench, relay: Relay, broker: Refusing
) -> None:
    one, other = uuid4(), uuid4()
    broker.refuses = {b"one 1"}
    unsent = await bench.write(told(one, "one 1"), told(other, "other 1"), told(one, "one 2"), told(None, "nobody's"))
    assert await publish_unsent(broker, bench.ledger, unsent) == 2
    assert await bench.write(told(one, "one 3")) == [], "the worker may not tell it: an older one waits"
    assert [row.body for row in await bench.write(told(other, "other 2"))] == [b"other 2"]
    await relay.outbox()
    assert broker.took == [b"other 1", b"nobody's", b"other 2"]
    broker.refuses = set()
    while await relay.outbox():
        pass
    assert [body for body in broker.took if body.startswith(b"one")] == [b"one 1", b"one 2", b"one 3"]
    assert await bench.value("SELECT count(*) FROM outbox WHERE sent_at IS NULL") == 0


async def test_a_refusal_in_the_middle_holds_back_all_that_is_younger(
    bench: Bench, relay: Relay, broker: Refusing
) -> None:
    notice_id = uuid4()
    broker.refuses = {b"2"}
    unsent = await bench.write(*(told(notice_id, str(number)) for number in range(1, 6)))
    await publish_unsent(broker, bench.ledger, unsent)
    for _ in range(3):
        await relay.outbox()
    assert broker.took == [b"1"]
    broker.refuses = set()
    while await relay.outbox():
        pass
    assert broker.took == [b"1", b"2", b"3", b"4", b"5"]


# --- timers -----------------------------------------------------------------------------------------------------------


async def served(bench: Bench, ref: str = "n") -> UUID:
    notice_id = await bench.rendered(fee_outstanding(ref))
    made = await claim(bench, notice_id)
    assert made is not None
    await bench.settle(made, TAKEN)
    return notice_id


async def test_a_timer_lapses_its_notice_once_and_never_before_its_instant(bench: Bench) -> None:
    notice_id = await served(bench)
    await bench.advance(days=20)
    assert await bench.lapse() == 0
    await bench.advance(days=3)
    assert await bench.lapse() == 1
    assert await bench.lapse() == 0
    assert await bench.state(notice_id) == "lapsed"
    assert await bench.value("SELECT waiting_for FROM gate_wait WHERE notice_id = $1", notice_id) == []


async def test_the_timer_of_an_old_version_does_nothing(bench: Bench) -> None:
    notice_id = await served(bench)
    await bench.value(
        "INSERT INTO deadline SELECT notice_id, 2, deemed_on, 60, due_on + 39, due_at + interval '39 days', zone, "
        "rule, calendar_version, 'ill', 'A. Lewis' FROM deadline RETURNING 1"
    )
    await bench.value(
        "UPDATE notice SET deadline_version = 2, deadline_at = deadline_at + interval '39 days' RETURNING 1"
    )
    await bench.advance(days=25)
    assert await bench.lapse() == 1
    assert await bench.state(notice_id) == "served"
    assert await bench.value("SELECT count(*) FROM gate_wait") == 0
    await bench.advance(days=39)
    await bench.lapse()
    assert await bench.state(notice_id) == "lapsed"


# --- the gate ---------------------------------------------------------------------------------------------------------


async def look(bench: Bench, notice_id: UUID) -> list[str]:
    """Let the gate look once; what it waits for then, empty if it has decided."""
    version = await bench.value("SELECT deadline_version FROM notice WHERE notice_id = $1", notice_id)
    passed = DeadlinePassedV1(deadlines=(PassedDeadline(notice_id=notice_id, version=version),))
    await bench.run(bench.sanctions, hop("deadline.passed.v1", passed, "sanctions"))
    return list(await bench.value("SELECT waiting_for FROM gate_wait WHERE notice_id = $1", notice_id) or [])


async def ripe(bench: Bench) -> UUID:
    """A notice whose sanction nothing stands against any more."""
    notice_id = await served(bench)
    await bench.advance(days=25)
    await bench.lapse()
    await look(bench, notice_id)
    await bench.advance(days=2)
    await bench.write(MarkCommitted(uuid4(), await bench.value("SELECT legal_now()")))
    return notice_id


async def due(bench: Bench) -> list[tuple[UUID, int]]:
    async with bench.ledger.begin() as tx:
        return await tx.waits_due(10, 3600)


async def test_a_proposal_waits_for_its_window_and_then_fires_once(bench: Bench) -> None:
    notice_id = await ripe(bench)
    assert await look(bench, notice_id) == []
    assert await bench.state(notice_id) == "sanctioned"
    assert await look(bench, notice_id) == []
    assert await bench.value("SELECT count(*) FROM outbox WHERE type = 'sanction.fired.v1'") == 1


async def test_the_gate_waits_for_a_mark_from_after_the_deadline_and_the_mark_wakes_it(bench: Bench) -> None:
    notice_id = await ripe(bench)
    await bench.value("UPDATE mark SET sent_at = sent_at - interval '30 days' RETURNING 1")
    assert await look(bench, notice_id) == ["mark_missing"]
    assert await due(bench) == []
    await bench.write(GateWoken(reason="mark_missing"))
    assert [notice for notice, _ in await due(bench)] == [notice_id]


async def test_a_hold_stops_the_gate_and_lifting_it_starts_the_minimum(bench: Bench) -> None:
    notice_id, hold_id = await ripe(bench), uuid4()
    now = await bench.value("SELECT legal_now()")
    await bench.write(HoldPlaced(hold_id, notice_id, "manual", "r", "A. Lewis", now))
    assert await look(bench, notice_id) == ["hold_open"]
    await bench.write(HoldLifted(hold_id, "A. Lewis", now, "r"), GateWoken(notice_id))
    assert [notice for notice, _ in await due(bench)] == [notice_id]
    assert await look(bench, notice_id) == ["after_hold"]
    assert await due(bench) == []
    await bench.advance(days=7, minutes=1)
    assert [notice for notice, _ in await due(bench)] == [notice_id], "it looks again when the minimum is over"
    assert await look(bench, notice_id) == []
    assert await bench.state(notice_id) == "sanctioned"


EVIDENCE = (
    "INSERT INTO raw_evidence (evidence_id, door, source, event_id, type, received_at, content_type, headers, body, "
    "source_ref, addresses, state, notice_id) VALUES (gen_random_uuid(), $1, $2, 'e', $3, legal_now(), '', '{}', '', "
    "$4, $5, $6, $7) RETURNING evidence_id"
)


@pytest.mark.parametrize("state", ["waiting", "retrying", "parked", "dead"])
@pytest.mark.parametrize("names", ["notice", "reference", "address", "nothing at all"])
async def test_evidence_that_names_the_notice_in_any_way_holds_the_gate_until_it_is_settled(
    bench: Bench, names: str, state: str
) -> None:
    notice_id = await ripe(bench)
    ref, by_id = ("n", None) if names == "reference" else (None, notice_id if names == "notice" else None)
    addresses = ["n@business.example"] if names == "address" else []
    door = "amqp" if names == "reference" else "mail"
    await bench.value(EVIDENCE, door, "fees", "mail.received", ref, addresses, state, by_id)
    assert await look(bench, notice_id) == ["evidence_waiting"]
    await bench.value("UPDATE raw_evidence SET state = 'processed' RETURNING 1")
    assert await look(bench, notice_id) == []
    assert await bench.state(notice_id) == "sanctioned"


async def test_undecodable_evidence_blocks_its_sources_sanctions_and_no_others(bench: Bench) -> None:
    notice_id = await ripe(bench)
    await bench.value(EVIDENCE, "amqp", "caseworking", "undecodable", None, [], "dead", None)
    assert await look(bench, notice_id) == []
    assert await bench.state(notice_id) == "sanctioned"
    other = await ripe_again(bench)
    await bench.value("UPDATE raw_evidence SET source = 'fees' RETURNING 1")
    assert await look(bench, other) == ["source_blocked"]


async def ripe_again(bench: Bench) -> UUID:
    notice_id = await served(bench, "again")
    await bench.advance(days=25)
    await bench.lapse()
    await look(bench, notice_id)
    await bench.advance(days=2)
    await bench.write(MarkCommitted(uuid4(), await bench.value("SELECT legal_now()")))
    return notice_id


async def test_the_stop_switch_and_the_cap_hold_the_gate(bench: Bench) -> None:
    notice_id = await ripe(bench)
    await bench.value("UPDATE brake SET stopped = true, cap_per_hour = 0 RETURNING 1")
    assert await look(bench, notice_id) == ["stopped", "cap_reached"]
    await bench.value("UPDATE brake SET stopped = false, cap_per_hour = 1 RETURNING 1")
    assert await look(bench, notice_id) == []
    assert await bench.state(notice_id) == "sanctioned"


async def test_what_the_gate_asks_for_is_handed_out_as_messages(bench: Bench, relay: Relay, broker: Refusing) -> None:
    notice_id = await ripe(bench)
    await relay.outbox()
    broker.took.clear()
    await relay.wake()
    passed = [json.loads(body)["data"]["deadlines"] for body in broker.took if b"deadline.passed" in body]
    assert passed == [[{"notice_id": str(notice_id), "version": 1}]]


@pytest.mark.parametrize(("source", "waits"), [("fees", ["evidence_waiting"]), ("caseworking", [])])
async def test_what_the_door_could_not_store_holds_the_sanctions_of_its_source_alone(
    bench: Bench, source: str, waits: list[str]
) -> None:
    notice_id = await ripe(bench)
    failure = Failure(
        ItemKey(source, "lost", UUID(int=0)), "obligation.satisfied.v1", None, None, "obligation.satisfied.v1",
        "application/json", {}, b"{}", "its worker died over and over", "Retry", "", 3600, None,
    )  # fmt: skip
    async with bench.ledger.begin() as tx:
        await tx.finish("intake", [], [failure])
    assert await look(bench, notice_id) == waits
    assert await bench.state(notice_id) == ("lapsed" if waits else "sanctioned")
