"""Opening a trial: a house of its own, set apart from everything, with all workers, inbox, console and mailbox."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from services.cli.crew import crew, house
from services.cli.trial.day import Day
from services.cli.trial.stage import Stage, embedded
from services.cli.trial.visitor import Visitor
from services.console.__main__ import console_worker, trial_officers
from services.console.settings import ConsoleSettings
from services.inbox.__main__ import inbox_worker
from services.inbox.settings import InboxSettings
from services.kernel.adapters.embedded.mailbox_view import mailbox_view
from services.kernel.adapters.mail.mailbox import Mailbox
from services.kernel.adapters.parts import Parts
from services.kernel.adapters.postgres.alive import PostgresBeats
from services.kernel.adapters.postgres.desk import open_desk
from services.kernel.adapters.postgres.inbox import PostgresInbox
from services.kernel.adapters.postgres.trial import TrialReads
from services.kernel.adapters.web.trial_sign_in import TrialSignIn
from services.kernel.runtime.alive import Alive
from services.kernel.runtime.logging import configure
from services.kernel.runtime.program import Together, Worker
from services.kernel.runtime.settings import WorkerSettings, read

BRISK = {
    "DULY_RELAY_EVERY": "0.05", "DULY_DEADLINES_EVERY": "0.05", "DULY_MARK_EVERY": "0.1", "DULY_OUTBOX_GRACE": "0.05",
    "DULY_LINGER": "0.005",
}  # fmt: skip
_KEPT = ("DULY_LIBRARY", "DULY_LOG_LEVEL", "DULY_AUTHORITY", "DULY_ALERTS")


@asynccontextmanager
async def open_stage(folder: Path, day: Day, log: Path) -> AsyncIterator[Stage]:
    """Everything that plays a day, under one folder, until the end of the block; what the workers log is in a file.

    Raises:
        Fault: a part cannot start.
    """
    _set_apart()
    async with house(folder, trial=True) as opened:
        mailbox, broker = embedded(opened)
        rules = {story.request.address: story.mail for story in day.stories}
        (folder / "mail" / "rules.json").write_text(json.dumps(rules, indent=1))
        ids = opened.parts.ids
        with _logging(log):
            async with (
                _at_work(opened.parts, mailbox) as (working, opened_at),
                open_desk(opened.database, ids) as desk,
                opened.parts.ledger.pool.acquire() as link,
            ):
                yield Stage(
                    opened, mailbox, broker, desk, TrialReads(link, ids), Visitor(opened_at["inbox"]),
                    opened_at["mails"], opened_at["console"], working,
                )  # fmt: skip


@asynccontextmanager
async def _at_work(parts: Parts, mailbox: Mailbox) -> AsyncIterator[tuple[asyncio.Task[None], dict[str, str]]]:
    """The workers, and the addresses of inbox, console and mailbox view, which are open."""
    loop, stopping = asyncio.get_running_loop(), asyncio.Event()
    ports = {name: loop.create_future() for name in ("inbox", "console", "mails")}
    beats = PostgresBeats(parts.ledger.pool)
    workers: list[Worker] = [
        crew(parts),
        Alive(_inbox(parts, ports["inbox"].set_result), beats),
        Alive(_console(parts, ports["console"].set_result), beats),
        mailbox_view(mailbox, parts.ledger, listening=ports["mails"].set_result),
    ]
    working = asyncio.create_task(Together("trial", workers).run(stopping))
    try:
        for port in ports.values():
            await asyncio.wait({working, port}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
        yield working, {name: f"http://127.0.0.1:{port.result()}" for name, port in ports.items()}
    finally:
        stopping.set()
        await working


def _inbox(parts: Parts, listening: Callable[[int], None]) -> Worker:
    """The secure inbox with a trial's sign-in, on any free port."""
    settings = read(InboxSettings)
    ledger = PostgresInbox(parts.ledger.pool, parts.ids)
    return inbox_worker(parts, settings, TrialSignIn(ledger, settings.host), listening)


def _console(parts: Parts, listening: Callable[[int], None]) -> Worker:
    """The console with a trial's sign-in, on any free port."""
    settings = read(ConsoleSettings)
    return console_worker(parts, settings, trial_officers(parts, settings), listening)


def _set_apart() -> None:
    """No address of the environment is used, and the workers look more often than in earnest."""
    for name in [name for name in os.environ if name.startswith("DULY_") and name not in _KEPT]:
        del os.environ[name]
    os.environ.update(BRISK)


@contextmanager
def _logging(file: Path) -> Iterator[None]:
    with file.open("w") as log:
        configure("trial", read(WorkerSettings).log_level, log)
        yield
