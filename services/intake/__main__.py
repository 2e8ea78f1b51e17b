"""`python -m services.intake`: intake as a process, on its queue and, where a port is set, over HTTP."""

from __future__ import annotations

import sys

from services.intake.app import IntakeApp, Limits
from services.intake.callers import Callers
from services.intake.door import IntakeDoor
from services.intake.handler import Intake
from services.intake.keysets import KeySets
from services.intake.settings import IntakeSettings
from services.kernel.adapters.parts import Parts, open_parts
from services.kernel.adapters.postgres.intake import PostgresIntake
from services.kernel.adapters.process import queue_worker, run
from services.kernel.adapters.web.counting import Counted
from services.kernel.adapters.web.limits import RateLimit
from services.kernel.adapters.web.server import WebWorker
from services.kernel.runtime.program import Together, Worker
from services.kernel.runtime.settings import read

_STRANGERS_A_SECOND, _STRANGERS_AT_ONCE = 1.0, 30.0


def build(parts: Parts) -> Worker:
    """The evidence door, put together; the door over HTTP beside it, if it has a port."""
    queue = queue_worker(Intake(parts.library, parts.ids, batch=parts.worker.batch), parts)
    settings = read(IntakeSettings)
    return queue if settings.port is None else Together("intake", [queue, over_http(parts, settings, settings.port)])


def over_http(parts: Parts, settings: IntakeSettings, port: int) -> WebWorker:
    """The HTTP door, put together.

    Raises:
        SettingsFault: only some of the settings of bearer tokens are there.
    """
    ledger = PostgresIntake.beside(parts.ledger, parts.ids)
    door = IntakeDoor(ledger, parts.broker, parts.ids)
    tokens = settings.tokens()
    callers = Callers(parts.library, tokens, KeySets(tokens.keys_url) if tokens else None)
    limits = Limits(
        settings.most_events,
        settings.most_bytes,
        RateLimit(settings.rate, settings.burst),
        RateLimit(_STRANGERS_A_SECOND, _STRANGERS_AT_ONCE),
    )
    app = IntakeApp(parts.library, ledger, door, callers, limits)
    return WebWorker(
        "intake.http", Counted(app.asgi(), parts.measures, "intake"), ledger, settings.host, port, "DULY_INTAKE_PORT",
        beside=(door.run,), proxies=settings.proxies,
    )  # fmt: skip


def main() -> int:
    """Run until SIGTERM."""
    return run("intake", open_parts, build)


if __name__ == "__main__":
    sys.exit(main())
