"""Ids that sort by the time they were made, and the randomness that spreads retries."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from random import SystemRandom
from threading import Lock
from uuid import UUID

_TAIL_BITS = 74
_TAIL_LIMIT = 1 << _TAIL_BITS
_LOW_BITS = 62
_STEP_BITS = 32
_VERSION_7 = 0x7 << 76
_VARIANT = 0b10 << 62


def _unix_ms() -> int:
    return time.time_ns() // 1_000_000


class SystemIds:
    """UUIDv7 as in RFC 9562 section 5.7, each later than the one before, also when the clock stands or goes back.

    Within a millisecond the 74 random bits are a counter with random steps (RFC 9562 section 6.2, method 2). A clock
    that goes back is not followed: ids go on from the latest millisecond seen. Safe to use from several threads.
    """

    def __init__(
        self, clock: Callable[[], int] = _unix_ms, random_bits: Callable[[int], int] = secrets.randbits
    ) -> None:
        """`clock` gives milliseconds since 1970 (UTC); `random_bits` that many unpredictable bits."""
        self._clock = clock
        self._random_bits = random_bits
        self._lock = Lock()
        self._random = SystemRandom()
        self._ms = -1
        self._tail = 0

    def uuid7(self) -> UUID:
        """The next id."""
        with self._lock:
            self._advance(self._clock())
            ms, tail = self._ms, self._tail
        high, low = tail >> _LOW_BITS, tail & ((1 << _LOW_BITS) - 1)
        return UUID(int=ms << 80 | _VERSION_7 | high << 64 | _VARIANT | low)

    def _advance(self, now: int) -> None:
        if now <= self._ms:
            self._tail += 1 + self._random_bits(_STEP_BITS)
            if self._tail < _TAIL_LIMIT:
                return
        self._ms = max(now, self._ms + 1)
        self._tail = self._random_bits(_TAIL_BITS - 1)  # the highest bit stays free, as room to count

    def jitter(self) -> float:
        """A number in [0, 1), evenly spread."""
        return self._random.random()
