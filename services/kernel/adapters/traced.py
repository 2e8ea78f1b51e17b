"""Tracing as the settings say: the one place where it is turned on, and nothing is imported while it is off."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from services.kernel.runtime.fault import Exit, Fault
from services.kernel.runtime.settings import TracingSettings, read
from services.kernel.runtime.tracing import trace_with

_LAST_SPANS_SECONDS = 3.0
"""How long a process that has finished may take to send its last spans."""


@contextmanager
def traced(name: str) -> Iterator[None]:
    """Trace what is done within, if the settings say so; at the end, what is kept is sent.

    Raises:
        Fault: a setting is wrong, or the extra is not installed.
    """
    settings = read(TracingSettings)
    if not settings.is_on:
        yield
        return
    try:
        from services.kernel.adapters.tracing import open_tracer  # noqa: PLC0415 -- an extra, and 0.2 s
    except ModuleNotFoundError as missing:
        todo = "install duly[tracing], or set DULY_TRACING=off"
        raise Fault("tracing is not installed", f"no module {missing.name}", todo, code=Exit.USAGE) from missing
    tracer = open_tracer(name, queue=settings.queue)
    trace_with(tracer)
    try:
        yield
    finally:
        trace_with(None)
        tracer.close(_LAST_SPANS_SECONDS)
