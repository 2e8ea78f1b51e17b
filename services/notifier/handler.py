"""notifier: takes `notice.rendered`, hands the alert to the mail system, and makes the notice served or unserved.

Two transactions a mail, as SMTP cannot join one: *claim* (here; the attempt row is committed before DATA) and *settle*
(`settle.py`; what the mail system said). Between them `sender.py` drives the dialogue.
Standards: RFC 5321, 5322, 3463, 3834. Settings: `services/notifier/settings.py`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.kernel.domain.addresses import matching_key
from services.kernel.domain.changes import AttemptClaimed, AttemptRetired, Change
from services.kernel.domain.holds import HoldKind
from services.kernel.domain.notice import Notice, State
from services.kernel.ledger import Attempt, Clock, Ledger, NotifierFacts
from services.kernel.ports import Ids
from services.kernel.runtime.decision import Decision, NotNow, Quiet, dead, done
from services.kernel.runtime.effects import Writing, place_hold, unserve
from services.kernel.runtime.items import Item

UNKNOWN_MOST = 1
"""How often an alert is sent again after an outcome that is not known."""
ABANDONED_MOST = 5
"""How often an alert is sent again after the process that was sending it died."""


@dataclass(frozen=True, slots=True)
class Claim:
    """An alert that this process has claimed: what is needed to send it and to judge what is said.

    `first_at` is when the first attempt of this notice began, `tries` counts this one; wall time.
    """

    attempt_id: UUID
    notice_id: UUID
    regime: str
    language: str
    address: str
    first_at: datetime
    tries: int
    dated: datetime


@dataclass(frozen=True, slots=True)
class Claimed(Decision):
    """A decision that an alert be sent, once it is committed."""

    claim: Claim | None = None


class Notifier(Quiet):
    """Claims alerts; a batch is one transaction."""

    consumer = "notifier"

    def __init__(self, ids: Ids, send: Callable[[Claim], Awaitable[None]], *, batch: int, lease: float) -> None:
        self.batch = batch
        self._ids, self._send, self._lease = ids, send, lease

    async def may_begin(self, ledger: Ledger) -> str | None:
        """Why no mail may leave now, or None."""
        async with ledger.begin() as tx:
            brake = await tx.sending_brake()
        return brake.reason if brake.is_on else None

    async def decide(self, tx: NotifierFacts, items: Sequence[Item]) -> Sequence[Decision]:
        """Claim what may be sent.

        Raises:
            NotNow: the sending brake is on.
        """
        brake = await tx.sending_brake()
        if brake.is_on:
            raise NotNow(brake.reason)
        ids = [item.key.subject for item in items]
        notices = await tx.lock(ids)
        attempts = await tx.attempts(ids)
        suppressed = await tx.suppressed([matching_key(notice.address) for notice in notices.values()])
        clock = await tx.clock()
        return [self._one(notices.get(notice_id), attempts.get(notice_id, []), suppressed, clock) for notice_id in ids]

    async def committed(self, decisions: Sequence[Decision]) -> None:
        """Send what was claimed; waits while enough is in flight."""
        for made in decisions:
            if isinstance(made, Claimed) and made.claim is not None:
                await self._send(made.claim)

    def _one(
        self, notice: Notice | None, attempts: Sequence[Attempt], suppressed: dict[str, str], clock: Clock
    ) -> Decision:
        if notice is None:
            return dead("no such notice")
        retired: list[Change] = [AttemptRetired(past.attempt_id) for past in attempts if past.retry_at is not None]
        if notice.state is not State.RENDERED:
            return done(*retired)
        if any(past.state == "sending" for past in attempts):
            return done()  # in flight elsewhere; when its lease is over, relay sends it here again
        key = matching_key(notice.address)
        if key in suppressed:
            return done(*retired, *_suppressed(notice, suppressed[key], clock))
        if (doubt := _doubt(attempts)) is not None:
            return done(*retired, *self._held(notice, doubt, clock))
        return self._claim(notice, attempts, retired, clock)

    def _claim(self, notice: Notice, attempts: Sequence[Attempt], retired: list[Change], clock: Clock) -> Decision:
        claim = Claim(
            self._ids.uuid7(),
            notice.notice_id,
            notice.regime,
            notice.language,
            notice.address,
            attempts[0].started_at if attempts else clock.wall,
            len(attempts) + 1,
            clock.legal,
        )
        row = AttemptClaimed(claim.attempt_id, notice.notice_id, claim.tries, "alert", notice.address, self._lease)
        return Claimed(done().outcome, (*retired, row), claim=claim)

    def _held(self, notice: Notice, doubt: str, clock: Clock) -> tuple[Change, ...]:
        writing = Writing.begin(notice, clock.legal, "notifier")
        place_hold(writing, self._ids.uuid7(), HoldKind.DELIVERY_DOUBT, doubt, "duly")
        return writing.finished()


def _doubt(attempts: Sequence[Attempt]) -> str | None:
    """Why the alert must not be sent once more: it may have been taken already, more than once."""
    states = [past.state for past in attempts]
    if states.count("unknown") > UNKNOWN_MOST:
        return "the mail system twice took the alert without saying whether it accepted it"
    if states.count("abandoned") > ABANDONED_MOST:
        return f"the process sending the alert died {ABANDONED_MOST + 1} times"
    return None


def _suppressed(notice: Notice, why: str, clock: Clock) -> tuple[Change, ...]:
    writing = Writing.begin(notice, clock.legal, "notifier")
    unserve(writing, f"the address is suppressed: {why}")
    return writing.finished()
