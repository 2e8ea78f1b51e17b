"""`python -m services.renderer`: the renderer as a process."""

from __future__ import annotations

import sys

from services.kernel.adapters.parts import Parts, open_parts
from services.kernel.adapters.process import queue_worker, run
from services.kernel.runtime.program import Worker
from services.renderer.handler import Renderer


def build(parts: Parts) -> Worker:
    """The renderer, put together."""
    return queue_worker(Renderer(parts.library, parts.ids, batch=parts.worker.batch), parts)


def main() -> int:
    """Run until SIGTERM."""
    return run("renderer", open_parts, build)


if __name__ == "__main__":
    sys.exit(main())
