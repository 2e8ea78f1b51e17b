"""UUIDv7 (RFC 9562 section 5.7): version, variant, time, and an order that nothing turns back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import pairwise
from uuid import RFC_4122, UUID

from services.kernel.adapters.ids import SystemIds

MS = 1_772_442_900_123


def clock(*readings: int) -> SystemIds:
    times: Iterator[int] = iter(readings)
    return SystemIds(lambda: next(times))


def millisecond(made: UUID) -> int:
    return made.int >> 80


def test_id_is_version_7_of_the_rfc_s_variant_and_begins_with_the_millisecond() -> None:
    made = clock(MS).uuid7()
    assert (made.version, made.variant, millisecond(made)) == (7, RFC_4122, MS)


def test_layout_puts_every_random_bit_where_the_rfc_says() -> None:
    made = SystemIds(lambda: 0x017F22E279B0, lambda _bits: 0xCC3 << 62 | 0x18C4DC0C0C07398F).uuid7()
    assert str(made) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"  # RFC 9562, appendix A.6


def test_ids_of_one_millisecond_ascend() -> None:
    ids = clock(*[MS] * 2000)
    made = [ids.uuid7() for _ in range(2000)]
    assert all(earlier < later for earlier, later in pairwise(made))
    assert {millisecond(one) for one in made} == {MS}


def test_a_clock_that_goes_back_is_not_followed() -> None:
    ids = clock(MS, MS - 60_000, MS - 1, MS + 1)
    made = [ids.uuid7() for _ in range(4)]
    assert made == sorted(set(made))
    assert [millisecond(one) for one in made] == [MS, MS, MS, MS + 1]


def test_a_full_counter_borrows_from_the_next_millisecond() -> None:
    ids = SystemIds(lambda: MS, lambda bits: (1 << bits) - 1)
    ids.uuid7()
    ids._tail = (1 << 74) - 1
    later = ids.uuid7()
    assert millisecond(later) == MS + 1
    assert later.version == 7
    assert ids.uuid7() > later


def test_ids_of_several_threads_are_all_different() -> None:
    ids = SystemIds()
    made: list[UUID] = []
    threads = [threading.Thread(target=lambda: made.extend(ids.uuid7() for _ in range(2000))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 8000


def test_two_processes_do_not_make_the_same_ids() -> None:
    one, other = SystemIds(lambda: MS), SystemIds(lambda: MS)
    assert not {one.uuid7() for _ in range(500)} & {other.uuid7() for _ in range(500)}


def test_jitter_is_at_least_0_and_below_1() -> None:
    ids = SystemIds()
    drawn = [ids.jitter() for _ in range(1000)]
    assert all(0 <= one < 1 for one in drawn)
    assert min(drawn) < 0.2
    assert max(drawn) > 0.8
