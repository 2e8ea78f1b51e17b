"""A lane for each destination: so many posts at a time, and a circuit that opens while nothing gets through."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

FAILURES_MOST = 5
"""Failures in a row that open the circuit."""
_PAUSE_FIRST, _PAUSE_MOST = 10.0, 300.0


@dataclass(slots=True)
class Lane:
    """One destination. While its circuit is open, one post every so often tries whether it is back.

    `clock` is monotonic, in seconds.
    """

    turns: asyncio.Semaphore
    clock: Callable[[], float]
    _failures: int = 0
    _again_at: float = field(default=0.0)

    def may_try(self) -> bool:
        """Whether to post now; with an open circuit, whoever may is the only one until the next pause is over."""
        if self._failures < FAILURES_MOST:
            return True
        if self.clock() < self._again_at:
            return False
        self._again_at = self.clock() + self._pause()
        return True

    def answered(self, *, taken: bool) -> None:
        """Count what came of a post."""
        self._failures = 0 if taken else self._failures + 1
        self._again_at = self.clock() + self._pause()

    def _pause(self) -> float:
        return float(min(_PAUSE_MOST, _PAUSE_FIRST * 2.0 ** min(16, max(0, self._failures - FAILURES_MOST))))


class Lanes:
    """The lanes of one process, by scheme, host and port."""

    def __init__(self, at_once: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._at_once, self._clock = at_once, clock
        self._lanes: dict[tuple[str, str], Lane] = {}

    def of(self, url: str) -> Lane:
        """The lane to this URL."""
        parts = urlsplit(url)
        place = (parts.scheme, parts.netloc.lower())
        if place not in self._lanes:
            self._lanes[place] = Lane(asyncio.Semaphore(self._at_once), self._clock)
        return self._lanes[place]
