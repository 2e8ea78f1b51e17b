"""Dead letters of `bounces`: what mail systems reported about alerts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from schemas.messages.hops import BounceReceivedV1
from services.kernel.adapters.mail.reports import delay_report, failure_report
from services.kernel.domain.notice import State
from services.kernel.domain.verp import envelope_sender, token
from services.kernel.ports import Delivery
from services.kernel.runtime.mail_door import evidence_of_mail
from tests.faults.builder import BOUNCE_DOMAIN, KEYRING
from tests.rig.dead_letters.yard import COPIES, Yard, raw, withdrawn

RECEIVED = "bounce.received.v1"
ALERT = b"Subject: A notice is waiting\r\n\r\n"


async def sent(yard: Yard, state: State, number: int = COPIES) -> list[tuple[str, str]]:
    """Notices whose alert was sent, as pairs: the alert's envelope sender and its recipient."""
    notices = await yard.notices(state, number)
    rows = await yard.ledger.pool.fetch(
        "SELECT attempt_id, address FROM attempt WHERE notice_id = ANY($1) ORDER BY address", notices
    )
    return [(envelope_sender(token(row["attempt_id"], KEYRING), BOUNCE_DOMAIN), row["address"]) for row in rows]


def failed(sender: str, recipient: str) -> bytes:
    """A final report."""
    return failure_report(
        ALERT, recipient=recipient, envelope_sender=sender, reporting_mta="mx.business.example", status="5.1.1",
        diagnostic="550 5.1.1 no such user", date=datetime.now(UTC), report_id=f"report-of-{recipient}",
    )  # fmt: skip


def delayed(sender: str, recipient: str) -> bytes:
    """A report that the mail system still tries."""
    now = datetime.now(UTC)
    return delay_report(
        ALERT, recipient=recipient, envelope_sender=sender, reporting_mta="mx.business.example", status="4.4.1",
        diagnostic="451 4.4.1 no answer", date=now, report_id=f"delay-of-{recipient}", retry_until=now + timedelta(1),
    )  # fmt: skip


async def kept(yard: Yard, mails: Sequence[tuple[bytes, str]]) -> tuple[list[UUID], Delivery]:
    """Store mails as their door does; their ids, and the message that tells `bounces` of them."""
    rows = [
        evidence_of_mail(mail, to, door="mail", keyring=KEYRING, bounce_domain=BOUNCE_DOMAIN, ids=yard.ids)
        for mail, to in mails
    ]
    async with yard.ledger.begin() as tx:
        await tx.store(rows)
    ids = [row.evidence_id for row in rows]
    return ids, yard.hop(RECEIVED, BounceReceivedV1(evidence=tuple(ids)))


async def dead_reports(yard: Yard, mails: Sequence[tuple[bytes, str]], *, lasting: bool = False) -> list[UUID]:
    """Let a fault kill the work on reports that are stored."""
    ids, message = await kept(yard, mails)
    with yard.fault(ids, lasting=lasting):
        await yard.come(message)
        await yard.exhaust()
    return ids


async def bounce_that_would_unserve(yard: Yard) -> None:
    """Final, by our token, for our address: a replay makes the notice unserved."""
    await dead_reports(yard, [(failed(*each), each[0]) for each in await sent(yard, State.SERVED, 2 * COPIES)])


async def bounce_whose_fault_is_still_there(yard: Yard) -> None:
    """Poison."""
    await dead_reports(yard, [(failed(*each), each[0]) for each in await sent(yard, State.SERVED)], lasting=True)


async def bounce_that_would_demand_a_reversal(yard: Yard) -> None:
    """After the sanction: exactly one reversal."""
    await dead_reports(yard, [(failed(*each), each[0]) for each in await sent(yard, State.SANCTIONED)])


async def bounce_of_another_address_behind_our_token(yard: Yard) -> None:
    """Unclear: a replay places a hold."""
    pairs = await sent(yard, State.SERVED)
    await dead_reports(yard, [(failed(sender, "someone@elsewhere.example"), sender) for sender, _ in pairs])


async def bounce_of_a_notice_that_lapsed(yard: Yard) -> None:
    """Its proposed sanction is dropped with it."""
    await dead_reports(yard, [(failed(*each), each[0]) for each in await sent(yard, State.LAPSED)])


async def bounce_of_a_notice_withdrawn_since(yard: Yard) -> None:
    """Nothing is left to unserve: it is recorded only."""
    pairs = await sent(yard, State.SERVED)
    await dead_reports(yard, [(failed(*each), each[0]) for each in pairs])
    query = "SELECT source_ref FROM notice WHERE address = ANY($1)"
    refs = await yard.column(query, [recipient for _, recipient in pairs])
    await yard.said(*(yard.event(withdrawn(ref)) for ref in refs))


async def bounce_of_a_notice_unserved_already(yard: Yard) -> None:
    """Another report of the same mail was worked on."""
    pairs = await sent(yard, State.SERVED)
    await dead_reports(yard, [(failed(*each), each[0]) for each in pairs])
    _, message = await kept(yard, [(failed(*each), each[0]) for each in pairs])
    await yard.come(message)


async def two_bounces_of_one_mail(yard: Yard) -> None:
    """Both lie here: the first unserves, the second is recorded."""
    pairs = await sent(yard, State.SERVED, COPIES // 2)
    await dead_reports(yard, [(failed(*each), each[0]) for each in pairs for _ in range(2)])


async def delay_killed_by_a_fault_since_mended(yard: Yard) -> None:
    """A delay is not a failure: recorded, nothing else."""
    await dead_reports(yard, [(delayed(*each), each[0]) for each in await sent(yard, State.SERVED)])


async def bounce_of_a_mail_that_nobody_knows(yard: Yard) -> None:
    """Final, and about none of ours: parked."""
    mails = [(failed("bounces@elsewhere.example", f"{ref}@nowhere.example"), "postmaster@authority.example")
             for ref in yard.refs()]  # fmt: skip
    await dead_reports(yard, mails)


async def bounce_settled_by_another_message(yard: Yard) -> None:
    """`relay` handed the evidence out again, and it was worked on."""
    ids = await dead_reports(yard, [(failed(*each), each[0]) for each in await sent(yard, State.SERVED)])
    await yard.come(yard.hop(RECEIVED, BounceReceivedV1(evidence=tuple(ids))))


async def bounce_cleared_by_a_person(yard: Yard) -> None:
    """Somebody looked at it, and said that nothing follows."""
    ids = await dead_reports(yard, [(failed(*each), each[0]) for each in await sent(yard, State.SERVED)])
    await yard.clear(*ids)


async def mail_without_any_sense(yard: Yard) -> None:
    """No report at all."""
    mails = [(b"\xff\xfe garbage %d" % number, "postmaster@authority.example") for number in range(COPIES // 2)]
    await dead_reports(yard, mails)


async def message_about_a_bounce_that_is_malformed(yard: Yard) -> None:
    """It names what is no id."""
    body = b'{"specversion":"1.0","id":"%d","source":"duly","type":"bounce.received.v1","data":{"evidence":["x"]}}'
    await yard.come(*(raw(body % number, RECEIVED) for number in range(4)))


STORIES = (
    bounce_that_would_unserve, bounce_whose_fault_is_still_there, bounce_that_would_demand_a_reversal,
    bounce_of_another_address_behind_our_token, bounce_of_a_notice_that_lapsed, bounce_of_a_notice_withdrawn_since,
    bounce_of_a_notice_unserved_already, two_bounces_of_one_mail, delay_killed_by_a_fault_since_mended,
    bounce_of_a_mail_that_nobody_knows, bounce_settled_by_another_message, bounce_cleared_by_a_person,
    mail_without_any_sense, message_about_a_bounce_that_is_malformed,
)  # fmt: skip
