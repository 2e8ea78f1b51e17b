"""The random sample of a brake batch."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from services.kernel.domain.sample import draw, sample_size


@pytest.mark.parametrize(
    ("total", "size"),
    [(0, 0), (1, 1), (5, 5), (6, 5), (25, 5), (26, 6), (36, 6), (37, 7), (100, 10), (101, 11), (2304, 48), (2401, 49),
     (2402, 50), (2501, 50), (50_000, 50)],
)  # fmt: skip
def test_the_sample_is_all_of_five_else_the_root_from_five_to_fifty(total: int, size: int) -> None:
    assert sample_size(total) == size


@pytest.mark.parametrize("total", [1, 5, 6, 40, 3000])
def test_each_drawn_number_is_in_the_batch_and_drawn_once(total: int) -> None:
    drawn = draw(total, Random(7).random)
    assert len(drawn) == len(set(drawn)) == sample_size(total)
    assert list(drawn) == sorted(drawn)
    assert 1 <= drawn[0] <= drawn[-1] <= total


@pytest.mark.parametrize("chance", [0.0, 1 - 2**-53])
def test_the_ends_of_chance_stay_within_the_batch(chance: float) -> None:
    drawn = draw(100, lambda: chance)
    assert len(set(drawn)) == 10
    assert 1 <= min(drawn) <= max(drawn) <= 100


def test_every_case_is_as_likely_as_every_other() -> None:
    random = Random(20261122)
    seen = Counter(number for _ in range(6000) for number in draw(12, random.random))
    assert set(seen) == set(range(1, 13))
    assert max(abs(count - 2500) for count in seen.values()) < 200  # 2500 expected, its deviation 38
