"""Records of the driver as the port's plain facts."""

from __future__ import annotations

import json
from typing import cast

import asyncpg

from services.kernel.domain.notice import Channel, Notice, Origin, State
from services.kernel.ledger import Attempt, RawEvidence

NOTICE_COLUMNS = tuple(name for name in Notice.__dataclass_fields__ if name != "traceparent")
"""The table's; the trace has a table of its own."""


def notice(record: asyncpg.Record) -> Notice:
    """The hot row of one notice."""
    values = dict(zip(NOTICE_COLUMNS, record, strict=False))  # the table's columns stand in the same order
    values["state"] = State(values["state"])
    values["channel"] = Channel(values["channel"])
    values["origin"] = Origin(values["origin"])
    values["traceparent"] = record.get("traceparent")
    return Notice.of(values)


def attempt(record: asyncpg.Record) -> Attempt:
    """One hand-over of an alert."""
    return Attempt(**dict(record.items()))


def evidence(record: asyncpg.Record) -> RawEvidence:
    """One piece of raw evidence."""
    values = dict(record.items())
    values["headers"] = cast("dict[str, str]", json.loads(record["headers"]))
    values["addresses"] = tuple(record["addresses"])
    return RawEvidence(**values)
