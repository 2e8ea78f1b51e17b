"""Sending: claims in, the mail system's replies out, settled in small batches as they arrive."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

import structlog

from services.kernel.domain.changes import Change, NoticeSaved
from services.kernel.domain.replies import BrakeRule, SendOutcome, SendVerdict, brake_trips
from services.kernel.domain.verp import Keyring, envelope_sender, token
from services.kernel.ledger import Clock, Ledger, LedgerRerun, LedgerUnavailable, Transaction, Unsent
from services.kernel.ports import Broker, Mail, Mailer
from services.kernel.runtime.decision import NotNow
from services.kernel.runtime.publishing import publish_unsent
from services.notifier.alert import AlertSkeleton, message_id
from services.notifier.handler import Claim
from services.notifier.settle import Settled, Settler, judged
from services.notifier.spans import handed_over

log = structlog.get_logger()
_PERMANENT = 5
_AWAY_PAUSE = 0.5


@dataclass(frozen=True, slots=True)
class Stationery:
    """What every alert is written with: skeletons by language, keys, and the domains of Message-ID and VERP sender."""

    skeletons: Mapping[str, AlertSkeleton]
    keyring: Keyring
    message_domain: str
    bounce_domain: str

    def mail(self, claim: Claim) -> Mail:
        """The alert of one claim."""
        named = token(claim.attempt_id, self.keyring)
        content = self.skeletons[claim.language].build(
            claim.address, message_id(claim.notice_id, self.message_domain), claim.dated, named
        )
        return Mail(claim.attempt_id, envelope_sender(named, self.bounce_domain), claim.address, content)


class Sender:
    """Sends claims over as many dialogues as the mailer has connections, and settles each as its reply arrives."""

    def __init__(
        self,
        mailer: Mailer,
        ledger: Ledger,
        broker: Broker,
        settler: Settler,
        stationery: Stationery,
        *,
        dialogues: int,
        batch: int,
        ours_pause: float,
    ) -> None:
        self._mailer, self._ledger, self._broker = mailer, ledger, broker
        self._settler, self._stationery = settler, stationery
        self._batch, self._ours_pause = batch, ours_pause
        self._claims: asyncio.Queue[Claim | None] = asyncio.Queue(dialogues * 2)
        self._replies: asyncio.Queue[Settled | None] = asyncio.Queue()
        self._recent: tuple[SendOutcome, ...] = ()
        self._dialogues = dialogues

    async def send(self, claim: Claim) -> None:
        """Take a claim; waits while all dialogues are busy."""
        await self._claims.put(claim)

    async def run(self) -> None:
        """Send and settle until `finish` was called and all is settled."""
        settling = asyncio.create_task(self._settle_all())
        await asyncio.gather(*(self._drive() for _ in range(self._dialogues)))
        await self._replies.put(None)
        await settling

    async def finish(self) -> None:
        """No more claims: send what was taken, settle it, and end."""
        for _ in range(self._dialogues):
            await self._claims.put(None)

    async def _drive(self) -> None:
        while (claim := await self._claims.get()) is not None:
            began = time.time_ns()
            try:
                reply = await self._mailer.send(self._stationery.mail(claim))
            except Exception as error:  # a fault of ours: the lease runs out, and relay has it looked at
                log.exception("alert.unsent", notice_id=str(claim.notice_id), exc_info=error)
            else:
                await self._replies.put(judged(claim, reply, began=began, ended=time.time_ns()))

    async def _settle_all(self) -> None:
        ended = False
        while not ended:
            first = await self._replies.get()
            gathered = [] if first is None else [first]
            ended = first is None
            while not self._replies.empty() and len(gathered) < self._batch:
                more = self._replies.get_nowait()
                if more is None:
                    ended = True
                else:
                    gathered.append(more)
            if gathered:
                await asyncio.shield(self._settle(gathered))

    async def _settle(self, gathered: Sequence[Settled]) -> None:
        """Settle until it is committed: what the mail system said is never lost while this process lives."""
        while True:
            try:
                unsent = await self._commit(gathered)
            except LedgerRerun:
                continue
            except LedgerUnavailable as away:
                log.warning("settle.paused", items=len(gathered), exc_info=away)
                await asyncio.sleep(_AWAY_PAUSE)
                continue
            except Exception as error:
                if len(gathered) > 1:
                    middle = len(gathered) // 2
                    await self._settle(gathered[:middle])
                    await self._settle(gathered[middle:])
                else:  # the attempt's lease runs out, and relay has it looked at again
                    log.exception("settle.failed", notice_id=str(gathered[0].claim.notice_id), exc_info=error)
                return
            with suppress(LedgerUnavailable):
                await publish_unsent(self._broker, self._ledger, unsent)
            return

    async def _commit(self, gathered: Sequence[Settled]) -> list[Unsent]:
        async with self._ledger.begin() as tx:
            ids = [settled.claim.notice_id for settled in gathered]
            notices = await tx.lock(ids)
            clock = await tx.clock()
            failures = [s.claim.notice_id for s in gathered if s.judgement.verdict is not SendVerdict.ACCEPTED]
            opened = await tx.opened(failures) if failures else set()
            sanctions = await tx.sanctions(failures) if failures else {}
            braked, recent = await self._brake(tx, gathered, clock)
            changes: list[Change] = []
            for settled in gathered:
                notice_id = settled.claim.notice_id
                handed_over(settled, notices[notice_id])
                made = self._settler.settle(
                    settled, notices[notice_id], clock, notice_id in opened, sanctions.get(notice_id), braked=braked
                )
                notices |= {
                    change.notice.notice_id: change.notice for change in made if isinstance(change, NoticeSaved)
                }
                changes += made
            unsent = await tx.write(changes)
        self._recent = recent  # only now: what is tried again until it is committed counts once
        return unsent

    async def _brake(
        self, tx: Transaction, gathered: Sequence[Settled], clock: Clock
    ) -> tuple[bool, tuple[SendOutcome, ...]]:
        """Stop sending in a burst of refusals (until a person looks), or when the refusal is ours (for a minute).

        Answers whether refusals decide nothing, and the outcomes that count from here on. While the brake is on, what
        was in flight decides nothing and counts for nothing, so that whoever releases it begins anew.
        """
        if (await tx.sending_brake()).is_on:
            return True, ()
        fresh = (SendOutcome(clock.wall, permanent=(s.reply.code or 0) // 100 == _PERMANENT) for s in gathered)
        recent = (*self._recent, *fresh)[-BrakeRule().recent :]
        burst = brake_trips(recent, clock.wall, BrakeRule(window=timedelta(minutes=10)))
        if burst is not None:
            await tx.set_sending_brake(burst, None, "notifier")
            log.error("sending.stopped", exc_info=NotNow(burst))
            return True, ()
        ours = next((s.judgement.reason for s in gathered if s.judgement.verdict is SendVerdict.OURS), None)
        if ours is not None:
            await tx.set_sending_brake(ours, self._ours_pause, "notifier")
            log.error("sending.paused", exc_info=NotNow(ours))
        return False, recent
