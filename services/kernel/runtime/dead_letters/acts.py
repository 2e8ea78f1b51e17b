"""What a person does with dead letters and with retries that wait. Each meets only what it fits, and says how many."""

from __future__ import annotations

from uuid import UUID

from services.kernel.ports import Ids
from services.kernel.runtime.dead_letters.choice import Chosen
from services.kernel.runtime.dead_letters.port import DeadLetterDesk
from services.kernel.runtime.desk import Word, refusal


async def discard(desk: DeadLetterDesk, ids: Ids, chosen: Chosen, said: Word) -> int:
    """Give up what is dead or waits for a retry. It is kept; evidence that it carries goes on holding sanctions."""
    return await _act(desk, ids, "discard", chosen.within("dead", "retry"), said)


async def restore(desk: DeadLetterDesk, ids: Ids, chosen: Chosen, said: Word) -> int:
    """Make what was discarded dead again: it waits for a person."""
    return await _act(desk, ids, "restore", chosen.within("discarded"), said)


async def hurry(desk: DeadLetterDesk, ids: Ids, chosen: Chosen, said: Word) -> int:
    """Make retries that wait due at once; the attempts before them count on."""
    return await _act(desk, ids, "hurry", chosen.within("retry"), said)


async def stop(desk: DeadLetterDesk, ids: Ids, chosen: Chosen, said: Word) -> int:
    """Let retries that wait be tried no more: they are dead, and wait for a person."""
    return await _act(desk, ids, "stop", chosen.within("retry"), said)


async def note(desk: DeadLetterDesk, ids: Ids, failed_id: UUID, said: Word) -> None:
    """Note something (`said.reason`) with a dead letter; it stays for ever.

    Raises:
        Fault: there is no such dead letter.
    """
    async with desk.begin() as tx:
        if not await tx.dead_note(failed_id, ids.uuid7(), said):
            raise refusal(f"there is no dead letter {failed_id}", "duly dead-letters list shows them")


async def _act(desk: DeadLetterDesk, ids: Ids, action: str, chosen: Chosen, said: Word) -> int:
    async with desk.begin() as tx:
        return await tx.dead_act(action, chosen, ids.uuid7(), said)
