"""`python -m services.intake`: intake as a process."""

from __future__ import annotations

import sys

from services.intake.handler import Intake
from services.kernel.adapters.parts import Parts, open_parts
from services.kernel.adapters.process import queue_worker, run
from services.kernel.runtime.program import Worker


def build(parts: Parts) -> Worker:
    """The evidence door, put together."""
    return queue_worker(Intake(parts.library, parts.ids, batch=parts.worker.batch), parts)


def main() -> int:
    """Run until SIGTERM."""
    return run("intake", open_parts, build)


if __name__ == "__main__":
    sys.exit(main())
