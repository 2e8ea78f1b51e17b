"""Editing a message and replaying it: one person proposes, another approves. What the law rests on is locked.

Locked is everything but what the catalogue names as mendable (`schemas.catalogue.Entry.mendable`). Of a message that
could not be read, whatever can be compared is; what the transport says (type, source) is locked, and who approves sees
both messages whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from services.kernel.ports import Ids
from services.kernel.runtime.dead_letters.port import DeadLetterDesk
from services.kernel.runtime.dead_letters.records import Edit, Run
from services.kernel.runtime.desk import Word


@dataclass(frozen=True, slots=True)
class Changed:
    """One path whose value differs ("data.values.amount"), as JSON text; None where it is not there."""

    path: str
    before: str | None
    after: str | None
    locked: bool


def diff(before: bytes, after: bytes, kind: str) -> tuple[Changed, ...]:
    """What differs between two bodies of this message type, by path; nothing where one of them is no JSON object."""
    raise NotImplementedError


async def propose(
    desk: DeadLetterDesk, ids: Ids, failed_id: UUID, body: bytes, said: Word, *, raw: bool = False
) -> Edit:
    """Propose another body for a dead letter, checked as its worker will check it.

    `raw`: of a message that could not be read, the body need not be readable either.

    Raises:
        Fault: there is no such dead letter or it is not dead; another proposal is open; the body would fail again, is
            the same, or changes what is locked (each named).
    """
    raise NotImplementedError


async def approve(desk: DeadLetterDesk, ids: Ids, edit_id: UUID, said: Word) -> Run:
    """Put the proposed body in the place of the message, and replay it: a run of one.

    Raises:
        Fault: the proposal is not open, is overtaken (then it is closed), or `said.by` proposed it.
    """
    raise NotImplementedError


async def reject(desk: DeadLetterDesk, ids: Ids, edit_id: UUID, said: Word) -> Edit:
    """Close a proposal; the message stays as it is.

    Raises:
        Fault: the proposal is not open.
    """
    raise NotImplementedError
