"""`duly trial [FILE]`: a day from a file, played through the real workers in this process, and judged."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from services.cli import screen
from services.kernel.runtime.fault import Exit

if TYPE_CHECKING:
    from services.cli.trial.day import Day
    from services.cli.trial.play import Outcome
    from services.cli.trial.stage import Stage

FOLDER = Path("var") / "trial"
LOG = "log.jsonl"
SAMPLE = Path(__file__).parents[3] / "deploy" / "samples" / "day.yaml"
BRISK = {
    "DULY_RELAY_EVERY": "0.05", "DULY_DEADLINES_EVERY": "0.05", "DULY_MARK_EVERY": "0.1", "DULY_OUTBOX_GRACE": "0.05",
    "DULY_LINGER": "0.005",
}  # fmt: skip
_KEPT = ("DULY_LIBRARY", "DULY_LOG_LEVEL", "DULY_AUTHORITY", "DULY_ALERTS")


def trial(
    file: Annotated[Path, Parameter(help="The day to play, YAML; otherwise the sample.")] = SAMPLE,
    /,
    *,
    once: Annotated[bool, Parameter(help="Without the live table, and without advice at the end.")] = False,
    as_json: Annotated[bool, Parameter(name="--json", negative="", help="Write one JSON object a story.")] = False,
) -> int:
    """Play a day on a simulated clock through the real workers, and tell of each notice whether it ended as expected.

    A trial has a database, a broker and a mailbox of its own under ./var/trial; what DULY_DATABASE_URL, DULY_BROKER_URL
    and DULY_SMTP_URL name is not touched. Exits 0 if all ended as expected and every chain of evidence verifies.
    """
    from services.cli.crew import run_whole  # noqa: PLC0415 -- heavy
    from services.cli.trial import show  # noqa: PLC0415 -- heavy
    from services.cli.trial.day import load_day  # noqa: PLC0415 -- heavy

    day = load_day(file)
    began = time.monotonic()
    if screen.console().is_terminal and not once and not as_json:
        outcomes = run_whole(_live(day))
    else:
        outcomes = run_whole(_plain(day, quiet=as_json))
    if as_json:
        show.json_lines(outcomes)
    else:
        show.judgement(outcomes, day.days, time.monotonic() - began)
    if not once and not as_json:
        _advise(file)
    return Exit.OK if all(outcome.ok for outcome in outcomes) else Exit.NO


async def _plain(day: Day, *, quiet: bool) -> list[Outcome]:
    from services.cli.trial import show  # noqa: PLC0415 -- heavy
    from services.cli.trial.play import play  # noqa: PLC0415 -- heavy

    async with _stage(day) as stage:
        return await play(stage, day, (lambda _scene: None) if quiet else show.lines())


async def _live(day: Day) -> list[Outcome]:
    from services.cli.trial import show  # noqa: PLC0415 -- heavy
    from services.cli.trial.play import play  # noqa: PLC0415 -- heavy

    with show.live_board() as board:
        async with _stage(day) as stage:
            outcomes = await play(stage, day, board.follow)
            board.outcomes = {outcome.story.story: outcome for outcome in outcomes}
    return outcomes


@asynccontextmanager
async def _stage(day: Day) -> AsyncIterator[Stage]:
    """All workers at work in the trial's own house, their log in a file, until the end of the block."""
    from services.cli.crew import crew, house  # noqa: PLC0415 -- heavy
    from services.cli.trial.stage import Stage, embedded  # noqa: PLC0415 -- heavy
    from services.kernel.adapters.postgres.desk import open_desk  # noqa: PLC0415 -- heavy
    from services.kernel.adapters.postgres.trial import TrialReads  # noqa: PLC0415 -- heavy

    _set_apart()
    async with house(FOLDER, trial=True) as opened:
        mailbox, broker = embedded(opened)
        rules = {story.request.address: story.mail for story in day.stories}
        (FOLDER / "mail" / "rules.json").write_text(json.dumps(rules, indent=1))
        with _logging():
            stopping = asyncio.Event()
            working = asyncio.create_task(crew(opened.parts).run(stopping))
            try:
                async with (
                    open_desk(opened.database, opened.parts.ids) as desk,
                    opened.parts.ledger.pool.acquire() as link,
                ):
                    yield Stage(opened, mailbox, broker, desk, TrialReads(link, opened.parts.ids), working)
            finally:
                stopping.set()
                await working


def _set_apart() -> None:
    """No address of the environment is used, and the workers look more often than in earnest."""
    for name in [name for name in os.environ if name.startswith("DULY_") and name not in _KEPT]:
        del os.environ[name]
    os.environ.update(BRISK)


@contextmanager
def _logging() -> Iterator[None]:
    from services.kernel.runtime.logging import configure  # noqa: PLC0415 -- heavy
    from services.kernel.runtime.settings import WorkerSettings, read  # noqa: PLC0415 -- heavy

    with (FOLDER / LOG).open("w") as log:
        configure("trial", read(WorkerSettings).log_level, log)
        yield


def _advise(file: Path) -> None:
    """How to go on."""
    rows = {
        "the day": f"{_near(file)}; duly trial FILE plays another",
        "the alerts": f"{FOLDER / 'mail' / 'mails' / 'new'}, a file each",
        "the log": f"{FOLDER / LOG}",
        "in earnest": "duly up; then duly publish FILE.jsonl and duly notices list from another terminal",
    }
    for name, text in rows.items():
        screen.line(f"  {name:<11} {text}")


def _near(file: Path) -> Path:
    resolved = file.resolve()
    return resolved.relative_to(Path.cwd()) if resolved.is_relative_to(Path.cwd()) else file
