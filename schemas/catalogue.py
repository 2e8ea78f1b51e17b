"""The traffic, in one table: every message type, its class, who sends it, who takes it, and how it is retried.

Broker topology, queue names, AsyncAPI and JSON Schemas all derive from here. Dispatch is on the type; routing keys are
types too, so that whoever may bind a queue can choose with `notice.#` or `sanction.#`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from schemas.messages import hops, outcomes, requests
from schemas.messages.fields import Message

EXCHANGE = "duly"
DEAD_LETTER_EXCHANGE = "duly.dead"
CASUALTIES = "duly.casualties"
"""Where the broker puts a message that killed its worker again and again; `relay` collects it."""

DELIVERY_LIMIT = 20

KIB = 1024
QUICK = (1, 5, 30, 120, 600, 3600)
PATIENT = (5, 30, 120, 600, 3600, 4 * 3600, 12 * 3600, 24 * 3600, 24 * 3600)
"""Seconds between attempts of an item that failed unexpectedly; after the last it is dead. PATIENT: where
a neighbour outside may be away over a weekend."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One message type. `queue` is None where Duly only publishes; `most_bytes` bounds the whole message.

    `mendable` names the fields of the data (with all that is in them) that a person may correct in a dead letter, when
    a second one approves: where and in which words something is said, never what the law rests on.
    """

    model: type[Message]
    type: str
    producer: str
    consumer: str | None
    summary: str
    most_bytes: int = 64 * KIB
    retries: tuple[int, ...] = QUICK
    mendable: tuple[str, ...] = ()

    @property
    def queue(self) -> str | None:
        """The queue that takes it."""
        return f"duly.{self.consumer}" if self.consumer else None


_UP = "upstream"
_ROWS = (
    # what upstream sends -------------------------------------------------------------------------------------------
    Entry(
        requests.NoticeRequestedV1, "notice.requested.v1", _UP, "renderer", "Issue a notice",
        mendable=("address", "language", "values", "period.reason"),
    ),
    Entry(requests.ObligationSatisfiedV1, "obligation.satisfied.v1", _UP, "intake", "What was asked for was done"),
    Entry(
        requests.ResponseReportedV1, "response.reported.v1", _UP, "intake", "The business responded",
        mendable=("responded_by",),
    ),
    Entry(
        requests.WithdrawalRequestedV1, "withdrawal.requested.v1", _UP, "intake", "Take a notice back",
        mendable=("reason",),
    ),
    Entry(
        requests.SanctionObjectedV1, "sanction.objected.v1", _UP, "intake", "Object to a proposed sanction",
        mendable=("reason",),
    ),
    Entry(requests.MarkSentV1, "mark.sent.v1", "relay", "intake", "A timed mark through the evidence queue"),
    # between workers: references, many items in one ----------------------------------------------------------------
    Entry(hops.NoticeRenderedV1, "notice.rendered.v1", "renderer", "notifier", "Alerts are due"),
    Entry(hops.BounceReceivedV1, "bounce.received.v1", "doors", "bounces", "Evidence from the mail system is stored"),
    Entry(hops.ResponseReceivedV1, "response.received.v1", "intake", "responses", "Facts from upstream are stored"),
    Entry(hops.DeadlinePassedV1, "deadline.passed.v1", "deadlines", "sanctions", "Deadlines passed, or waits are over"),
    Entry(
        hops.DeliveryQueuedV1, "delivery.queued.v1", "relay", "webhooks", "Events are to be told by webhook",
        retries=PATIENT,
    ),
    # what upstream is told, one a notice ---------------------------------------------------------------------------
    Entry(outcomes.NoticeAcceptedV1, "notice.accepted.v1", "renderer", None, "Ours from here on"),
    Entry(outcomes.NoticeRefusedV1, "notice.refused.v1", "renderer", None, "Nothing was issued, and why"),
    Entry(outcomes.NoticeServedV1, "notice.served.v1", "notifier", None, "Served"),
    Entry(outcomes.NoticeUnservedV1, "notice.unserved.v1", "bounces", None, "Not served, from the start"),
    Entry(outcomes.NoticeSatisfiedV1, "notice.satisfied.v1", "responses", None, "Done in time"),
    Entry(outcomes.NoticeLapsedV1, "notice.lapsed.v1", "deadlines", None, "The deadline passed"),
    Entry(outcomes.NoticeClosedV1, "notice.closed.v1", "sanctions", None, "Lapsed, and no sanction follows"),
    Entry(outcomes.NoticeWithdrawnV1, "notice.withdrawn.v1", "responses", None, "Taken back"),
    Entry(outcomes.DeadlineExtendedV1, "deadline.extended.v1", "cli", None, "A named person gave more time"),
    Entry(outcomes.HoldPlacedV1, "hold.placed.v1", "bounces", None, "A hold stops the sanction"),
    Entry(outcomes.HoldLiftedV1, "hold.lifted.v1", "cli", None, "A hold is lifted"),
    Entry(outcomes.SanctionProposedV1, "sanction.proposed.v1", "sanctions", None, "Objections are heard until then"),
    Entry(outcomes.SanctionFiredV1, "sanction.fired.v1", "sanctions", None, "Carry out the sanction"),
    Entry(outcomes.SanctionDeclinedV1, "sanction.declined.v1", "sanctions", None, "A person declined the sanction"),
    Entry(outcomes.SanctionReversalRequiredV1, "sanction.reversal_required.v1", "bounces", None, "A person decides"),
    Entry(outcomes.SanctionRescindedV1, "sanction.rescinded.v1", "cli", None, "The sanction is taken back"),
    Entry(outcomes.SanctionUpheldV1, "sanction.upheld.v1", "cli", None, "The sanction stays"),
    Entry(outcomes.EvidenceRefusedV1, "evidence.refused.v1", "responses", None, "A fact has no effect, and why"),
    Entry(outcomes.EvidenceRootedV1, "evidence.rooted.v1", "relay", None, "The day's root of the evidence chains"),
)  # fmt: skip

KEPT: Mapping[str, type[Message]] = MappingProxyType({"response.given.v1": requests.ResponseGivenV1})
"""Events that a door keeps as evidence and that never travel."""

CATALOGUE: Mapping[str, Entry] = MappingProxyType({row.type: row for row in _ROWS})

SINGLE_CONSUMER = frozenset({"duly.intake"})
"""Queues whose messages are committed in the order in which they came."""


def routing_keys(queue: str) -> tuple[str, ...]:
    """The types that a queue takes, which are its binding keys."""
    return tuple(row.type for row in _ROWS if row.queue == queue)


QUEUES: tuple[str, ...] = tuple(dict.fromkeys(row.queue for row in _ROWS if row.queue))
