"""The house's style on a screen: one console, tables, JSON lines, progress, faults.

In a terminal: colour and aligned columns. Piped: a header and tab-separated lines, no colour, no progress bar. Values
come from outside, so nothing in them is markup and no control character reaches the terminal. NO_COLOR is honoured.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

from cyclopts import CycloptsError
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from services.kernel.runtime.fault import Fault

GOOD, BAD, WAIT, QUIET = "green", "bold red", "yellow", "dim"
TONES: Mapping[str, str] = {
    **dict.fromkeys(("served", "satisfied", "delivered", "ok", "done", "fire"), GOOD),
    **dict.fromkeys(("unserved", "sanctioned", "final", "dead", "no", "block", "complaint"), BAD),
    **dict.fromkeys(("accepted", "rendered", "lapsed", "delayed", "unclear", "held", "wait", "auto-reply"), WAIT),
    **dict.fromkeys(("blocks a sanction", "unsafe", "failed again", "locked"), BAD),
    **dict.fromkeys(("deadline at risk", "expired", "stopped", "refused", "left as it was"), WAIT),
    **dict.fromkeys(("safe", "finished"), GOOD),
    **dict.fromkeys(("harmless", "already done", "cancelled", "the same"), QUIET),
    **dict.fromkeys(("closed", "withdrawn", "other"), QUIET),
}
"""The colour of a word that stands alone in a cell."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its heading; whether it holds numbers; whether it may be folded over several lines."""

    heading: str
    number: bool = False
    fold: bool = False


class Stacked(tuple[object, ...]):
    """A cell of several lines: what counts first, then what explains it, more quietly. Piped, on one line."""

    __slots__ = ()


@lru_cache(1)
def console() -> Console:
    """Where results go: stdout."""
    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())


@lru_cache(1)
def errors() -> Console:
    """Where faults and progress go: stderr."""
    return Console(stderr=True, highlight=False, soft_wrap=not sys.stderr.isatty())


def table(columns: Sequence[Column], rows: Iterable[Sequence[object]], *, empty: str = "") -> int:
    """Show rows; returns how many. Piped, each is written as it comes. `empty` is said when there is none."""
    shown = _drawn(columns, rows) if console().is_terminal else _piped(columns, rows)
    if not shown and empty:
        errors().print(Text(empty, style=QUIET))
    return shown


def line(text: str, style: str = "") -> None:
    """Write one line of result."""
    console().print(Text(visible(text), style=style), soft_wrap=True)


def aside(text: str) -> None:
    """Say something beside the results, to persons only: a hint, what comes next."""
    errors().print(Text(visible(text), style=QUIET), soft_wrap=True)


def json_line(told: object) -> None:
    """Write one JSON object on a line of its own."""
    sys.stdout.write(json.dumps(told, ensure_ascii=False, default=str) + "\n")


def tell(fault: Fault) -> None:
    """Tell a fault: what, where, what to do."""
    out = errors()
    what = "\n".join(map(visible, fault.what.splitlines()))  # a list of faults has a line for each
    out.print(Text.assemble(("duly: ", BAD), what), soft_wrap=True)
    for heading, text in (("where", fault.where), ("to do", fault.todo)):
        if text:
            out.print(Text.assemble((f"  {heading}  ", QUIET), visible(text)), soft_wrap=True)


def usage(error: CycloptsError) -> Text:
    """What is wrong with a command line, in the style of a fault."""
    said = str(error).partition(" Available commands:")[0]
    asked = " ".join(["duly", *(error.command_chain or ())])
    return Text.assemble(("duly: ", BAD), visible(said), ("\n  to do  ", QUIET), f"{asked} --help")


@contextmanager
def progress(doing: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A progress bar on stderr; gives the function that advances it. Nothing is shown when stderr is piped."""
    if not errors().is_terminal:
        yield lambda _count: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    parts = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*parts, console=errors(), transient=True) as bar:
        task = bar.add_task(doing, total=total)
        yield lambda count: bar.advance(task, count)


def counted(number: int, noun: str) -> str:
    """A number with its noun: `1 notice`, `2 notices`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def visible(text: str) -> str:
    """The text with every character that could steer a terminal or hide shown as U+FFFD."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, Stacked):
        return "; ".join(filter(None, map(_cell, value)))
    if isinstance(value, list | tuple):
        return ", ".join(_cell(part) for part in value)
    return visible(str(value))


def _drawn(columns: Sequence[Column], rows: Iterable[Sequence[object]]) -> int:
    drawn = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False, expand=False)
    for column in columns:
        drawn.add_column(
            column.heading,
            justify="right" if column.number else "left",
            no_wrap=not column.fold,
            overflow="fold" if column.fold else "ellipsis",
        )
    for row in rows:
        drawn.add_row(*map(_text, row))
    if drawn.row_count:
        console().print(drawn)
    return drawn.row_count


def _text(value: object) -> Text:
    first, *rest = map(_cell, value) if isinstance(value, Stacked) else (_cell(value),)
    quiet = [(f"\n{text}", QUIET) for text in rest if text]
    return Text.assemble(Text(first, style=TONES.get(first, "")), *quiet)


def _piped(columns: Sequence[Column], rows: Iterable[Sequence[object]]) -> int:
    count = 0
    for row in rows:
        if not count:
            sys.stdout.write("\t".join(column.heading for column in columns) + os.linesep)
        sys.stdout.write("\t".join(_cell(value) for value in row) + os.linesep)
        count += 1
    return count
