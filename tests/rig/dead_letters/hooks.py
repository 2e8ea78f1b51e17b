"""Dead letters of `webhooks`, and of workers that died over what they had taken."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from schemas.messages.hops import DeliveryQueuedV1
from schemas.messages.outcomes import NoticeRefusedV1
from services.kernel.ports import Delivery
from services.kernel.runtime.decision import announce
from services.relay.casualties import Casualties
from tests.rig.dead_letters import alerts
from tests.rig.dead_letters.crew import delivered
from tests.rig.dead_letters.yard import COPIES, Yard, named, raw
from tests.rig.system import fee_outstanding

QUEUED = "delivery.queued.v1"
_OWN_DEATHS = 10


async def owed(yard: Yard, number: int = COPIES) -> list[int]:
    """Events that `fees` must be told by webhook, one a reference; their numbers in the outbox."""
    rows = []
    for ref in yard.refs(number):
        told = NoticeRefusedV1(source_ref=ref, reasons=("scope",))
        rows.append(announce("notice.refused.v1", told, event_id=ref, trial=True, to="fees"))
    async with yard.ledger.begin() as tx:
        return [row.outbox_id for row in await tx.write(rows)]


def hop(yard: Yard, outbox_ids: list[int]) -> Delivery:
    """One message about many events."""
    return yard.hop(QUEUED, DeliveryQueuedV1(deliveries=tuple(outbox_ids)))


async def undelivered(yard: Yard, number: int = COPIES) -> list[int]:
    """Events whose receiver was down until the schedule was over."""
    ids = await owed(yard, number)
    yard.crew.renew_courier()
    yard.crew.receiver.status = HTTPStatus.SERVICE_UNAVAILABLE
    await yard.come(hop(yard, ids))
    await yard.exhaust()
    return ids


async def event_whose_receiver_was_down(yard: Yard) -> None:
    """It is up again: a replay delivers."""
    await undelivered(yard, 2 * COPIES)


async def event_whose_receiver_said_gone(yard: Yard) -> None:
    """410 is final at once; the upstream put it right since."""
    for outbox_id in await owed(yard):
        yard.crew.renew_courier()
        yard.crew.receiver.status = HTTPStatus.GONE
        await yard.come(hop(yard, [outbox_id]))


async def event_killed_by_a_fault_in_posting(yard: Yard) -> None:
    """Ours, and mended."""
    ids = await owed(yard)
    yard.crew.renew_courier()
    yard.crew.receiver.raises = RuntimeError("planted")
    await yard.come(hop(yard, ids))
    await yard.exhaust()
    yard.crew.receiver.raises = None
    await yard.value("UPDATE webhook_delivery SET claimed_until = NULL RETURNING 1")  # the last claim runs out, too


async def event_delivered_by_another_message(yard: Yard) -> None:
    """`relay` handed it out again, and the receiver took it."""
    ids = await undelivered(yard)
    yard.crew.renew_courier()
    yard.crew.receiver.status = HTTPStatus.NO_CONTENT
    await yard.come(hop(yard, ids))


async def event_that_nobody_is_owed(yard: Yard) -> None:
    """The upstream consumes AMQP now: its webhook was removed."""
    await yard.value("INSERT INTO webhook VALUES ('cases', 'http://127.0.0.1:9/', 'A', now()) RETURNING 1")
    told = (announce("notice.refused.v1", NoticeRefusedV1(source_ref=ref, reasons=("scope",)), event_id=ref, trial=True,
                     to="cases") for ref in yard.refs())  # fmt: skip
    async with yard.ledger.begin() as tx:
        ids = [row.outbox_id for row in await tx.write(list(told))]
    yard.crew.renew_courier()
    yard.crew.receiver.status = HTTPStatus.SERVICE_UNAVAILABLE
    await yard.come(hop(yard, ids))
    await yard.exhaust()
    await yard.value("DELETE FROM webhook_delivery WHERE source = 'cases' RETURNING 1")
    await yard.value("DELETE FROM webhook WHERE source = 'cases' RETURNING 1")


async def event_being_posted_elsewhere(yard: Yard) -> None:
    """Another process has claimed it, and waits for the receiver."""
    for outbox_id in await undelivered(yard, 4):
        async with yard.ledger.begin() as tx:
            assert await tx.webhook_claim(outbox_id, 3600) is not None


async def message_about_an_event_that_is_malformed(yard: Yard) -> None:
    """A number that is none."""
    body = b'{"specversion":"1.0","id":"%d","source":"duly","type":"delivery.queued.v1","data":{"deliveries":["x"]}}'
    await yard.come(*(raw(body % number, QUEUED) for number in range(6)))


# --- what killed its worker again and again, as the broker returns it and `relay` collects it


async def killers(yard: Yard, message: Delivery, over: Sequence[object]) -> None:
    """Let its items come back from the broker after their worker died over them, alone, as often as may be."""
    with yard.fault(over):
        await yard.come(message)
    for failed_id in await yard.column("SELECT failed_id FROM failed_item WHERE state = 'retry'"):
        for _ in range(_OWN_DEATHS):
            await yard.ledger.begin_again(failed_id)
    await yard.value("UPDATE failed_item SET next_at = clock_timestamp() WHERE state = 'retry' RETURNING 1")
    await yard.crew.relay.retries()
    casualties = Casualties(yard.ledger, yard.crew.told)
    while yard.crew.sent_again.carried:
        await casualties._keep(
            delivered(yard.crew.sent_again.carried.popleft())
        )  # what it does with each that it takes


async def alert_that_killed_its_worker(yard: Yard) -> None:
    """With a memory that was too small; there is more of it now."""
    notices = await alerts.rendered(yard)
    await killers(yard, alerts.hop(yard, notices), notices)


async def request_that_killed_its_worker(yard: Yard) -> None:
    """The same at the renderer."""
    for ref in yard.refs():
        event = yard.event(fee_outstanding(ref))
        await killers(yard, event, named([event]))


STORIES = (
    event_whose_receiver_was_down, event_whose_receiver_said_gone, event_killed_by_a_fault_in_posting,
    event_delivered_by_another_message, event_that_nobody_is_owed, event_being_posted_elsewhere,
    message_about_an_event_that_is_malformed, alert_that_killed_its_worker, request_that_killed_its_worker,
)  # fmt: skip
