"""`python -m services.deadlines`: deadlines as a process."""

from __future__ import annotations

import sys

from services.deadlines.handler import pass_due
from services.deadlines.settings import DeadlinesSettings
from services.kernel.adapters.parts import Parts, open_parts
from services.kernel.adapters.process import run
from services.kernel.runtime.program import TimerWorker, Worker
from services.kernel.runtime.publishing import publish_unsent
from services.kernel.runtime.settings import read


def build(parts: Parts) -> Worker:
    """The clock's worker, put together."""
    most = parts.worker.batch

    async def look() -> bool:
        passed, unsent = await pass_due(parts.ledger, parts.ids, most=most)
        await publish_unsent(parts.broker, parts.ledger, unsent)
        return passed == most

    return TimerWorker("deadlines", [(read(DeadlinesSettings).every, look)], parts.ledger)


def main() -> int:
    """Run until SIGTERM."""
    return run("deadlines", open_parts, build)


if __name__ == "__main__":
    sys.exit(main())
