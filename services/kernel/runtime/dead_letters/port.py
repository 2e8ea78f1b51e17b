"""What dead letters are kept in: the port that `adapters/postgres/desk.py` implements."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol
from uuid import UUID

from services.kernel.domain.verdict import Verdict
from services.kernel.runtime.dead_letters.choice import By, Chosen
from services.kernel.runtime.dead_letters.records import (
    After,
    DeadLetter,
    Edit,
    Ended,
    Group,
    Kind,
    Run,
    RunItem,
    Whole,
)
from services.kernel.runtime.desk import Word


class DeadLetterFacts(Protocol):
    """What a transaction about dead letters writes. `act_id` seeds the ids of the actions that are kept."""

    async def dead_act(self, action: str, chosen: Chosen, act_id: UUID, said: Word) -> int:
        """Do one of discard, restore, hurry, stop with all that are chosen, and keep who and why; how many it met."""

    async def dead_note(self, failed_id: UUID, act_id: UUID, said: Word) -> bool:
        """Keep a note; False if there is no such item."""

    async def run_begin(
        self, run_id: UUID, kind: Kind, chosen: Chosen, said: Word, steps: Sequence[int], per_second: float | None
    ) -> int:
        """Begin a run over all that are chosen, oldest first, but what is in another open replay; how many they are."""

    async def run_locked(self, run_id: UUID) -> Run | None:
        """A run, locked."""

    async def run_change(self, run_id: UUID, state: str, said: Word) -> None:
        """Stop, resume (from a batch of one) or cancel a run; what a cancelled run has not handed out ends."""

    async def dead_locked(self, failed_id: UUID) -> Whole | None:
        """A dead letter, locked."""

    async def edit_locked(self, edit_id: UUID) -> tuple[Edit, bool] | None:
        """A proposal, it and its dead letter locked, and whether the dead letter is as it was when it was made."""

    async def edit_propose(self, edit: Edit, headers: dict[str, str], act_id: UUID) -> bool:
        """Keep a proposal; False if another one is open."""

    async def edit_decide(self, edit: Edit, state: str, act_id: UUID, said: Word) -> None:
        """Decide about a proposal: `approved` puts its body in the place of the message."""


class DeadLetterReads(Protocol):
    """What is shown of them."""

    async def letters(self, chosen: Chosen, most: int, after: After | None = None) -> list[DeadLetter]:
        """The chosen, oldest first, `most` at most, after a place in the list."""

    async def letter_count(self, chosen: Chosen) -> int:
        """How many are chosen."""

    async def letter_groups(self, chosen: Chosen, by: By, most: int = 200) -> list[Group]:
        """The chosen by what they have in common: the gravest impact first, then the largest."""

    async def letter_whole(self, failed_id: UUID) -> Whole | None:
        """Everything about one of them."""

    async def runs(self, *, open_only: bool = False, most: int = 50) -> list[Run]:
        """Runs, newest first."""

    async def run(self, run_id: UUID) -> Run | None:
        """One run, counted."""

    async def run_items(
        self, run_id: UUID, most: int, *, outcome: Verdict | Ended | None = None, after: int = 0
    ) -> list[RunItem]:
        """The items of a run in their order, after a position, of one outcome or all."""

    async def edits(self, *, failed_id: UUID | None = None, open_only: bool = True, most: int = 100) -> list[Edit]:
        """Proposals, oldest first."""

    async def edit(self, edit_id: UUID) -> Edit | None:
        """One proposal."""


class DeadLetterDesk(DeadLetterReads, Protocol):
    """Reads, and where transactions come from."""

    def begin(self) -> AbstractAsyncContextManager[DeadLetterFacts]:
        """A transaction: committed when the block ends, rolled back when it raises."""
