"""`python -m services.webhooks`: the worker for webhooks as a process."""

from __future__ import annotations

import sys

from services.kernel.adapters.parts import Parts, open_parts
from services.kernel.adapters.process import run
from services.kernel.runtime.program import QueueWorker, Worker
from services.kernel.runtime.settings import read
from services.webhooks.client import HttpPoster
from services.webhooks.courier import Courier
from services.webhooks.posting import Posting
from services.webhooks.settings import WebhookSettings


def build(parts: Parts) -> Worker:
    """The worker for webhooks, put together."""
    settings = read(WebhookSettings)
    posting = Posting(parts.ledger, HttpPoster.of(settings), settings)
    return QueueWorker("webhooks", Courier(posting, parts.ids, parts.broker, parts.ledger, parts.measures))


def main() -> int:
    """Run until SIGTERM."""
    return run("webhooks", open_parts, build)


if __name__ == "__main__":
    sys.exit(main())
