"""What a handler answers for one item: an outcome, and the changes that go with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from pydantic_core import to_json

from schemas.cloudevents import Envelope
from schemas.messages.fields import Message
from services.kernel.domain.changes import Announced, Change
from services.kernel.domain.outcome import DeadLetter, Done, Outcome, Refused, Retry
from services.kernel.ledger import Ledger, Transaction
from services.kernel.runtime.items import Item

SOURCE = "duly"
"""The CloudEvents source of all that Duly says."""


@dataclass(frozen=True, slots=True)
class Decision:
    """One item's outcome and changes. `notice_id` and `evidence_id` tie a failure to what it stands for.

    `strangers`: it came from one who does not speak for the source that it names. No processed key is written, as that
    source's own event may bear the same id.
    """

    outcome: Outcome
    changes: tuple[Change, ...] = field(default=())
    notice_id: UUID | None = None
    evidence_id: UUID | None = None
    strangers: bool = False


def done(*changes: Change) -> Decision:
    """The work is done when these changes are committed."""
    return Decision(Done(), changes)


def refused(reason: str, *changes: Change, strangers: bool = False, late: bool = False) -> Decision:
    """The item is refused; `changes` tell whoever sent it. `strangers`: see `Decision`; `late`: see `Refused`."""
    return Decision(Refused(reason, late), changes, strangers=strangers)


def later(reason: str, after: float | None = None) -> Decision:
    """Not now."""
    return Decision(Retry(reason, after))


def dead(reason: str, *changes: Change) -> Decision:
    """A person must look."""
    return Decision(DeadLetter(reason), changes)


class NotNow(Exception):
    """A handler's work must wait as a whole; what was taken goes back to the queue, and the worker pauses."""

    public = True


class Handler(Protocol):
    """One worker's work: facts are read through the transaction, every decision is a pure function over them."""

    consumer: str
    """The worker's name: its queue is `duly.<consumer>`."""

    batch: int
    """The most items in one transaction."""

    async def may_begin(self, ledger: Ledger) -> str | None:
        """Why the worker must not take anything now, or None."""

    async def decide(self, tx: Transaction, items: Sequence[Item]) -> Sequence[Decision]:
        """One decision an item, in order; nothing is written here."""

    async def malformed(self, tx: Transaction, item: Item) -> Decision:
        """What becomes of an item that cannot be worked with."""

    async def broken(self, tx: Transaction, item: Item, reason: str) -> Decision:
        """What becomes of an item whose work raised, alone in its transaction."""

    async def committed(self, decisions: Sequence[Decision]) -> None:
        """What follows a commit outside the database."""


class Quiet:
    """The ordinary answers: begin at any time, a malformed item is a dead letter, a broken one is tried again."""

    async def may_begin(self, ledger: Ledger) -> str | None:
        """At any time."""

    async def malformed(self, tx: Transaction, item: Item) -> Decision:  # noqa: ARG002 -- others look things up
        """A dead letter with every fault."""
        return dead("; ".join(item.faults))

    async def broken(self, tx: Transaction, item: Item, reason: str) -> Decision:  # noqa: ARG002 -- others look
        """Again, by the schedule of its type."""
        return later(reason)

    async def committed(self, decisions: Sequence[Decision]) -> None:
        """Nothing."""


def announce(
    kind: str, message: Message, *, event_id: str, notice_id: UUID | None = None, sequence: int | None = None,
    cause: Envelope | None = None, trial: bool = False, to: str | None = None, traceparent: str | None = None,
) -> Announced:  # fmt: skip
    """An event for the outbox: `event_id` is the same however often it is told, `sequence` its number of its notice.

    `to` is the upstream that it is for; None for what workers tell each other. `traceparent` is the trace of the notice
    that it is about; without one, that of its cause.
    """
    attributes = {
        "specversion": "1.0",
        "id": event_id,
        "source": SOURCE,
        "type": kind,
        "subject": None if notice_id is None else str(notice_id),
        "datacontenttype": "application/json",
        "sequence": None if sequence is None else str(sequence),
        "traceparent": traceparent or (cause.traceparent if cause else None),
        "trial": trial,
    }
    present = {name: value for name, value in attributes.items() if value is not None}
    return Announced(notice_id, kind, to_json({**present, "data": message}), to)
