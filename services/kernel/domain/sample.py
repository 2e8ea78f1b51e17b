"""How much of a brake batch a person must have looked at before it is released, and which of it.

All of up to 5; of more, as many as the square root, rounded up, but at least 5 and at most 50. A fault in every tenth
case is missed by a sample of 5 in 59 % of all draws, of 15 (a batch of 225) in 21 %, of 50 (2,500 and more) in 0.5 %.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isqrt

LEAST, MOST = 5, 50


def sample_size(total: int) -> int:
    """How many of so many are looked at."""
    root = isqrt(total - 1) + 1 if total > 0 else 0  # the square root, rounded up, without floating point
    return min(total, max(LEAST, min(MOST, root)))


def draw(total: int, chance: Callable[[], float]) -> tuple[int, ...]:
    """Which of the numbers 1 to `total` are looked at, in order; each subset of that size is equally likely.

    `chance` gives numbers in [0, 1), evenly spread.
    """
    taken: set[int] = set()
    for highest in range(total - sample_size(total) + 1, total + 1):  # Floyd's sampling without replacement
        number = 1 + int(chance() * highest)
        taken.add(highest if number in taken else number)
    return tuple(sorted(taken))
