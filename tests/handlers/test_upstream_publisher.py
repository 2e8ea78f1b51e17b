"""Upstream's publisher: refused whole or sent whole, until confirmed, with the same ids each time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from schemas.cloudevents import Envelope
from services.kernel.adapters.ids import SystemIds
from services.kernel.ports import BrokerUnavailable, Outgoing, Subscription
from services.upstream import EventsRefused, NotConfirmed, apublish, prepare, publish
from services.upstream.publisher import Patience, until_confirmed

PAID = {"type": "obligation.satisfied.v1", "data": {"source_ref": "fees/2026/000417", "kind": "payment"}}


@dataclass
class ScriptedBroker:
    """Confirms of each publish what its script says; after the script, everything."""

    script: list[set[int] | BrokerUnavailable] = field(default_factory=list)
    sent: list[list[Outgoing]] = field(default_factory=list)
    hangs: bool = False
    closed: bool = False

    async def connect(self) -> None: ...

    async def subscribe(self, queue: str, *, prefetch: int) -> Subscription:
        raise NotImplementedError

    async def publish(self, messages: Sequence[Outgoing]) -> set[int]:
        self.sent.append(list(messages))
        if self.hangs:
            await asyncio.Event().wait()
        answer = self.script.pop(0) if self.script else {message.key for message in messages}
        if isinstance(answer, BrokerUnavailable):
            raise answer
        return answer

    async def close(self) -> None:
        self.closed = True


class Half(SystemIds):
    def jitter(self) -> float:
        return 0.5


class Waits:
    """A clock that moves only when someone pauses."""

    def __init__(self) -> None:
        self.now = 100.0
        self.pauses: list[float] = []

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    def patience(self, give_up_after: float | None = None) -> Patience:
        return Patience(give_up_after, Half(), lambda: self.now, self.pause)


def events(count: int) -> tuple[Envelope, ...]:
    return prepare([PAID] * count, ids=SystemIds(), source="fees")


def ids_sent(broker: ScriptedBroker) -> list[list[str | None]]:
    return [[message.message_id for message in batch] for batch in broker.sent]


async def test_what_is_confirmed_is_sent_once() -> None:
    broker, waits = ScriptedBroker(), Waits()
    await until_confirmed(broker, events(3), waits.patience(), user="fees")
    assert [len(batch) for batch in broker.sent] == [3]
    assert waits.pauses == []


async def test_message_carries_type_id_user_and_counts_only_if_a_queue_takes_it() -> None:
    broker = ScriptedBroker()
    (event,) = events(1)
    await until_confirmed(broker, [event], Waits().patience(), user="fees")
    (message,) = broker.sent[0]
    assert (message.routing_key, message.message_id, message.user_id) == (event.type, event.id, "fees")
    assert message.mandatory
    assert json.loads(message.body)["id"] == event.id


async def test_only_what_is_unconfirmed_is_sent_again_and_with_the_same_ids_and_bytes() -> None:
    broker = ScriptedBroker(script=[{0, 2}, set()])
    kept = events(3)
    await until_confirmed(broker, kept, Waits().patience(), user="fees")
    assert ids_sent(broker) == [[event.id for event in kept], [kept[1].id], [kept[1].id]]
    assert broker.sent[2] == broker.sent[1]


async def test_a_broker_that_is_away_counts_as_unconfirmed() -> None:
    broker = ScriptedBroker(script=[BrokerUnavailable("away"), BrokerUnavailable("away")])
    await until_confirmed(broker, events(2), Waits().patience(), user="fees")
    assert [len(batch) for batch in broker.sent] == [2, 2, 2]


async def test_waits_double_up_to_half_a_minute_and_are_spread() -> None:
    waits = Waits()
    await until_confirmed(ScriptedBroker(script=[set() for _ in range(10)]), events(1), waits.patience(), user="fees")
    assert waits.pauses[:3] == pytest.approx([0.15, 0.3, 0.6])
    assert max(waits.pauses) == pytest.approx(22.5)


async def test_progress_sends_on_at_once() -> None:
    waits = Waits()
    await until_confirmed(ScriptedBroker(script=[{0}, {1}]), events(3), waits.patience(), user="fees")
    assert waits.pauses == []


async def test_many_events_go_in_portions_and_a_stuck_portion_keeps_nobody_waiting() -> None:
    broker, kept = ScriptedBroker(script=[set()]), events(1500)
    await until_confirmed(broker, kept, Waits().patience(), user="fees")
    assert [len(batch) for batch in broker.sent] == [1000, 1000, 500]
    assert broker.sent[1][0].message_id == kept[1000].id


async def test_giving_up_names_and_keeps_what_was_not_confirmed() -> None:
    broker, waits, kept = ScriptedBroker(script=[{0}, *[set() for _ in range(50)]]), Waits(), events(3)
    with pytest.raises(NotConfirmed) as caught:
        await until_confirmed(broker, kept, waits.patience(5.0), user="fees")
    assert caught.value.event_ids == (kept[1].id, kept[2].id)
    assert caught.value.unconfirmed == kept[1:]
    assert sum(waits.pauses) == pytest.approx(5.0)


async def test_giving_up_also_ends_an_attempt_that_hangs() -> None:
    broker = ScriptedBroker(hangs=True)
    async with asyncio.timeout(10):
        with pytest.raises(NotConfirmed):
            await until_confirmed(broker, events(1), Patience(give_up_after=0.05), user="fees")


async def test_unconfirmed_events_can_be_published_again_with_their_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    broker, kept = ScriptedBroker(), events(2)
    monkeypatch.setattr("services.upstream.publisher.open_broker", lambda *_: broker)
    assert await apublish(kept, url="amqp://fees:pw@broker.example//") == tuple(event.id for event in kept)
    assert broker.closed
    assert broker.sent[0][0].user_id == "fees"


def test_publish_works_without_asyncio(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = ScriptedBroker()
    monkeypatch.setattr("services.upstream.publisher.open_broker", lambda *_: broker)
    monkeypatch.setenv("DULY_BROKER_URL", "amqp://f%40es:pw@broker.example//")
    (made,) = publish([PAID], source="fees")
    assert ids_sent(broker) == [[made]]
    assert broker.sent[0][0].user_id == "f@es"


async def test_the_broker_is_closed_when_the_caller_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = ScriptedBroker(hangs=True)
    monkeypatch.setattr("services.upstream.publisher.open_broker", lambda *_: broker)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await apublish([PAID], url="amqp://broker.example//", source="fees")
    assert broker.closed


@pytest.mark.parametrize("url", [None, "", "memory://", "broker.example:5672"])
def test_a_broker_must_be_named_by_an_amqp_address(url: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DULY_BROKER_URL", raising=False)
    with pytest.raises(ValueError, match="DULY_BROKER_URL"):
        publish([PAID], url=url, source="fees")


def refused(*given: dict[str, object], source: str | None = "fees") -> tuple[str, ...]:
    with pytest.raises(EventsRefused) as caught:
        prepare(given, ids=SystemIds(), source=source)
    return caught.value.faults


def test_every_fault_of_every_event_is_named_and_nothing_else() -> None:
    found = refused(
        {"type": "notice.requested.v1", "data": {"source_ref": "s3cret\n", "origin": "manual"}},
        PAID,
        {"type": "obligation.satisfied.v1", "data": {"kind": "payment"}},
        {"type": "notice.served.v1", "data": {}},
        {"type": "notice.requested.v9", "data": {}},
        {"data": {}},
        {"type": "mark.sent.v1", "data": {}},
    )
    said = "\n".join(found)
    for name in ("source_ref", "regime", "notice_type", "business_id", "address"):
        assert f"event 0: data.{name}: " in said
    assert "event 2: data.message: " in said
    assert "event 3: type: notice.served.v1 is sent by notifier" in said
    assert "event 4: type: not in the catalogue; upstream sends notice.requested.v1, " in said
    assert "event 5: type: Field required" in said
    assert "event 6: type: mark.sent.v1 is sent by relay" in said
    assert "event 1" not in said
    assert "s3cret" not in said


def test_a_source_must_be_named() -> None:
    assert [fault.split(":")[1] for fault in refused(PAID, source=None)] == [" source"]


def test_an_oversized_event_is_refused() -> None:
    values = {f"v{number}": "x" * 2000 for number in range(40)}
    data = {"source_ref": "r", "regime": "g", "notice_type": "n", "business_id": "b", "address": "a@b.example"}
    (fault,) = refused({"type": "notice.requested.v1", "data": data | {"origin": "automatic", "values": values}})
    assert fault.startswith("event 0: message: ")
    assert "65536 are allowed" in fault


def test_an_id_given_twice_is_refused() -> None:
    (fault,) = refused({"id": "7", **PAID}, {"id": "7", **PAID})
    assert "ids stand on more than one event" in fault


def test_data_that_is_no_json_is_refused() -> None:
    (fault,) = refused({"type": "obligation.satisfied.v1", "data": {"kind": object()}})
    assert fault.startswith("event 0: data")


def test_an_id_that_is_given_is_kept_and_one_that_is_not_is_made_once() -> None:
    given, made = prepare([{"id": "7", **PAID}, PAID], ids=SystemIds(), source="fees")
    assert given.id == "7"
    assert prepare([made], ids=SystemIds()) == (made,)


def test_a_source_of_the_event_s_own_is_kept() -> None:
    (event,) = prepare([{"source": "registry", **PAID}], ids=SystemIds(), source="fees")
    assert event.source == "registry"
