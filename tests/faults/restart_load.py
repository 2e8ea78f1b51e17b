"""The load of the rolling restart: notices of every fate, fed day by day of legal time while workers come and go.

A step is one legal day: a cohort of requests goes out, whoever was served since the last step meets their fate, and the
clock moves on. So what befalls a notice is always said weeks of legal time before its deadline, however slow or fast
the machine is, and what counts is whether the workers keep it. Cohorts go out only as they are let: the load lasts as
long as the restarts do.
"""

from __future__ import annotations

import asyncio
import smtplib
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from services.kernel.adapters.mail.reports import failure_report
from tests.faults.door_senders import over_mail
from tests.faults.restart_visitors import Visitor
from tests.faults.sink_log import SinkLog
from tests.rig.system import System, fee_outstanding, information_request, paid, responded

COHORT = 100
UNSERVED_MOST = 600
"""Requests that may be on their way to service before the next cohort goes out."""
DAYS_TO_LAPSE = 23
"""From the last service to the end of the last deadline."""


class Fate(StrEnum):
    """What befalls a notice, and so what must become of it."""

    PAID = "paid"
    BOUNCED = "bounced"
    ASKED = "asked"
    SILENT = "silent"
    LATE = "late"
    ANSWERED = "answered"
    UNANSWERED = "unanswered"


END = {
    Fate.PAID: "satisfied", Fate.BOUNCED: "unserved", Fate.ASKED: "lapsed", Fate.SILENT: "sanctioned",
    Fate.LATE: "sanctioned", Fate.ANSWERED: "satisfied", Fate.UNANSWERED: "closed",
}  # fmt: skip
"""Who asks is held, and so stays lapsed; a bounce after the sanction demands a reversal, which a person decides."""

BY_WEBHOOK = "caseworking"
"""The source of notices answered or not; it is told by webhook."""
_OF_TWENTY = (*[Fate.PAID] * 10, *[Fate.BOUNCED] * 3, Fate.ASKED, *[Fate.SILENT] * 5, Fate.ANSWERED)
_LATE_EVERY, _LATE_MOST = 200, 2000
"""Of the first notices alone: there must be days left to bring a bounce after the sanction."""


def reference(number: int) -> str:
    """The reference of a notice; it names the fate."""
    fate = _OF_TWENTY[number % 20]
    if fate is Fate.ANSWERED and number // 20 % 2:
        fate = Fate.UNANSWERED
    if number % _LATE_EVERY == _OF_TWENTY.index(Fate.SILENT) and number < _LATE_MOST:
        fate = Fate.LATE
    return f"{fate}-{number:04}"


def fate_of(ref: str) -> Fate:
    """What its name says."""
    return Fate(ref.partition("-")[0])


class Feed:
    """Brings everything: requests and facts by AMQP, returned mail by LMTP, answers at the secure inbox."""

    def __init__(self, system: System, log: SinkLog, doors: Sequence[int], notices: int) -> None:
        self.refs = [reference(number) for number in range(notices)]
        self.brought: Counter[str] = Counter()
        self.business: Visitor | None = None
        self._system, self._log, self._doors = system, log, doors
        self._let = asyncio.Semaphore(0)
        self._served: set[str] = set()
        self._sanctioned: set[str] = set()

    @property
    def cohorts(self) -> int:
        """How many there are."""
        return -(-len(self.refs) // COHORT)

    def let(self, cohorts: int) -> None:
        """So many more cohorts may go out."""
        for _ in range(cohorts):
            self._let.release()

    async def run(self) -> None:
        """Feed all, then go on until the last deadline, its safety delay and time for objections are over."""
        for number in range(self.cohorts):
            await self._let.acquire()
            some = self.refs[number * COHORT : (number + 1) * COHORT]
            await self._system.publish(*map(_request, some))
            await self._day((number + 1) * COHORT - UNSERVED_MOST)
        for _ in range(DAYS_TO_LAPSE):
            await self._day(len(self.refs))
        await self._system.until(_UNPROPOSED, 0, seconds=90)
        await self._day(len(self.refs))
        await self._system.advance(days=1)

    async def _day(self, served: int) -> None:
        """Bring what befalls those newly served, once so many are served in all; then let a day pass."""
        await self._system.until(
            "SELECT count(*) >= $1 FROM notice WHERE served_at IS NOT NULL", True, served, seconds=90
        )
        vouched = (await self._system.value("SELECT legal_now()")).isoformat()
        new = await self._newly("served_at", self._served)
        await self._system.publish(*(fact for ref in new if (fact := _fact(ref, vouched))))
        bounced = [ref for ref in new if fate_of(ref) is Fate.BOUNCED]
        late = [ref for ref in await self._newly("sanctioned_at", self._sanctioned) if fate_of(ref) is Fate.LATE]
        await self._bounce(*bounced, *late)
        await self._answer(*(ref for ref in new if fate_of(ref) is Fate.ANSWERED))
        await self._system.advance(days=1)

    async def _newly(self, when: str, known: set[str]) -> list[str]:
        rows = await self._system.fetch(f"SELECT source_ref FROM notice WHERE {when} IS NOT NULL")
        new = {row["source_ref"] for row in rows} - known
        known |= new
        return sorted(new)

    async def _answer(self, *refs: str) -> None:
        """What the business says at its inbox."""
        assert self.business is not None
        rows = await self._system.fetch("SELECT notice_id FROM notice WHERE source_ref = ANY($1::text[])", refs)
        for row in rows:
            await self.business.answer(row["notice_id"])

    async def _bounce(self, *refs: str) -> None:
        """What their mail systems send back."""
        mails = self._log.by_recipient() if refs else {}
        await asyncio.gather(*(self._deliver(mails[f"{ref}@business.example"][0]) for ref in refs))

    async def _deliver(self, mail: dict[str, Any]) -> None:
        """Deliver until a door says 250; one that is gone or dies over it is tried again, as mail systems do."""
        report = failure_report(
            SinkLog.content(mail), recipient=mail["recipient"], envelope_sender=mail["sender"],
            reporting_mta="mx.business.example", status="5.1.1", diagnostic="550 5.1.1 no such user",
            date=datetime.now(UTC), report_id=uuid5(NAMESPACE_URL, mail["recipient"]).hex,
        )  # fmt: skip
        async with asyncio.timeout(60):
            while True:
                port = self._doors[self.brought.total() % len(self._doors)]
                self.brought[mail["recipient"]] += 1
                try:
                    assert await over_mail(smtplib.LMTP, port, report, mail["sender"])() == "250"
                except (OSError, smtplib.SMTPServerDisconnected):
                    await asyncio.sleep(0.05)
                else:
                    return


_UNPROPOSED = """
SELECT count(*) FROM notice n WHERE state IN ('served', 'lapsed') AND deadline_at < legal_now()
AND NOT EXISTS (SELECT FROM sanction s WHERE s.notice_id = n.notice_id)"""


def _request(ref: str) -> dict[str, Any]:
    made = information_request if fate_of(ref) in {Fate.ANSWERED, Fate.UNANSWERED} else fee_outstanding
    return made(ref)


def _fact(ref: str, vouched: str) -> dict[str, Any] | None:
    """What upstream says of a notice once it is served, if anything."""
    match fate_of(ref):
        case Fate.PAID:
            return paid(ref, received_at=vouched)
        case Fate.ASKED:
            return responded(ref, "question", source="fees")
        case _:
            return None
