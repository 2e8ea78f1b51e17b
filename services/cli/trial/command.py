"""`duly trial [FILE]`: a day from a file, played through the real workers in this process, and judged."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, nullcontext
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


def trial(
    file: Annotated[Path, Parameter(help="The day to play, YAML; otherwise the sample.")] = SAMPLE,
    /,
    *,
    once: Annotated[bool, Parameter(help="End by itself, without live table and advice.")] = False,
    as_json: Annotated[bool, Parameter(name="--json", negative="", help="Write one JSON object a story.")] = False,
    stay: Annotated[
        bool | None, Parameter(help="Leave inbox, console and mailbox open, as in a terminal without --once or --json.")
    ] = None,
) -> int:
    """Play a day on a simulated clock through the real workers, and tell of each notice whether it ended as expected.

    A trial has a database, a broker and a mailbox of its own under ./var/trial; what DULY_DATABASE_URL, DULY_BROKER_URL
    and DULY_SMTP_URL name is not touched. At the end inbox, console and mailbox can be visited until Ctrl-C or
    SIGTERM. Exits 0 if all ended as expected and every chain of evidence verifies.
    """
    from services.cli.crew import run_whole  # noqa: PLC0415 -- heavy
    from services.cli.trial.day import load_day  # noqa: PLC0415 -- heavy

    day = load_day(file)
    by_itself = once or as_json or not screen.console().is_terminal
    stays = not by_itself if stay is None else stay
    return run_whole(_played(day, file, live=not by_itself, advice=not once, as_json=as_json, stays=stays))


async def _played(day: Day, file: Path, *, live: bool, advice: bool, as_json: bool, stays: bool) -> int:
    """Play the day, tell of it, and stay open if wanted; the exit code."""
    from services.cli.trial import show  # noqa: PLC0415 -- heavy
    from services.cli.trial.opening import open_stage  # noqa: PLC0415 -- heavy
    from services.cli.trial.play import play  # noqa: PLC0415 -- heavy

    began = time.monotonic()
    async with AsyncExitStack() as stack:
        with show.live_board() if live else nullcontext() as board:
            stage = await stack.enter_async_context(open_stage(FOLDER, day, FOLDER / LOG))
            watch = board.follow if board else (lambda _scene: None) if as_json else show.lines()
            outcomes = await play(stage, day, watch)
            if board:
                board.outcomes = {outcome.story.story: outcome for outcome in outcomes}
        stopping = _told_to_stop() if stays else None
        if as_json:
            show.json_lines(outcomes)
            if stays:
                screen.json_line({"inbox": stage.visitor.inbox, "console": stage.console, "mailbox": stage.mails})
        else:
            show.judgement(outcomes, day.days, time.monotonic() - began)
            if stays or advice:
                _advise(file, _opened(stage, outcomes) if stays else {})
        screen.console().file.flush()
        if stopping:
            await asyncio.wait({stopping, stage.working}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            screen.errors().print("closing …", style=screen.QUIET)
    return Exit.OK if all(outcome.ok for outcome in outcomes) else Exit.NO


def _told_to_stop() -> asyncio.Task[bool]:
    """Ends with Ctrl-C or SIGTERM, which from now on are no interruption."""
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    return asyncio.create_task(stopping.wait())


def _opened(stage: Stage, outcomes: Sequence[Outcome]) -> dict[str, str]:
    """What can be visited, and who has something to do there."""
    waiting = [outcome.story.request for outcome in outcomes if outcome.due_on and outcome.state == "served"]
    names = ", ".join(request.values.get("business_name", request.business_id) for request in waiting)
    return {
        "the inbox": f"{stage.visitor.inbox}  sign in as anybody",
        **({"to answer": names} if names else {}),
        "the console": f"{stage.console}  sign in as one of each role",
        "the mailbox": f"{stage.mails}  every alert; let one bounce",
        "to stop": "Ctrl-C",
    }


def _advise(file: Path, opened: Mapping[str, str]) -> None:
    """How to go on: what is open, if anything is, and where everything is."""
    rows = {
        **opened,
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
