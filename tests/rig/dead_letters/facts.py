"""Dead letters of `intake` and of `responses`: what upstream said about notices.

Undecodable evidence holds up its source's sanctions, so what stays undecodable here comes from `caseworking` and
`registry`; the sanctions that fire are about notices of `fees`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from schemas.messages.hops import ResponseReceivedV1
from schemas.messages.requests import MarkSentV1
from services.kernel.domain.notice import State
from services.kernel.ports import Delivery
from services.kernel.runtime.decision import announce
from tests.rig.dead_letters.yard import COPIES, Yard, raw, withdrawn
from tests.rig.system import paid, responded

SATISFIED = "obligation.satisfied.v1"


def other_fact(ref: str, source: str = "registry") -> dict[str, Any]:
    return {"type": SATISFIED, "source": source, "data": {"source_ref": ref, "kind": "other_fact"}}


def objected(ref: str) -> dict[str, Any]:
    data = {"source_ref": ref, "reason": "paid at the counter", "objected_by": "R. Bevan"}
    return {"type": "sanction.objected.v1", "source": "fees", "data": data}


# --- intake: at the evidence door a failure is final at once, so that no mark overtakes it


async def fact_killed_by_a_fault_since_mended(yard: Yard) -> None:
    """Of each type; a replay stores it, and clears what was kept as undecodable."""
    made = (paid, lambda ref: responded(ref, "question", "fees"), withdrawn, objected)
    for make in made:
        await yard.die_of_a_fault(*(yard.event(make(ref)) for ref in yard.refs(4)))


async def fact_whose_fault_is_still_there(yard: Yard) -> None:
    """Poison at the evidence door."""
    await yard.die_of_a_fault(*(yard.event(other_fact(ref)) for ref in yard.refs()), lasting=True)


async def fact_that_came_again_and_was_stored(yard: Yard) -> None:
    """The very same event, once more: its processed key is there."""
    events = [yard.event(paid(ref)) for ref in yard.refs()]
    await yard.die_of_a_fault(*events)
    await yard.come(*events)


async def fact_known_by_another_door(yard: Yard) -> None:
    """Its event was stored from HTTP meanwhile, without a processed key."""
    events = [yard.event(paid(ref)) for ref in yard.refs()]
    await yard.die_of_a_fault(*events)
    for each in events:
        told = json.loads(each.body)
        await yard.value(
            "INSERT INTO raw_evidence (evidence_id, door, source, event_id, type, received_at, content_type, headers,"
            " body, source_ref, state) VALUES ($1, 'http', 'fees', $2, $3, legal_now(), 'application/json', '{}', $4,"
            " $5, 'waiting') RETURNING 1",
            yard.ids.uuid7(), told["id"], told["type"], each.body, told["data"]["source_ref"],
        )  # fmt: skip


async def fact_of_a_stranger(yard: Yard) -> None:
    """The broker's user does not speak for the source."""
    await yard.die_of_a_fault(*(yard.event(paid(ref), user="caseworking") for ref in yard.refs()))


async def fact_of_an_unknown_source(yard: Yard) -> None:
    """Nobody of that name is known here."""
    await yard.die_of_a_fault(*(yard.event(other_fact(ref, "nobody")) for ref in yard.refs(4)))


async def fact_that_is_no_json(yard: Yard) -> None:
    """From a publisher that names itself in its headers."""
    headers = {"ce-source": "caseworking"}
    await yard.come(*(raw(b"{broken %d" % number, SATISFIED, headers) for number in range(COPIES)))


async def fact_of_nobody_that_is_no_json(yard: Yard) -> None:
    """It names no source, and holds up all of them until a person clears it."""
    await yard.come(*(raw(b"\xff\xfe%d" % number, SATISFIED) for number in range(COPIES // 2)))


async def fact_that_names_no_notice(yard: Yard) -> None:
    """Well formed, but for the one thing that counts."""
    nothing = {"type": SATISFIED, "source": "caseworking", "data": {"kind": "payment"}}
    await yard.come(*(yard.event(nothing) for _ in range(COPIES)))


async def fact_larger_than_may_be(yard: Yard) -> None:
    """Over 64 KiB."""
    large = {"type": "withdrawal.requested.v1", "source": "caseworking",
             "data": {"source_ref": "x", "reason": "r" * 70_000, "requested_by": "R. Bevan"}}  # fmt: skip
    await yard.come(*(yard.event(large) for _ in range(COPIES // 2)))


async def request_at_the_evidence_door(yard: Yard) -> None:
    """A type for another worker."""
    asked = {"specversion": "1.0", "type": "notice.requested.v1", "source": "caseworking", "data": {}}
    bodies = (json.dumps({**asked, "id": yard.event_id()}).encode() for _ in range(COPIES // 2))
    await yard.come(*(raw(body, SATISFIED) for body in bodies))


async def mark_killed_by_a_fault_since_mended(yard: Yard) -> None:
    """A timed mark of ours, and one that somebody else sent, which proves nothing."""
    at = await yard.value("SELECT legal_now()")
    ours = [
        raw(announce("mark.sent.v1", MarkSentV1(mark_id=yard.ids.uuid7(), sent_at=at), event_id=yard.event_id()).body,
            "mark.sent.v1") for _ in range(COPIES // 2)
    ]  # fmt: skip
    data = {"mark_id": str(yard.ids.uuid7()), "sent_at": at.isoformat()}
    theirs = [yard.event({"type": "mark.sent.v1", "source": "registry", "data": data}) for _ in range(COPIES // 2)]
    await yard.die_of_a_fault(*ours, *theirs)


# --- responses: one piece of stored evidence at a time


async def dead_facts(yard: Yard, events: Iterable[Delivery], *, lasting: bool = False) -> list[UUID]:
    """Let a fault kill the work on stored facts; the ids of their evidence."""
    message = await yard.stored(*events)
    ids = [UUID(each) for each in json.loads(message.body)["data"]["evidence"]]
    with yard.fault(ids, lasting=lasting):
        await yard.come(message)
        await yard.exhaust()
    return ids


async def refs_of(yard: Yard, state: State, number: int = COPIES, **properties: Any) -> list[str]:
    """The references of notices in a state."""
    notices = await yard.notices(state, number, **properties)
    return await yard.column("SELECT source_ref FROM notice WHERE notice_id = ANY($1) ORDER BY 1", notices)


async def payment_killed_by_a_fault_since_mended(yard: Yard) -> None:
    """In time: a replay satisfies the notice."""
    await dead_facts(yard, [yard.event(paid(ref)) for ref in await refs_of(yard, State.SERVED, 2 * COPIES)])


async def payment_whose_fault_is_still_there(yard: Yard) -> None:
    """Poison."""
    events = [yard.event(paid(ref)) for ref in await refs_of(yard, State.SERVED)]
    await dead_facts(yard, events, lasting=True)


async def dispute_killed_by_a_fault_since_mended(yard: Yard) -> None:
    """A replay places a hold."""
    await dead_facts(yard, [yard.event(responded(ref, "dispute", "fees")) for ref in await refs_of(yard, State.SERVED)])


async def payment_that_came_late(yard: Yard) -> None:
    """After the deadline and before the sanction: a hold."""
    await dead_facts(yard, [yard.event(paid(ref)) for ref in await refs_of(yard, State.LAPSED)])


async def payment_in_time_known_after_the_sanction(yard: Yard) -> None:
    """The source vouches for an earlier instant: a replay demands a reversal."""
    refs = await refs_of(yard, State.SANCTIONED)
    at = (await yard.value("SELECT legal_now() - interval '30 days'")).isoformat()
    await dead_facts(yard, [yard.event(paid(ref, received_at=at)) for ref in refs])


async def payment_after_the_sanction(yard: Yard) -> None:
    """Too late: it is recorded, and upstream is told."""
    await dead_facts(yard, [yard.event(paid(ref)) for ref in await refs_of(yard, State.SANCTIONED)])


async def objection_killed_by_a_fault_since_mended(yard: Yard) -> None:
    """A replay places the hold that stops the sanction."""
    await dead_facts(yard, [yard.event(objected(ref)) for ref in await refs_of(yard, State.LAPSED)])


async def withdrawal_killed_by_a_fault_since_mended(yard: Yard) -> None:
    """A replay takes the notice back."""
    await dead_facts(yard, [yard.event(withdrawn(ref)) for ref in await refs_of(yard, State.SERVED)])


async def payment_before_service(yard: Yard) -> None:
    """The notice is not served yet: parked, to be looked at again."""
    await dead_facts(yard, [yard.event(paid(ref)) for ref in await refs_of(yard, State.RENDERED, 4)])


async def payment_of_an_unknown_notice(yard: Yard) -> None:
    """Its patience is over when the legal clock has gone on: refused."""
    await dead_facts(yard, [yard.event(paid(ref)) for ref in yard.refs()])


async def payment_of_a_notice_unknown_and_young(yard: Yard) -> None:
    """It came a moment before it is replayed: parked, as the request may still come."""
    yard.later.append(lambda: yard.tell(_young))


async def _young(yard: Yard) -> None:
    await dead_facts(yard, [yard.event(paid(ref)) for ref in yard.refs(4)])


async def payment_looked_at_again_and_settled(yard: Yard) -> None:
    """`relay` handed the evidence out in another message, and it was worked on."""
    ids = await dead_facts(yard, [yard.event(paid(ref)) for ref in await refs_of(yard, State.SERVED)])
    await yard.come(yard.hop("response.received.v1", ResponseReceivedV1(evidence=tuple(ids))))


async def payment_cleared_by_a_person(yard: Yard) -> None:
    """Somebody said that the evidence needs no more looking at."""
    ids = await dead_facts(yard, [yard.event(paid(ref)) for ref in await refs_of(yard, State.SERVED)])
    await yard.clear(*ids)


async def payment_of_a_notice_withdrawn_since(yard: Yard) -> None:
    """Nothing is left to satisfy: it is recorded only."""
    refs = await refs_of(yard, State.SERVED)
    await dead_facts(yard, [yard.event(paid(ref)) for ref in refs])
    await yard.said(*(yard.event(withdrawn(ref)) for ref in refs))


async def payment_paid_twice(yard: Yard) -> None:
    """Two events of one payment lie here: the first satisfies, the second is recorded."""
    refs = await refs_of(yard, State.SERVED, COPIES // 2)
    await dead_facts(yard, [yard.event(paid(ref)) for ref in refs for _ in range(2)])


async def fact_about_evidence_that_is_gone(yard: Yard) -> None:
    """A message that names evidence which is not here: nothing can follow."""
    ids = [yard.ids.uuid7() for _ in range(4)]
    with yard.fault(ids):
        await yard.come(yard.hop("response.received.v1", ResponseReceivedV1(evidence=tuple(ids))))
        await yard.exhaust()


async def message_that_names_no_evidence(yard: Yard) -> None:
    """Malformed."""
    body = b'{"specversion":"1.0","id":"%d","source":"duly","type":"response.received.v1","data":{}}'
    await yard.come(*(raw(body % number, "response.received.v1") for number in range(4)))


STORIES = (
    fact_killed_by_a_fault_since_mended, fact_whose_fault_is_still_there, fact_that_came_again_and_was_stored,
    fact_known_by_another_door, fact_of_a_stranger, fact_of_an_unknown_source, fact_that_is_no_json,
    fact_of_nobody_that_is_no_json, fact_that_names_no_notice, fact_larger_than_may_be, request_at_the_evidence_door,
    mark_killed_by_a_fault_since_mended, payment_killed_by_a_fault_since_mended, payment_whose_fault_is_still_there,
    dispute_killed_by_a_fault_since_mended, payment_that_came_late, payment_in_time_known_after_the_sanction,
    payment_after_the_sanction, objection_killed_by_a_fault_since_mended, withdrawal_killed_by_a_fault_since_mended,
    payment_before_service, payment_of_an_unknown_notice, payment_of_a_notice_unknown_and_young,
    payment_looked_at_again_and_settled, payment_cleared_by_a_person, payment_of_a_notice_withdrawn_since,
    payment_paid_twice, fact_about_evidence_that_is_gone, message_that_names_no_evidence,
)  # fmt: skip
