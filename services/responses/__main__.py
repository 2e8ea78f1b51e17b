"""`python -m services.responses`: responses as a process."""

from __future__ import annotations

import sys

from services.kernel.adapters.parts import Parts, open_parts
from services.kernel.adapters.process import queue_worker, run
from services.kernel.runtime.program import Worker
from services.kernel.runtime.settings import read
from services.responses.handler import Responses
from services.responses.settings import ResponsesSettings


def build(parts: Parts) -> Worker:
    """The worker for facts from upstream, put together."""
    return queue_worker(Responses(parts.library, parts.ids, patience=read(ResponsesSettings).waits), parts)


def main() -> int:
    """Run until SIGTERM."""
    return run("responses", open_parts, build)


if __name__ == "__main__":
    sys.exit(main())
