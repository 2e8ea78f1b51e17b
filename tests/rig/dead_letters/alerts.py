"""Dead letters of the notifier: alerts that were due."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from schemas.messages.hops import NoticeRenderedV1
from services.kernel.domain.notice import State
from services.kernel.domain.replies import Phase
from services.kernel.ports import Delivery, SmtpReply
from services.notifier.handler import ABANDONED_MOST, Claim
from services.notifier.settle import Settler, judged
from tests.rig.dead_letters.crew import LIBRARY_HERE
from tests.rig.dead_letters.yard import COPIES, Yard, raw, withdrawn
from tests.rig.system import fee_outstanding

RENDERED = "notice.rendered.v1"
TAKEN = SmtpReply(Phase.AFTER_DATA, 250, "2.0.0", "taken")
GONE = SmtpReply(Phase.RCPT, 550, "5.1.1", "no such user")
SILENT = SmtpReply(Phase.AFTER_DATA, None, "", "")
BUSY = SmtpReply(Phase.RCPT, 450, "4.2.1", "busy")


async def rendered(yard: Yard, number: int = COPIES) -> list[UUID]:
    """Notices that the renderer made, whose alert nobody has sent."""
    refs = yard.refs(number)
    await yard.come(*(yard.event(fee_outstanding(ref)) for ref in refs))
    return await yard.column("SELECT notice_id FROM notice WHERE source_ref = ANY($1) ORDER BY source_ref", refs)


def hop(yard: Yard, notices: Sequence[UUID]) -> Delivery:
    """One message about many notices."""
    return yard.hop(RENDERED, NoticeRenderedV1(notices=tuple(notices)))


async def dead_alerts(yard: Yard, notices: Sequence[UUID], *, lasting: bool = False) -> Delivery:
    """Let a fault kill the work on these, each an item of one message."""
    message = hop(yard, notices)
    with yard.fault(notices, lasting=lasting):
        await yard.come(message)
        await yard.exhaust()
    return message


async def claim(yard: Yard, notices: Sequence[UUID]) -> list[Claim]:
    """Let another message about them be worked on: their alerts are claimed."""
    yard.crew.claims.clear()
    await yard.come(hop(yard, notices))
    return list(yard.crew.claims)


async def settle(yard: Yard, claims: Sequence[Claim], reply: SmtpReply) -> None:
    """Record what the mail system said to each."""
    settler = Settler(LIBRARY_HERE, yard.ids)
    for each in claims:
        async with yard.ledger.begin() as tx:
            notice, clock = (await tx.lock([each.notice_id]))[each.notice_id], await tx.clock()
            await tx.write(settler.settle(judged(each, reply), notice, clock, False, None, braked=False))


async def alert_killed_by_a_fault_since_mended(yard: Yard) -> None:
    """Nobody has sent it: a replay does."""
    await dead_alerts(yard, await rendered(yard, 2 * COPIES))


async def alert_whose_fault_is_still_there(yard: Yard) -> None:
    """Poison."""
    await dead_alerts(yard, await rendered(yard), lasting=True)


async def alert_sent_since_by_the_rescue(yard: Yard) -> None:
    """`relay` told the notifier again, and the notice is served: a second alert would be one too many."""
    notices = await rendered(yard)
    await dead_alerts(yard, notices)
    await settle(yard, await claim(yard, notices), TAKEN)


async def alert_being_sent_elsewhere(yard: Yard) -> None:
    """Another message about it was worked on; the mail system has not answered."""
    notices = await rendered(yard)
    await dead_alerts(yard, notices)
    await claim(yard, notices)


async def alert_whose_message_came_again(yard: Yard) -> None:
    """The very same event, once more: its processed key is there."""
    notices = await rendered(yard)
    message = await dead_alerts(yard, notices)
    await yard.come(message)


async def alert_of_a_notice_refused_since(yard: Yard) -> None:
    """Another attempt was refused for good: unserved."""
    notices = await rendered(yard)
    await dead_alerts(yard, notices)
    await settle(yard, await claim(yard, notices), GONE)


async def alert_of_a_notice_withdrawn_since(yard: Yard) -> None:
    """Upstream took it back."""
    notices = await rendered(yard)
    await dead_alerts(yard, notices)
    refs = await yard.column("SELECT source_ref FROM notice WHERE notice_id = ANY($1)", notices)
    await yard.said(*(yard.event(withdrawn(ref)) for ref in refs))


async def alert_to_an_address_suppressed_since(yard: Yard) -> None:
    """A replay makes the notice unserved, without a mail."""
    notices = await rendered(yard)
    await dead_alerts(yard, notices)
    await yard.value(
        "INSERT INTO suppressed_address SELECT lower(address), 'complained', now() FROM notice"
        " WHERE notice_id = ANY($1) RETURNING 1", notices,
    )  # fmt: skip


async def alert_twice_taken_without_an_answer(yard: Yard) -> None:
    """A replay may not send it a third time: it places a hold."""
    notices = await rendered(yard)
    await dead_alerts(yard, notices)
    for _ in range(2):
        await settle(yard, await claim(yard, notices), SILENT)


async def alert_whose_senders_died(yard: Yard) -> None:
    """As often as may be."""
    notices = await rendered(yard, 4)
    await dead_alerts(yard, notices)
    for _ in range(ABANDONED_MOST + 1):
        await claim(yard, notices)
        await yard.value("UPDATE attempt SET lease_until = now() WHERE notice_id = ANY($1) RETURNING 1", notices)
        async with yard.ledger.begin() as tx:
            await tx.abandon_attempts(100)


async def alert_that_was_put_off(yard: Yard) -> None:
    """The mail system was busy: the next attempt is due, and a replay makes it."""
    notices = await rendered(yard)
    await dead_alerts(yard, notices)
    await settle(yard, await claim(yard, notices), BUSY)


async def alert_of_a_notice_that_ended(yard: Yard) -> None:
    """Closed, sanctioned, satisfied and lapsed notices: served long ago, by another attempt."""
    for state in (State.CLOSED, State.SANCTIONED, State.SATISFIED, State.LAPSED):
        await dead_alerts(yard, await yard.notices(state, 4))


async def alert_of_an_unknown_notice(yard: Yard) -> None:
    """Nothing of that id is here, nor will be."""
    await yard.come(hop(yard, [yard.ids.uuid7() for _ in range(COPIES)]))


async def alert_named_twice(yard: Yard) -> None:
    """Two messages about one notice lie here: the first claims the alert, the second finds it in flight."""
    notices = await rendered(yard, COPIES // 2)
    with yard.fault(notices):
        await yard.come(hop(yard, notices), hop(yard, notices))
        await yard.exhaust()


async def message_that_is_no_list_of_notices(yard: Yard) -> None:
    """Malformed, as no version of ours would send it."""
    bodies = [b'{"specversion":"1.0","id":"%d","source":"duly","type":"%s","data":{"notices":[]}}'
              % (number, RENDERED.encode()) for number in range(4)]  # fmt: skip
    await yard.come(*(raw(body, RENDERED) for body in bodies), raw(b"\xff", RENDERED), raw(b"[]", RENDERED))


STORIES = (
    alert_killed_by_a_fault_since_mended, alert_whose_fault_is_still_there, alert_sent_since_by_the_rescue,
    alert_being_sent_elsewhere, alert_whose_message_came_again, alert_of_a_notice_refused_since,
    alert_of_a_notice_withdrawn_since, alert_to_an_address_suppressed_since, alert_twice_taken_without_an_answer,
    alert_whose_senders_died, alert_that_was_put_off, alert_of_a_notice_that_ended, alert_of_an_unknown_notice,
    alert_named_twice, message_that_is_no_list_of_notices,
)  # fmt: skip
