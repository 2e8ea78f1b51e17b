"""`duly up`: everything in one process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from services.cli import screen

if TYPE_CHECKING:
    from services.kernel.adapters.embedded.house import House

FOLDER = Path("var")
_INVENTED = {"DULY_MAIL_FROM": "alerts from", "DULY_BOUNCE_DOMAIN": "bounces to"}


def up() -> int:
    """Run every worker in this process, until Ctrl-C or SIGTERM.

    Its own PostgreSQL, an in-memory broker and a built-in mailbox keep their data under ./var: the next start goes on
    where this one was, however it ended. DULY_DATABASE_URL, DULY_BROKER_URL and DULY_SMTP_URL name others to use.
    """
    from services.cli.crew import run_whole  # noqa: PLC0415 -- heavy
    from services.kernel.runtime.logging import configure  # noqa: PLC0415 -- heavy
    from services.kernel.runtime.settings import WorkerSettings, read  # noqa: PLC0415 -- heavy

    configure("up", read(WorkerSettings).log_level)
    if screen.errors().is_terminal:
        screen.errors().print("starting …", style=screen.QUIET)
    return run_whole(_up(FOLDER))


async def _up(folder: Path) -> int:
    from services.cli.crew import crew, house  # noqa: PLC0415 -- heavy
    from services.kernel.runtime.program import live  # noqa: PLC0415 -- heavy

    given = frozenset(os.environ)
    async with house(folder) as opened:
        workers = crew(opened.parts)
        for text, style in _said(opened, given):
            screen.line(text, style)
        screen.console().file.flush()
        code = await live(workers, opened.parts.measures, opened.parts.worker)
    screen.line("duly is down; the next `duly up` goes on from here")
    return code


def _said(house: House, given: frozenset[str]) -> list[tuple[str, str]]:
    """What runs, and where it keeps its data: a heading, and a line each."""
    own = house.embedded
    heading = "duly is up: everything in this process"
    if own == {"database", "broker", "mail"}:
        heading += f" (the embedded default, data under {house.folder})"
    parts = {
        "database": f"PostgreSQL of its own in {house.folder / 'postgres'}"
        if "database" in own
        else "DULY_DATABASE_URL",
        "broker": "in memory" if "broker" in own else "DULY_BROKER_URL",
        "mail": _mail(house),
        **{words: f"{os.environ[name]}  (invented; {name})" for name, words in _INVENTED.items() if name not in given},
        "signing key": f"{house.folder / 'keys'}  (made once)" if "DULY_TOKEN_KEYS" not in given else "DULY_TOKEN_KEYS",
        "schema": f"{len(house.applied)} migrations applied" if house.applied else "up to date",
        "in reach": "duly publish FILE.jsonl, duly notices list, in this folder from another terminal",
        "to stop": "Ctrl-C",
    }
    return [(heading, screen.GOOD), *((f"  {name:<12} {text}", "") for name, text in parts.items())]


def _mail(house: House) -> str:
    if house.mailbox is None:
        return "DULY_SMTP_URL"
    folder = house.folder / "mail"
    return (
        f"built-in mailbox on port {house.mailbox.port}; mails in {folder / 'mails'}, rules in {folder / 'rules.json'}"
    )
