"""`duly up`: everything in one process."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from services.cli import screen

if TYPE_CHECKING:
    from services.kernel.adapters.embedded.house import House
    from services.kernel.runtime.program import Worker

FOLDER = Path("var")
HOST = "127.0.0.1"
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
    from services.kernel.adapters.traced import traced  # noqa: PLC0415 -- heavy
    from services.kernel.runtime.program import Together, live  # noqa: PLC0415 -- heavy

    given = frozenset(os.environ)
    async with house(folder) as opened:
        workers = [crew(opened.parts), *_mailbox_view(opened, given)]
        if opened.mailbox is None:
            _say(opened, given)
        with traced("up"):
            code = await live(Together("up", workers), opened.parts.measures, opened.parts.worker)
    screen.line("duly is down; the next `duly up` goes on from here")
    return code


def _mailbox_view(house: House, given: frozenset[str]) -> list[Worker]:
    """The pages of the built-in mailbox, if that is what takes the mails; once they are open, it is said what runs."""
    from services.kernel.adapters.embedded.mailbox_view import mailbox_view  # noqa: PLC0415 -- heavy
    from services.kernel.adapters.embedded.mailbox_view.settings import MailboxViewSettings  # noqa: PLC0415 -- heavy
    from services.kernel.runtime.settings import read  # noqa: PLC0415 -- heavy

    if house.mailbox is None:
        return []
    port = read(MailboxViewSettings).port
    return [mailbox_view(house.mailbox, house.parts.ledger, port, listening=partial(_say, house, given))]


def _say(house: House, given: frozenset[str], mails: int | None = None) -> None:
    for text, style in _said(house, given, mails):
        screen.line(text, style)
    screen.console().file.flush()


def _said(house: House, given: frozenset[str], mails: int | None) -> list[tuple[str, str]]:
    """What runs, and where it keeps its data: a heading, and a line each. `mails`: the port of the mailbox view."""
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
        **({"mails": f"http://{HOST}:{mails}/  (every mail; let one bounce)"} if mails else {}),
        **_sites(),
        **{words: f"{os.environ[name]}  (invented; {name})" for name, words in _INVENTED.items() if name not in given},
        "signing key": f"{house.folder / 'keys'}  (made once)" if "DULY_TOKEN_KEYS" not in given else "DULY_TOKEN_KEYS",
        "schema": f"{len(house.applied)} migrations applied" if house.applied else "up to date",
        "in reach": "duly publish FILE.jsonl, duly notices list, in this folder from another terminal",
        "to stop": "Ctrl-C",
    }
    return [(heading, screen.GOOD), *((f"  {name:<12} {text}", "") for name, text in parts.items())]


def _sites() -> dict[str, str]:
    """Where the secure inbox and the console are, if they are on."""
    from services.console.settings import ConsoleSettings  # noqa: PLC0415 -- heavy
    from services.inbox.settings import InboxSettings  # noqa: PLC0415 -- heavy
    from services.kernel.runtime.settings import read  # noqa: PLC0415 -- heavy

    sites: dict[str, InboxSettings | ConsoleSettings] = {"inbox": read(InboxSettings), "console": read(ConsoleSettings)}
    return {
        name: site.url or (f"http://{site.host}:{site.port}/" if site.port else "on any free port: see the log")
        for name, site in sites.items()
        if site.port is not None
    }


def _mail(house: House) -> str:
    if house.mailbox is None:
        return "DULY_SMTP_URL"
    folder = house.folder / "mail"
    return (
        f"built-in mailbox on port {house.mailbox.port}; mails in {folder / 'mails'}, rules in {folder / 'rules.json'}"
    )
