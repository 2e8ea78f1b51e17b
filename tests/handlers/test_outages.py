"""The secure inbox was down: exactly the deadlines that ran out meanwhile move, and the evidence says why."""

from __future__ import annotations

import json
from datetime import timedelta

from services.kernel.domain.notice import Channel, State
from services.kernel.domain.outage import SILENCE
from tests.handlers.bench import Bench
from tests.rig.notices import Made, make


async def served(bench: Bench, ago: timedelta, **properties: str) -> Made:
    """A served notice whose deadline ran out so long ago."""
    made = await make(bench.ledger, State.SERVED, days_ago=21, **properties)
    due = "UPDATE deadline SET due_at = clock_timestamp() - $2::interval WHERE notice_id = $1 RETURNING due_at"
    at = await bench.value(due, made.notice_id, ago)
    await bench.value("UPDATE notice SET deadline_at = $2 WHERE notice_id = $1", made.notice_id, at)
    return made


async def was_up(bench: Bench, begun: timedelta, ended: timedelta) -> None:
    await bench.value(
        "INSERT INTO inbox_up SELECT n - $1::interval, n - $2::interval, n - $2::interval FROM clock_timestamp() AS n",
        begun,
        ended,
    )


async def beat(bench: Bench) -> None:
    async with bench.ledger.begin() as tx:
        await tx.beat(SILENCE.total_seconds())


async def moved(bench: Bench, made: Made) -> bool:
    return await bench.value("SELECT deadline_version FROM notice WHERE notice_id = $1", made.notice_id) == 2


async def test_exactly_the_deadlines_that_ran_out_in_two_hours_without_an_inbox_move(bench: Bench) -> None:
    await was_up(bench, timedelta(hours=40), timedelta(hours=3))
    before = [await served(bench, timedelta(hours=3, minutes=m)) for m in (1, 40)]
    meanwhile = [await served(bench, timedelta(hours=1, minutes=m)) for m in (2, 30, 58)]
    by_letter = await served(bench, timedelta(hours=2), channel=Channel.LETTER)
    await was_up(bench, timedelta(hours=1), timedelta(seconds=5))
    after = [await served(bench, timedelta(minutes=m)) for m in (1, 59)]

    assert await bench.lapse() == len([*before, *meanwhile, *after, by_letter])

    assert [await bench.state(made.notice_id) for made in (*before, *after, by_letter)] == ["lapsed"] * 5
    assert [await moved(bench, made) for made in meanwhile] == [True] * 3
    assert [await bench.state(made.notice_id) for made in meanwhile] == ["served"] * 3
    for made in meanwhile:
        fact = json.loads(
            await bench.value(
                "SELECT data FROM notice_event WHERE notice_id = $1 AND kind = 'deadline.extended'", made.notice_id
            )
        )
        assert fact["reason"] == "the secure inbox was down when the deadline ran out"
        assert {"inbox_down_from", "inbox_down_until", "before", "due_on"} <= fact.keys()
    later = await bench.value("SELECT bool_and(deadline_at > clock_timestamp()) FROM notice WHERE deadline_version = 2")
    assert later
    assert await bench.lapse() == 0


async def test_while_the_inbox_is_down_what_runs_out_waits(bench: Bench) -> None:
    await was_up(bench, timedelta(hours=9), timedelta(minutes=30))
    made = await served(bench, timedelta(minutes=20))
    assert await bench.lapse() == 0
    assert await bench.state(made.notice_id) == "served"

    await beat(bench)  # half an hour is shorter than the hour that moves a deadline
    assert await bench.lapse() == 1
    assert await bench.state(made.notice_id) == "lapsed"


async def test_without_any_inbox_deadlines_pass(bench: Bench) -> None:
    made = await served(bench, timedelta(minutes=20))
    assert await bench.lapse() == 1
    assert await bench.state(made.notice_id) == "lapsed"


async def test_beats_make_one_time_of_being_up_and_a_silence_begins_another(bench: Bench) -> None:
    for _ in range(3):
        await beat(bench)
    assert await bench.value("SELECT count(*) FROM inbox_up") == 1
    await bench.value("UPDATE inbox_up SET beat_at = beat_at - interval '2 minutes'")
    await beat(bench)
    assert await bench.value("SELECT count(*) FROM inbox_up") == 2


async def test_a_trial_s_clock_that_jumps_is_no_outage(bench: Bench) -> None:
    await beat(bench)
    await bench.advance(days=20)
    await beat(bench)
    assert await bench.value("SELECT count(*) FROM inbox_up") == 1


async def test_a_moved_deadline_passes_when_it_runs_out_in_turn(bench: Bench) -> None:
    await was_up(bench, timedelta(hours=40), timedelta(hours=3))
    made = await served(bench, timedelta(hours=2))
    await was_up(bench, timedelta(hours=1), timedelta(seconds=5))
    await bench.lapse()
    await bench.advance(days=7)
    await beat(bench)  # the clock jumped; the inbox was not down
    assert await bench.lapse() == 1
    assert await bench.state(made.notice_id) == "lapsed"
    kinds = await bench.column("SELECT kind FROM notice_event WHERE notice_id = $1 ORDER BY seq", made.notice_id)
    assert kinds[-2:] == ["deadline.extended", "notice.lapsed"]
