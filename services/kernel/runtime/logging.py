"""Logs: one line an event on stderr, JSON for machines, readable in a terminal, and only facts in it.

What may be logged is a list, not a ban: ids, counts, states, reason codes, durations, and an exception's class and
place. Every other key is kept with its value withheld, so that whoever adds a key sees why it is empty. Messages of
exceptions are withheld too, as drivers quote what they were given; those of a class with `public = True` are ours. An
exception may be passed whole, as `exc_info=error` (class, causes, places) or, in brief, `fault=error`.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections.abc import Mapping, MutableMapping
from contextvars import ContextVar
from datetime import date
from enum import Enum
from pathlib import Path
from typing import TextIO, cast
from uuid import UUID

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor

WITHHELD = "[withheld]"
ROOT = Path(__file__).resolve().parents[3]
LOGGABLE = frozenset(
    """
    notice_id event_id attempt_id deadline_id sanction_id hold_id evidence_id item_id outbox_id campaign_id trace_id
    source source_ref regime notice_type template_version matter business_id message_type message_version migration
    state previous_state verdict outcome effect reason reasons type kind fault error phase smtp_code enhanced
    channel language trial queue routing_key consumer worker check key signal exit_code
    count total items batch size bytes attempt attempts taken settled requeued published unsent unconfirmed refused
    retried dead fired waited blocked sent held served unserved replayed due claimed rescued seq version
    deadline_version seconds milliseconds after_seconds age_seconds linger_seconds due_at deadline_at at on
    host port door pid folder file line zone
    """.split()  # noqa: SIM905 -- read as prose
)
rehearsing: ContextVar[bool] = ContextVar("rehearsing", default=False)
"""Whether what is done now is a rehearsal: nothing of it happens, so nothing of it is logged."""
_EVENT = re.compile(r"[a-z][a-z0-9_-]*\.[a-z][a-z0-9_-]*")
_KEY = re.compile(r"[a-z_][a-z0-9_]{0,40}")
_CODE = re.compile(r"[A-Za-z0-9_.:/+-]{1,200}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,80}")
_NAMES = dict.fromkeys(("worker", "consumer", "error", "fault"), _NAME)
"""Keys that hold the name of a worker or of an exception's class, and no other code."""
_MOST_PARTS = 20
_MOST_FRAMES = 20
_MESSAGE = 500


def configure(worker: str, level: str = "info", stream: TextIO | None = None) -> None:
    """Set up logging for this process; standard-library logging (asyncio, drivers) goes the same way, filtered.

    Args:
        worker: the name that every line bears, unless it names another: `duly up` runs them all in one process.
        level: the least that is written: debug, info, warning or error.
        stream: where to; stderr if None.
    """
    out = stream or sys.stderr
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=processors(worker, human=out.isatty()),
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(handlers=[_Libraries()], level=max(number, logging.WARNING), force=True)


def logger() -> FilteringBoundLogger:
    """The logger. Events are `noun.verb`, facts are keywords of `LOGGABLE`: `log.info("batch.settle", items=200)`."""
    return cast("FilteringBoundLogger", structlog.get_logger())


def processors(worker: str, *, human: bool) -> list[Processor]:
    """What each event passes through, in order. The filter comes before anything that we add ourselves."""

    def named(_logger: object, _method: str, event: EventDict) -> EventDict:
        return {**event, "worker": event.get("worker", worker)}

    last: Processor = structlog.dev.ConsoleRenderer() if human else structlog.processors.JSONRenderer(sort_keys=False)
    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp")
    context, add_level = structlog.contextvars.merge_contextvars, structlog.processors.add_log_level
    return [_in_earnest, context, withhold, add_level, stamp, named, last]


def _in_earnest(_logger: object, _method: str, event: EventDict) -> EventDict:
    if rehearsing.get():
        raise structlog.DropEvent
    return event


def withhold(_logger: object, _method: str, event: MutableMapping[str, object]) -> EventDict:
    """Let through what may be logged; see the module."""
    error = _error(event.pop("exc_info", None))
    name = str(event.pop("event", ""))
    clean: EventDict = {"event": name if _EVENT.fullmatch(name) else WITHHELD}
    for key, value in event.items():
        shown = key if _KEY.fullmatch(key) else "withheld_key"
        clean[shown] = _shown(value, _NAMES.get(key, _CODE)) if key in LOGGABLE else WITHHELD
    return {**clean, **(_told(error) if error else {})}


def _shown(value: object, code: re.Pattern[str]) -> object:
    """A fact as it may be written: a number, an instant, an id, a code, an exception, or a few of these."""
    if value is None or (isinstance(value, bool | int | float) and not isinstance(value, Enum)):
        return value
    if isinstance(value, BaseException):
        return _message(value) or _class(value)
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list | tuple | set | frozenset):
        return [_shown(part, code) for part in list(value)[:_MOST_PARTS]]
    text = str(value.value if isinstance(value, Enum) else value) if isinstance(value, str | Enum | Path) else ""
    return text if code.fullmatch(text) else WITHHELD


def _error(exc_info: object) -> BaseException | None:
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        return cast("BaseException | None", exc_info[1])
    return sys.exc_info()[1] if exc_info else None


def _told(error: BaseException) -> Mapping[str, object]:
    """An exception by its class, causes and places; its message only if it is made to be read."""
    frames = traceback.extract_tb(error.__traceback__)[-_MOST_FRAMES:]
    told: dict[str, object] = {"error": _class(error), "frames": [_place(frame) for frame in frames]}
    causes = _causes(error)
    if causes:
        told["causes"] = causes
    message = _message(error)
    return {**told, "message": message} if message else told


def _message(error: BaseException) -> str:
    """What the exception says, if it is made to be read (`public = True` on its class), else nothing."""
    if getattr(type(error), "public", False) is not True:
        return ""
    return re.sub(r"[\x00-\x1f\x7f]", " ", str(error))[:_MESSAGE]


def _causes(error: BaseException) -> list[str]:
    causes: list[str] = []
    cause = error.__cause__ or error.__context__
    while cause is not None and len(causes) < _MOST_PARTS:
        causes.append(_class(cause))
        cause = cause.__cause__ or cause.__context__
    return causes


def _class(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}"


def _place(frame: traceback.FrameSummary) -> str:
    """`file:line function`, the file as seen from the project or from its package folder."""
    file = Path(frame.filename)
    if file.is_relative_to(ROOT):
        file = file.relative_to(ROOT)
    shown = str(file).rpartition("site-packages/")[2]
    return f"{shown}:{frame.lineno} {frame.name}"


class _Libraries(logging.Handler):
    """What libraries report through standard logging: who, how bad, and where; never their words."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one report."""
        level = record.levelname.lower()
        write = getattr(logger(), level if level in {"warning", "error", "critical"} else "warning")
        write("library.report", source=record.name, file=record.filename, line=record.lineno, exc_info=record.exc_info)
