"""`python -m services.sanctions`: the gate's worker as a process."""

from __future__ import annotations

import sys

from services.kernel.adapters.parts import Parts, open_parts
from services.kernel.adapters.process import queue_worker, run
from services.kernel.runtime.program import Worker
from services.sanctions.handler import Sanctions


def build(parts: Parts) -> Worker:
    """The gate's worker, put together."""
    return queue_worker(Sanctions(parts.library, parts.ids), parts)


def main() -> int:
    """Run until SIGTERM."""
    return run("sanctions", open_parts, build)


if __name__ == "__main__":
    sys.exit(main())
