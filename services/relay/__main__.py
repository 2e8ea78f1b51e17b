"""`python -m services.relay`: relay as a process."""

from __future__ import annotations

import sys

from services.kernel.adapters.broker import MemoryBroker
from services.kernel.adapters.parts import Parts, open_parts
from services.kernel.adapters.postgres.retention import PostgresErasing
from services.kernel.adapters.process import run
from services.kernel.runtime.program import TimerWorker, Worker
from services.kernel.runtime.settings import read
from services.relay.casualties import Casualties
from services.relay.erasing import Eraser
from services.relay.handler import Relay
from services.relay.runs import Runs
from services.relay.settings import RelaySettings


def build(parts: Parts) -> Worker:
    """The worker for what is due, put together."""
    settings = read(RelaySettings)
    relay = Relay(parts.ledger, parts.broker, parts.ids, settings, parts.measures)
    eraser = Eraser(PostgresErasing.beside(parts.ledger, parts.ids), parts.library, parts.measures)
    rounds = [
        (settings.every, relay.outbox),
        (settings.every, relay.retries),
        (settings.every, relay.wake),
        (settings.every, relay.webhooks),
        (settings.every, Runs(parts.ledger, parts.broker, settings.again).round),
        (settings.rescue_grace / 2, relay.rescue),
        (settings.mark_every, relay.mark),
        (60.0, relay.forsake),
        (60.0, relay.roots),
        (10.0, relay.measure),
        (settings.erase_every, eraser.round),
    ]
    if not isinstance(parts.broker, MemoryBroker):  # which has no dead letters: its workers die with it
        rounds.append((settings.every, Casualties(parts.ledger, parts.broker).collect))
    return TimerWorker("relay", rounds, parts.ledger)


def main() -> int:
    """Run until SIGTERM."""
    return run("relay", open_parts, build)


if __name__ == "__main__":
    sys.exit(main())
