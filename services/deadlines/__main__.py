"""`python -m services.deadlines`: deadlines as a process."""

from __future__ import annotations

import sys
from datetime import timedelta

from services.deadlines.handler import Deadlines
from services.deadlines.settings import DeadlinesSettings
from services.kernel.adapters.parts import Parts, open_parts
from services.kernel.adapters.process import run
from services.kernel.domain.outage import SILENCE
from services.kernel.runtime.program import TimerWorker, Worker
from services.kernel.runtime.publishing import publish_unsent
from services.kernel.runtime.settings import read


def build(parts: Parts) -> Worker:
    """The clock's worker, put together."""
    most, settings = parts.worker.batch, read(DeadlinesSettings)
    deadlines = Deadlines(parts.library, parts.ids, most, timedelta(seconds=settings.outage), SILENCE)

    async def look() -> bool:
        decided, unsent = await deadlines.pass_due(parts.ledger)
        await publish_unsent(parts.broker, parts.ledger, unsent)
        return decided == most

    return TimerWorker("deadlines", [(settings.every, look)], parts.ledger)


def main() -> int:
    """Run until SIGTERM."""
    return run("deadlines", open_parts, build)


if __name__ == "__main__":
    sys.exit(main())
