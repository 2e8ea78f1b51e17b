"""Dead letters of `sanctions`: deadlines that passed, and gates to look at again."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from schemas.messages.hops import DeadlinePassedV1, PassedDeadline
from services.kernel.domain.holds import HoldKind
from services.kernel.domain.notice import State
from services.kernel.ports import Delivery
from services.kernel.runtime.desk import Word, place_hold
from tests.rig.dead_letters.yard import COPIES, Yard, raw, withdrawn

PASSED = "deadline.passed.v1"


def hop(yard: Yard, notices: Sequence[UUID], version: int = 1) -> Delivery:
    """One message about many deadlines."""
    passed = tuple(PassedDeadline(notice_id=notice_id, version=version) for notice_id in notices)
    return yard.hop(PASSED, DeadlinePassedV1(deadlines=passed))


async def dead_gates(yard: Yard, notices: Sequence[UUID], *, version: int = 1, lasting: bool = False) -> Delivery:
    """Let a fault kill the gate's look at these."""
    message = hop(yard, notices, version)
    with yard.fault(notices, lasting=lasting):
        await yard.come(message)
        await yard.exhaust()
    return message


async def lapsed(yard: Yard, number: int = COPIES, **properties: str) -> list[UUID]:
    """Notices that have just lapsed, as `deadlines` leaves them: nothing is proposed."""
    notices = await yard.notices(State.SERVED, number, days_ago=40, **properties)
    await yard.lapse()
    return notices


async def gate_killed_before_the_proposal(yard: Yard) -> None:
    """A replay proposes the sanction, and hears objections from then on."""
    await dead_gates(yard, await lapsed(yard, 2 * COPIES))


async def gate_whose_fault_is_still_there(yard: Yard) -> None:
    """Poison."""
    await dead_gates(yard, await lapsed(yard), lasting=True)


async def gate_killed_before_it_fires(yard: Yard) -> None:
    """The objection window is over and nothing stands against it: a replay fires the sanction."""
    await dead_gates(yard, await yard.notices(State.LAPSED))


async def gate_that_finds_a_hold(yard: Yard) -> None:
    """A person placed one meanwhile: a replay waits."""
    notices = await yard.notices(State.LAPSED)
    await dead_gates(yard, notices)
    async with yard.desk() as desk:
        for notice_id in notices:
            await place_hold(desk, yard.ids, notice_id, HoldKind.MANUAL, Word("Alice Green", "time to pay"))


async def gate_whose_source_is_blocked(yard: Yard) -> None:
    """Undecodable evidence of its source waits for a person: a replay waits."""
    await dead_gates(yard, await yard.notices(State.LAPSED, source="caseworking"))


async def gate_of_a_notice_withdrawn_since(yard: Yard) -> None:
    """Nothing ever follows: the proposal is dropped already."""
    notices = await yard.notices(State.LAPSED)
    await dead_gates(yard, notices)
    refs = await yard.column("SELECT source_ref FROM notice WHERE notice_id = ANY($1)", notices)
    await yard.said(*(yard.event(withdrawn(ref)) for ref in refs))


async def gate_of_a_notice_sanctioned_already(yard: Yard) -> None:
    """Another message was worked on, and the sanction fired."""
    await dead_gates(yard, await yard.notices(State.SANCTIONED))


async def gate_of_a_notice_unserved_since(yard: Yard) -> None:
    """Its deadline is void."""
    await dead_gates(yard, await yard.notices(State.UNSERVED))


async def gate_of_an_old_deadline(yard: Yard) -> None:
    """The version is none of the current: a stale timer does nothing."""
    await dead_gates(yard, await yard.notices(State.LAPSED), version=7)


async def gate_of_a_notice_from_which_nothing_follows(yard: Yard) -> None:
    """A fee that is due leads to nothing by itself: a replay closes it."""
    await dead_gates(yard, await lapsed(yard, notice_type="fee-due"))


async def gate_that_was_looked_at_again(yard: Yard) -> None:
    """The very same message, once more: its processed key is there."""
    notices = await yard.notices(State.LAPSED)
    message = await dead_gates(yard, notices)
    await yard.come(message)


async def gate_in_a_sanctioned_matter(yard: Yard) -> None:
    """Another notice of the matter was sanctioned: blocked for good, and closed."""
    for number in range(4):
        await yard.notices(State.SANCTIONED, 1, matter=f"matter-{number}")
        await dead_gates(yard, await yard.notices(State.LAPSED, 1, matter=f"matter-{number}"))


async def gate_of_an_unknown_notice(yard: Yard) -> None:
    """Nothing of that id is here."""
    await yard.come(hop(yard, [yard.ids.uuid7() for _ in range(COPIES)]))


async def gates_of_one_notice_named_twice(yard: Yard) -> None:
    """Two messages lie here: the first proposes, the second finds the window open."""
    notices = await lapsed(yard, COPIES // 2)
    with yard.fault(notices):
        await yard.come(hop(yard, notices), hop(yard, notices))
        await yard.exhaust()


async def message_about_a_deadline_that_is_malformed(yard: Yard) -> None:
    """Version nought."""
    body = b'{"specversion":"1.0","id":"%d","source":"duly","type":"deadline.passed.v1","data":{"deadlines":[{}]}}'
    await yard.come(*(raw(body % number, PASSED) for number in range(4)))


STORIES = (
    gate_killed_before_the_proposal, gate_whose_fault_is_still_there, gate_killed_before_it_fires,
    gate_that_finds_a_hold, gate_whose_source_is_blocked, gate_of_a_notice_withdrawn_since,
    gate_of_a_notice_sanctioned_already, gate_of_a_notice_unserved_since, gate_of_an_old_deadline,
    gate_of_a_notice_from_which_nothing_follows, gate_that_was_looked_at_again, gate_in_a_sanctioned_matter,
    gate_of_an_unknown_notice, gates_of_one_notice_named_twice, message_about_a_deadline_that_is_malformed,
)  # fmt: skip
