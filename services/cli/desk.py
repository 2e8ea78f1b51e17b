"""What the operators' commands share: the desk they work at, how records are named, who acts, how values look."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, TypeVar
from uuid import UUID

from cyclopts import Parameter

from services.cli import screen
from services.kernel.runtime.fault import Exit, Fault

if TYPE_CHECKING:
    from services.kernel.adapters.postgres.desk import PostgresDesk
    from services.kernel.domain.library import Library
    from services.kernel.runtime.desk import Word

By = Annotated[str, Parameter(name="--by", help="Who acts; otherwise the user of this machine.")]
Why = Annotated[str, Parameter(name="--reason", help="Why; it is recorded.")]
Most = Annotated[int, Parameter(name="--limit", help="The most to show.")]

_RERUNS = 5
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
T = TypeVar("T")


def at_desk(work: Callable[[PostgresDesk], Awaitable[T]]) -> T:
    """Do some work at the desk of the database that is meant.

    Raises:
        Fault: the database cannot be reached, or the work refuses.
    """
    from services.cli.database import database  # noqa: PLC0415 -- heavy
    from services.kernel.adapters.traced import traced  # noqa: PLC0415 -- heavy
    from services.kernel.ledger import LedgerUnavailable  # noqa: PLC0415 -- heavy

    with database() as dsn:
        try:
            with traced("cli"):
                return asyncio.run(_work(dsn, work))
        except LedgerUnavailable as away:
            raise Fault(str(away), "DULY_DATABASE_URL", "call again when it is back; nothing was done") from away


async def _work(dsn: str, work: Callable[[PostgresDesk], Awaitable[T]]) -> T:
    from services.kernel.adapters.ids import SystemIds  # noqa: PLC0415 -- heavy
    from services.kernel.adapters.postgres.desk import open_desk  # noqa: PLC0415 -- heavy
    from services.kernel.ledger import LedgerRerun  # noqa: PLC0415 -- heavy

    async with open_desk(dsn, SystemIds()) as desk:
        for _ in range(_RERUNS):
            try:
                return await work(desk)
            except LedgerRerun:
                continue
    raise Fault("other transactions stood in the way again and again", "", "call again; nothing was done")


async def named(desk: PostgresDesk, what: str, text: str) -> UUID:
    """The one record of a kind that a text means: its id, the end of its id, or (of a notice) upstream's reference.

    Raises:
        Fault: there is none, or more than one.
    """
    found = await desk.find(what, text.strip())
    kind = {"dead": "dead letter", "evidence": "piece of evidence", "legal_hold": "legal hold"}.get(what, what)
    if not found:
        raise Fault(f"there is no {kind} {text!r}", "", "give its id, or how the id ends", code=Exit.NO)
    if len(found) > 1:
        meant = ", ".join(str(each) for each in found)
        raise Fault(f"{text!r} means more than one {kind}", meant, "give the whole id", code=Exit.USAGE)
    return found[0]


async def all_named(desk: PostgresDesk, what: str, texts: Iterable[str]) -> list[UUID]:
    """Every record that these texts mean, each once."""
    return list(dict.fromkeys([await named(desk, what, text) for text in texts]))


def said(by: str, reason: str) -> Word:
    """Who acts and why.

    Raises:
        Fault: one of them is missing or cannot be recorded.
    """
    from services.kernel.runtime.desk import word  # noqa: PLC0415 -- heavy

    return word(by or operator(), reason)


def operator() -> str:
    """The user of this machine, as far as it has a name."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


def library() -> Library:
    """The library of regimes.

    Raises:
        Fault: it cannot be loaded.
    """
    from services.cli.books import load  # noqa: PLC0415 -- heavy

    return load()


def known_kind(kind: str) -> None:
    """Let a kind of sanction pass that some regime has.

    Raises:
        Fault: none has it.
    """
    kinds = sorted({name for _, name in library().caps_an_hour})
    if kind not in kinds:
        raise Fault(f"there is no sanction of the kind {kind!r}", "", f"known: {', '.join(kinds)}", code=Exit.USAGE)


# --- values on a screen -----------------------------------------------------------------------------------------------


def short(value: object) -> str:
    """An id as a person may type it: in a terminal its last group, which the commands understand; else the whole."""
    text = "" if value is None else str(value)
    return text.rpartition("-")[2] if screen.console().is_terminal else text


def when(value: object) -> str:
    """An instant in UTC to the second, or a date."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    return value.isoformat() if isinstance(value, date) else ""


def minute(value: object) -> str:
    """An instant in UTC to the minute."""
    return when(value)[:16]


def lasting(value: object) -> str:
    """A span in its two largest units."""
    if not isinstance(value, timedelta):
        return ""
    seconds = max(0, int(value.total_seconds()))
    if seconds >= _DAY:
        return f"{seconds // _DAY} d {seconds % _DAY // _HOUR} h"
    if seconds >= _HOUR:
        return f"{seconds // _HOUR} h {seconds % _HOUR // _MINUTE} min"
    return f"{seconds // _MINUTE} min" if seconds >= _MINUTE else f"{seconds} s"


def without_query(url: object) -> str:
    """A URL as it may be shown: what stands in its query may be a secret."""
    place, mark, _ = str(url).partition("?")
    return f"{place}?…" if mark else place


def plain(value: object) -> object:
    """A value as JSON shows it: instants in ISO 8601 (UTC), bytes in hexadecimal, spans in seconds."""
    if isinstance(value, Mapping):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes):
        return value.hex()
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def show_rows(rows: Iterable[Mapping[str, object]]) -> None:
    """One JSON object a line."""
    for row in rows:
        screen.json_line(plain(row))


def done(text: str, told: Mapping[str, object], *, json: bool) -> None:
    """Say what was done: a sentence, or one JSON object."""
    if json:
        screen.json_line(plain(told))
    else:
        screen.line(text, screen.GOOD)
