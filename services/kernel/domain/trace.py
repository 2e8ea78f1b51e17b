"""Which trace a notice belongs to: upstream's, if it gave one with the request, else the one that follows from its id.

Nothing is random: whoever knows a notice knows its trace, in every process, today and when its deadline passes in three
weeks; and what is told twice under one event id names the same span. Standard: W3C Trace Context.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_SAMPLED = 1
_TRACE_DIGITS = 32
_SPAN_DIGITS = 16


@dataclass(frozen=True, slots=True)
class SpanContext:
    """One span of one trace, by its ids in lower-case hexadecimal. `sampled`: it is recorded."""

    trace_id: str
    span_id: str
    sampled: bool

    @property
    def traceparent(self) -> str:
        """As it travels."""
        return f"00-{self.trace_id}-{self.span_id}-{self.sampled:02x}"

    def but(self, *, sampled: bool) -> SpanContext:
        """The same span, recorded or not."""
        return self if sampled is self.sampled else SpanContext(self.trace_id, self.span_id, sampled)


def parse(traceparent: str | None) -> SpanContext | None:
    """What a `traceparent` says; None if there is none, or none that is valid."""
    found = _TRACEPARENT.fullmatch(traceparent or "")
    if found is None:
        return None
    version, trace_id, span_id, flags = found.groups()
    if version == "ff" or not trace_id.strip("0") or not span_id.strip("0"):
        return None
    return SpanContext(trace_id, span_id, bool(int(flags, 16) & _SAMPLED))


def root_of(notice_id: UUID, given: SpanContext | None = None) -> SpanContext:
    """The span that a notice was born in: all its others descend from it. `given` is what upstream gave as its parent.

    The id is hashed first: samplers take the end of a trace id for evenly spread, which that of a UUIDv7 is not.
    """
    digest = sha256(notice_id.bytes).hexdigest()
    trace_id = given.trace_id if given else digest[:_TRACE_DIGITS]
    return SpanContext(trace_id, digest[_TRACE_DIGITS : _TRACE_DIGITS + _SPAN_DIGITS], given is None or given.sampled)


def span_in(context: SpanContext, *names: str) -> SpanContext:
    """A span of the same trace, whose id follows from what it is called."""
    digest = sha256("\x00".join((context.trace_id, *names)).encode()).hexdigest()
    return SpanContext(context.trace_id, digest[:_SPAN_DIGITS], context.sampled)


def trace_of(*names: str) -> SpanContext:
    """A trace of its own for what is no notice (yet); the names make it the same however often it is asked for."""
    digest = sha256("\x00".join(names).encode()).hexdigest()
    return SpanContext(digest[:_TRACE_DIGITS], digest[_TRACE_DIGITS : _TRACE_DIGITS + _SPAN_DIGITS], sampled=True)
