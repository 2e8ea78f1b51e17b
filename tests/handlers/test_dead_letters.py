"""Dead letters: what they hold up, groups, runs that rehearse and replay, acts of persons, edits by two of them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import asyncpg
import pytest

from services.kernel.domain.impact import Impact
from services.kernel.domain.verdict import Verdict
from services.kernel.runtime.dead_letters import acts, edits, runs
from services.kernel.runtime.dead_letters.choice import By, Chosen
from services.kernel.runtime.dead_letters.records import Ended, Kind
from services.kernel.runtime.desk import Word
from services.kernel.runtime.fault import Fault
from tests.handlers.bench import IDS, Bench, item
from tests.handlers.dead_letter_bench import DEAD, LEWIS, MOORE, Letters, letters_on
from tests.handlers.test_batches import break_at
from tests.rig.system import fee_outstanding

PAID: dict[str, Any] = {"source": "bank", "type": "obligation.satisfied.v1", "data": {}}


@pytest.fixture
async def letters(bench: Bench) -> AsyncIterator[Letters]:
    async with letters_on(bench) as made:
        yield made


def requests(number: int, **values: Any) -> list[dict[str, Any]]:
    return [fee_outstanding(f"n{each}", **values) for each in range(number)]


# --- what they have in common -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("gave up after 7 attempts: KeyError at handler.py:123", "KeyError at handler.py:123"),
        ("KeyError at handler.py:12345", "KeyError at handler.py:12345"),
        ("the broker user 'alice' does not speak for x", "the broker user … does not speak for x"),
        ("no notice 0190a0b0-0000-7000-8000-000000000001", "no notice …"),
        ("mail to someone@example.org, refused", "mail to …, refused"),
        ("70123 bytes are more than this type may have", "… bytes are more than this type may have"),
        ("the source's rules and the notice's differ", "the source's rules and the notice's differ"),
    ],
)
async def test_a_cause_is_a_reason_without_what_differs_from_item_to_item(
    bench: Bench, reason: str, cause: str
) -> None:
    assert await bench.value("SELECT failure_cause($1)", reason) == cause


async def test_groups_say_what_is_gravest_first(letters: Letters) -> None:
    await letters.die(*requests(3))
    await letters.die(PAID, worker="intake", reason="data.x: odd")
    first, second = await letters.desk.letter_groups(DEAD, By.CAUSE_AND_IMPACT)
    assert (first.worker, first.impact, first.number) == ("intake", Impact.BLOCKS_SANCTION, 1)
    data = fee_outstanding("n")["data"]
    assert (second.impact, second.gravest, second.number) == (Impact.DEADLINE_AT_RISK, Impact.DEADLINE_AT_RISK, 3)
    assert (second.template, second.cause) == (f"{data['regime']}/{data['notice_type']}", "KeyError at handler.py:9")


SERVED = "alert_accepted_at = now(), served_at = now(), deemed_on = now(), deadline_at = now(), deadline_version = 1"
DATED = {
    "rendered": "rendered_at = now()",
    "served": SERVED,
    "lapsed": f"{SERVED}, lapsed_at = now()",
    "withdrawn": "withdrawn_at = now()",
}
"""What a notice in this state bears, as the database sees to."""


@pytest.mark.parametrize(
    ("worker", "standing", "impact"),
    [
        ("notifier", {"notice": "rendered"}, Impact.DEADLINE_AT_RISK),
        ("notifier", {"notice": "served"}, Impact.HARMLESS),
        ("notifier", {"notice": "withdrawn"}, Impact.HARMLESS),
        ("notifier", {}, Impact.DEADLINE_AT_RISK),
        ("sanctions", {"notice": "lapsed"}, Impact.DEADLINE_AT_RISK),
        ("sanctions", {"notice": "served"}, Impact.HARMLESS),
        ("renderer", {}, Impact.DEADLINE_AT_RISK),
        ("renderer", {"done": True}, Impact.HARMLESS),
        ("renderer", {"state": "resolved"}, Impact.HARMLESS),
        ("intake", {}, Impact.BLOCKS_SANCTION),
        ("intake", {"state": "discarded"}, Impact.HARMLESS),
        ("intake", {"evidence": "dead"}, Impact.BLOCKS_SANCTION),
        ("intake", {"evidence": "dead", "state": "discarded"}, Impact.BLOCKS_SANCTION),
        ("bounces", {"evidence": "dead", "notice": "withdrawn"}, Impact.BLOCKS_SANCTION),
        ("responses", {"evidence": "cleared"}, Impact.HARMLESS),
        ("bounces", {}, Impact.HARMLESS),
        ("webhooks", {"owed": True}, Impact.UPSTREAM_WAITS),
        ("webhooks", {}, Impact.HARMLESS),
        ("unknown", {}, Impact.DEADLINE_AT_RISK),
    ],
)
async def test_the_impact_is_what_waits_for_it_now(
    letters: Letters, worker: str, standing: dict[str, Any], impact: Impact
) -> None:
    bench = letters.bench
    notice_id = await bench.rendered(fee_outstanding("its-notice"))
    [failed_id] = await letters.die({**fee_outstanding("n"), "id": "e-1"}, worker=worker)
    pool = bench.ledger.pool
    if "notice" in standing:
        await pool.execute("ALTER TABLE notice DISABLE TRIGGER notice_state")
        await pool.execute(f"UPDATE notice SET {DATED[standing['notice']]}, state = $1", standing["notice"])
        await pool.execute("UPDATE failed_item SET notice_id = $1", notice_id)
    if "evidence" in standing:
        await pool.execute(
            "INSERT INTO raw_evidence (evidence_id, door, received_at, content_type, headers, body, state) "
            "VALUES ($1, 'amqp', now(), '', '{}', '', $2)", failed_id, standing["evidence"],
        )  # fmt: skip
        await pool.execute("UPDATE failed_item SET evidence_id = failed_id")
    if "done" in standing:
        await pool.execute(
            "INSERT INTO processed (consumer, source, event_id, subject, outcome) "
            "SELECT worker, source, event_id, subject, 'done' FROM failed_item"
        )
    if "owed" in standing:
        await pool.execute("INSERT INTO webhook_delivery (outbox_id, source) VALUES (258, 'x')")
        await pool.execute("UPDATE failed_item SET subject = '00000000-0000-0000-0000-000000000102'")
    if "state" in standing:
        await pool.execute("UPDATE failed_item SET state = $1", standing["state"])
    [found] = await letters.desk.letters(Chosen(), 10)
    assert found.impact is impact


async def test_cancelling_a_rehearsal_leaves_nothing_out(letters: Letters) -> None:
    await letters.die(*requests(2))
    run = await letters.begin(Kind.REHEARSAL)
    taken = await letters.hand_out()
    await runs.cancel(letters.desk, run.run_id, LEWIS)
    await letters.work(taken)
    ended = await letters.desk.run(run.run_id)
    assert ended is not None
    assert (ended.out, ended.outcomes) == (0, {"cancelled": 2})
    assert await letters.bench.value("SELECT count(*) FROM notice") == 0


async def test_every_field_of_a_choice_leaves_out_what_it_does_not_mean(letters: Letters) -> None:
    one, other = await letters.die(fee_outstanding("n1"), fee_outstanding("n2", business_id="B-77"))
    [intake] = await letters.die(PAID, worker="intake", reason="odd")
    for chosen, expected in [
        (Chosen(ids=(one,)), {one}),
        (Chosen(worker="intake"), {intake}),
        (Chosen(type="notice.requested.v1"), {one, other}),
        (Chosen(cause="odd"), {intake}),
        (Chosen(impact=Impact.BLOCKS_SANCTION), {intake}),
        (Chosen(text="B-77"), {other}),
        (Chosen(text=str(one)[-12:].upper()), {one}),
        (Chosen(states=("retry",)), set()),
    ]:
        assert {each.failed_id for each in await letters.desk.letters(chosen, 10)} == expected, chosen
        assert await letters.desk.letter_count(chosen) == len(expected)


async def test_a_list_goes_on_where_its_last_page_ended(letters: Letters) -> None:
    died = await letters.die(*requests(5))
    seen, after = [], None
    while page := await letters.desk.letters(DEAD, 2, after):
        seen += [each.failed_id for each in page]
        after = page[-1].after
    assert seen == died


async def test_a_failed_request_names_its_notice_type_before_there_is_a_notice(
    letters: Letters, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        break_at(broken, "n", RuntimeError())
        await letters.bench.run(letters.bench.renderer, [item(fee_outstanding("n"))])
    data = fee_outstanding("n")["data"]
    assert await letters.bench.value("SELECT notice_type FROM failed_item") == f"{data['regime']}/{data['notice_type']}"


async def test_one_is_shown_whole_with_its_notice_beside_it(letters: Letters) -> None:
    notice_id = await letters.bench.rendered(fee_outstanding("n"))
    [failed_id] = await letters.die(fee_outstanding("n"))
    await letters.bench.value("UPDATE failed_item SET notice_id = $1 RETURNING 1", notice_id)
    await acts.note(letters.desk, IDS, failed_id, Word("C. Ito", "asked the register"))
    whole = await letters.desk.letter_whole(failed_id)
    assert whole is not None
    assert whole.beside is not None
    assert whole.beside.notice_id == notice_id
    assert whole.beside.state == "rendered"
    assert [fact.kind for fact in whole.beside.timeline] == ["notice.accepted", "notice.rendered"]
    assert whole.decoded.fault is None
    assert whole.decoded.envelope
    assert json.loads(whole.decoded.data or "")["source_ref"] == "n"
    assert [(note.actor, note.reason) for note in whole.notes] == [("C. Ito", "asked the register")]
    assert [attempt.error for attempt in whole.attempts] == ["KeyError"]


# --- rehearsals -------------------------------------------------------------------------------------------------------


async def verdicts(letters: Letters, chosen: Chosen = DEAD) -> dict[str, tuple[Any, str, tuple[str, ...]]]:
    run = await letters.drive(await letters.begin(Kind.REHEARSAL, chosen))
    assert run.state == "finished"
    items = await letters.desk.run_items(run.run_id, 100)
    return {str(each.failed_id): (each.outcome, each.why, each.effects) for each in items}


async def test_a_rehearsal_says_what_would_follow_and_nothing_of_it_happens(letters: Letters) -> None:
    [failed_id] = await letters.die(fee_outstanding("n"))
    (verdict, why, effects) = (await verdicts(letters))[str(failed_id)]
    assert (verdict, why) == (Verdict.SAFE, "")
    assert any(effect.startswith("a notice is issued") for effect in effects), effects
    for table in ("notice", "outbox", "processed", "failed_item_action"):
        assert await letters.bench.value(f"SELECT count(*) FROM {table}") == 0, table
    row = await letters.bench.ledger.pool.fetchrow("SELECT state, attempts, replays, reason FROM failed_item")
    assert tuple(row) == ("dead", 7, 0, "KeyError at handler.py:9")


async def test_a_rehearsal_finds_what_would_fail_again_be_refused_or_was_done(
    letters: Letters, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails, refused, over, done = await letters.die(
        fee_outstanding("fails"), fee_outstanding("refused", address="nowhere"),
        fee_outstanding("over", respond_by="2020-01-01"), {**fee_outstanding("done"), "id": "known"},
    )  # fmt: skip
    await letters.bench.run(letters.bench.renderer, [item({**fee_outstanding("done"), "id": "known"})])
    break_at(monkeypatch, "fails", RuntimeError("content that must not be kept"))
    said = await verdicts(letters)
    assert said[str(fails)][0] is Verdict.UNSAFE
    assert said[str(fails)][1].startswith("RuntimeError at ")
    assert said[str(refused)][0] is Verdict.UNSAFE
    assert "refused: address" in said[str(refused)][1]
    assert said[str(over)][0] is Verdict.EXPIRED, said[str(over)]
    assert said[str(done)][0] is Verdict.ALREADY_DONE


async def test_a_header_that_no_run_knows_makes_no_rehearsal(letters: Letters) -> None:
    [failed_id] = await letters.die(fee_outstanding("n"))
    [delivery] = await _handed(letters, Kind.REPLAY)
    forged = replace(delivery, headers={**delivery.headers, "duly-rehearsal": str(IDS.uuid7())})
    await letters.work([forged])
    assert await letters.bench.value("SELECT count(*) FROM notice") == 1
    assert await letters.state(failed_id) == "resolved"


async def test_a_rehearsal_that_comes_twice_is_not_run_for_real(letters: Letters) -> None:
    await letters.die(fee_outstanding("n"))
    [delivery] = await _handed(letters, Kind.REHEARSAL)
    await letters.work([delivery])
    await letters.work([delivery])
    assert await letters.bench.value("SELECT count(*) FROM notice") == 0


async def test_a_rehearsal_over_which_workers_die_is_unsafe(letters: Letters) -> None:
    [failed_id] = await letters.die(fee_outstanding("n"))
    [delivery] = await _handed(letters, Kind.REHEARSAL)
    run_id = await letters.bench.value("SELECT run_id FROM replay_run")
    for _ in range(4):  # each dies after this
        await letters.bench.ledger.rehearsal_again((run_id, failed_id))
    await letters.work([replace(delivery, redelivered=True)])
    [found] = await letters.desk.run_items(run_id, 10)
    assert (found.outcome, found.why) == (Verdict.UNSAFE, "its worker died over it")


async def _handed(letters: Letters, kind: Kind) -> list[Any]:
    await letters.begin(kind)
    return await letters.hand_out()


# --- replays ----------------------------------------------------------------------------------------------------------


async def test_a_replay_goes_on_in_growing_batches_and_every_item_is_done_once(letters: Letters) -> None:
    await letters.die(*requests(30))
    run = await letters.begin()
    sizes = []
    while (found := await letters.desk.run(run.run_id)) and found.state == "running":
        taken = await letters.hand_out()
        sizes += [len(taken)] if taken else []
        await letters.work(taken)
    assert sizes == [1, 2, 5, 20, 2]
    assert (found.state, found.outcomes) == ("finished", {"done": 30})
    assert await letters.bench.value("SELECT count(*) FROM notice") == 30
    assert await letters.bench.value("SELECT count(*) FROM failed_item WHERE state = 'resolved' AND replays = 1") == 30
    assert await letters.bench.column("SELECT DISTINCT actor || action || reason FROM failed_item_action") == [
        "A. Lewisreplaythe text is mended"
    ]


async def test_a_replayed_message_keeps_its_id_and_destination_and_bears_a_mark(letters: Letters) -> None:
    [failed_id] = await letters.die({**fee_outstanding("n"), "id": "e-1"})
    [delivery] = await _handed(letters, Kind.REPLAY)
    run_id = await letters.bench.value("SELECT run_id FROM replay_run")
    assert delivery.routing_key == "notice.requested.v1"
    assert json.loads(delivery.body)["id"] == "e-1"
    assert delivery.headers["duly-replayed"] == f"1 {run_id}"
    assert delivery.headers["duly-failed-id"] == str(failed_id)


async def test_a_replay_stops_where_one_fails_again_and_goes_on_from_one_when_resumed(
    letters: Letters, monkeypatch: pytest.MonkeyPatch
) -> None:
    died = await letters.die(*requests(12))
    run = await letters.begin()
    with monkeypatch.context() as broken:
        break_at(broken, "n4", RuntimeError())
        stopped = await letters.drive(run)
    assert stopped.state == "stopped"
    assert stopped.why.startswith("failed again: RuntimeError at ")
    assert stopped.outcomes == {"done": 7, "failed": 1}
    kept = "SELECT state, history FROM failed_item WHERE failed_id = $1"
    row = await letters.bench.ledger.pool.fetchrow(kept, died[4])
    assert row["state"] == "dead"
    assert len(json.loads(row["history"])) == 2, "one attempt, and its whole history"
    await runs.resume(letters.desk, run.run_id, LEWIS)
    taken = await letters.hand_out()
    assert len(taken) == 1
    await letters.work(taken)
    finished = await letters.drive(run)
    assert (finished.state, finished.outcomes) == ("finished", {"done": 11, "failed": 1})


async def test_a_retry_of_a_replay_is_dead_at_once(letters: Letters, monkeypatch: pytest.MonkeyPatch) -> None:
    [failed_id] = await letters.die(fee_outstanding("n0"))
    run = await letters.begin()
    break_at(monkeypatch, "n0", RuntimeError())
    ended = await letters.drive(run)
    assert ended.outcomes == {"failed": 1}
    assert await letters.state(failed_id) == "dead"
    assert await letters.bench.value("SELECT next_at FROM failed_item") is None


async def test_what_a_worker_of_the_version_before_would_try_again_is_dead(letters: Letters) -> None:
    [failed_id] = await letters.die(fee_outstanding("n"))
    await _handed(letters, Kind.REPLAY)
    await letters.bench.value("UPDATE failed_item SET state = 'retry', next_at = clock_timestamp() RETURNING 1")
    await letters.hand_out()
    assert await letters.state(failed_id) == "dead"
    assert await letters.bench.value("SELECT outcome FROM replay_item") == "failed"


async def test_replays_of_one_reference_in_one_batch_are_not_in_each_others_way(letters: Letters) -> None:
    await letters.die(fee_outstanding("n"), fee_outstanding("n"), fee_outstanding("m"))
    run = await letters.drive(await letters.begin(steps=(10,)))
    assert (run.state, run.outcomes) == ("finished", {"done": 3})
    assert await letters.bench.value("SELECT count(*) FROM notice") == 2


async def test_what_was_handed_out_and_lost_is_handed_out_again(letters: Letters) -> None:
    await letters.die(*requests(1))
    await _handed(letters, Kind.REPLAY)
    assert await letters.hand_out() == []
    await letters.bench.value("UPDATE replay_item SET handed_at = handed_at - interval '31 s' RETURNING 1")
    [again] = await letters.hand_out()
    await letters.work([again])
    await letters.hand_out()
    assert await letters.bench.value("SELECT state FROM replay_run") in {"running", "finished"}
    assert await letters.bench.value("SELECT outcome FROM replay_item") == "done"
    assert await letters.bench.value("SELECT replays FROM failed_item") == 1


async def test_a_copy_that_comes_after_the_end_is_no_other_attempt(
    letters: Letters, monkeypatch: pytest.MonkeyPatch
) -> None:
    [failed_id] = await letters.die(fee_outstanding("n0"))
    [copy] = await _handed(letters, Kind.REPLAY)
    with monkeypatch.context() as broken:
        break_at(broken, "n0", RuntimeError())
        await letters.work([copy])
    await letters.hand_out()
    await letters.work([copy])
    assert await letters.state(failed_id) == "dead"
    assert await letters.bench.value("SELECT count(*) FROM notice") == 0
    assert await letters.bench.value("SELECT jsonb_array_length(history) FROM failed_item") == 2


async def test_cancelling_lets_what_is_out_end_and_leaves_the_rest(letters: Letters) -> None:
    died = await letters.die(*requests(4))
    run = await letters.begin(steps=(2,))
    taken = await letters.hand_out()
    await runs.cancel(letters.desk, run.run_id, MOORE)
    await letters.work(taken)
    await letters.hand_out()
    ended = await letters.desk.run(run.run_id)
    assert ended is not None
    assert (ended.state, ended.why, ended.changed_by) == ("cancelled", "agreed", "B. Moore")
    assert ended.outcomes == {"done": 2, "cancelled": 2}
    assert [await letters.state(each) for each in died] == ["resolved"] * 2 + ["dead"] * 2
    with pytest.raises(Fault, match="cancelled already"):
        await runs.resume(letters.desk, run.run_id, LEWIS)


async def test_an_item_is_in_one_open_replay_at_most(letters: Letters) -> None:
    await letters.die(*requests(2))
    await letters.begin()
    with pytest.raises(Fault, match="another run has it"):
        await letters.begin()
    assert (await letters.begin(Kind.REHEARSAL)).total == 2


async def test_what_a_person_changed_meanwhile_is_left(letters: Letters) -> None:
    died = await letters.die(*requests(2))
    run = await letters.begin()
    assert await acts.discard(letters.desk, IDS, Chosen(ids=(died[1],)), LEWIS) == 1
    ended = await letters.drive(run)
    assert (ended.state, ended.outcomes) == ("finished", {"done": 1, "left": 1})
    [left] = await letters.desk.run_items(run.run_id, 10, outcome=Ended.LEFT)
    assert left.why == "it is discarded"


async def test_no_more_are_handed_out_than_the_limit_allows(letters: Letters) -> None:
    await letters.die(*requests(10))
    run = await letters.begin(steps=(10,), per_second=2.0)
    assert len(await letters.hand_out()) == 1
    await letters.bench.value("UPDATE replay_run SET paced_at = paced_at - interval '1 minute' RETURNING 1")
    assert len(await letters.hand_out()) == 2, "a pause is not made up for but for a second"
    assert (await letters.desk.run(run.run_id)).total == 10  # type: ignore[union-attr]


@pytest.mark.parametrize("pace", [{"steps": ()}, {"steps": (0,)}, {"per_second": 0.0}, {"per_second": float("nan")}])
async def test_a_pace_that_makes_no_sense_is_refused(letters: Letters, pace: dict[str, Any]) -> None:
    await letters.die(*requests(1))
    with pytest.raises(Fault):
        await letters.begin(**pace)


# --- acts -------------------------------------------------------------------------------------------------------------


async def test_every_act_meets_what_it_fits_and_is_kept_with_who_and_why(letters: Letters) -> None:
    [failed_id] = await letters.die(fee_outstanding("n"))
    every, desk = Chosen(), letters.desk
    assert await acts.hurry(desk, IDS, every, LEWIS) == 0
    assert await acts.discard(desk, IDS, every, LEWIS) == 1
    assert await acts.restore(desk, IDS, every, MOORE) == 1
    await letters.bench.value(
        "UPDATE failed_item SET state = 'retry', next_at = clock_timestamp() + interval '1 h' RETURNING 1"
    )
    assert await acts.hurry(desk, IDS, every, LEWIS) == 1
    assert await letters.bench.value("SELECT next_at <= clock_timestamp() AND attempts = 7 FROM failed_item")
    assert await acts.stop(desk, IDS, every, MOORE) == 1
    assert await letters.state(failed_id) == "dead"
    kept = await letters.bench.ledger.pool.fetch("SELECT action, actor FROM failed_item_action ORDER BY at")
    assert [tuple(row) for row in kept] == [
        ("discard", "A. Lewis"), ("restore", "B. Moore"), ("hurry", "A. Lewis"), ("stop", "B. Moore"),
    ]  # fmt: skip


# --- edits ------------------------------------------------------------------------------------------------------------


def edited(event: dict[str, Any], **changes: Any) -> bytes:
    return json.dumps({**event, "data": {**event["data"], **changes}}).encode()


async def test_an_edit_that_another_person_approves_replaces_the_message_and_replays_it(letters: Letters) -> None:
    event = {"specversion": "1.0", "id": "e-1", **fee_outstanding("n", address="nowhere")}
    [failed_id] = await letters.die(event)
    edit = await edits.propose(letters.desk, IDS, failed_id, edited(event, address="a@example.org"), LEWIS)
    for same in ("A. Lewis", "a. lewis"):
        with pytest.raises(Fault, match="does not approve it"):
            await edits.approve(letters.desk, IDS, edit.edit_id, Word(same, "mine"))
    run = await letters.drive(await edits.approve(letters.desk, IDS, edit.edit_id, MOORE))
    assert (run.state, run.outcomes) == ("finished", {"done": 1})
    assert await letters.bench.value("SELECT address FROM notice") == "a@example.org"
    kept = await letters.bench.column("SELECT action FROM failed_item_action ORDER BY at")
    assert kept == ["propose", "mend", "replay"]
    assert b"nowhere" in await letters.bench.value("SELECT body_before FROM failed_item_action WHERE action = 'mend'")


async def test_the_database_too_refuses_one_persons_approval_of_their_own_edit(letters: Letters) -> None:
    event = {"specversion": "1.0", "id": "e-1", **fee_outstanding("n")}
    [failed_id] = await letters.die(event)
    edit = await edits.propose(letters.desk, IDS, failed_id, edited(event, language="cy"), LEWIS)
    with pytest.raises(asyncpg.CheckViolationError):
        async with letters.desk.begin() as tx:
            await tx.edit_decide(edit, "approved", IDS.uuid7(), Word("a. LEWIS", "mine"))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"source_ref": "other"}, "data.source_ref"), ({"business_id": "B-9"}, "data.business_id"),
        ({"respond_by": "2031-01-01"}, "data.respond_by"), ({"channel": "letter"}, "data.channel"),
        ({"regime": "x", "address": "b@example.org"}, "data.regime"),
    ],
)  # fmt: skip
async def test_what_the_law_rests_on_is_locked_and_named(letters: Letters, changes: dict[str, Any], named: str) -> None:
    event = {"specversion": "1.0", "id": "e-1", **fee_outstanding("n")}
    [failed_id] = await letters.die(event)
    with pytest.raises(Fault, match=named) as refused:
        await edits.propose(letters.desk, IDS, failed_id, edited(event, **changes), LEWIS)
    assert "data.address" not in str(refused.value)
    for attribute in ("id", "source", "type"):
        other = "sanction.objected.v1" if attribute == "type" else "elsewhere"
        with pytest.raises(Fault):
            await edits.propose(letters.desk, IDS, failed_id, json.dumps({**event, attribute: other}).encode(), LEWIS)


async def test_an_edit_is_overtaken_by_any_other_change(letters: Letters) -> None:
    event = {"specversion": "1.0", "id": "e-1", **fee_outstanding("n")}
    [failed_id] = await letters.die(event)
    edit = await edits.propose(letters.desk, IDS, failed_id, edited(event, language="cy"), LEWIS)
    with pytest.raises(Fault, match="waits for approval"):
        await edits.propose(letters.desk, IDS, failed_id, edited(event, language="cy"), MOORE)
    await acts.discard(letters.desk, IDS, Chosen(ids=(failed_id,)), LEWIS)
    await acts.restore(letters.desk, IDS, Chosen(ids=(failed_id,)), LEWIS)
    with pytest.raises(Fault, match="has changed since"):
        await edits.approve(letters.desk, IDS, edit.edit_id, MOORE)
    assert (await letters.desk.edit(edit.edit_id)).state == "overtaken"  # type: ignore[union-attr]


async def test_a_rejected_edit_leaves_the_message_as_it_is(letters: Letters) -> None:
    event = {"specversion": "1.0", "id": "e-1", **fee_outstanding("n")}
    [failed_id] = await letters.die(event)
    edit = await edits.propose(letters.desk, IDS, failed_id, edited(event, language="cy"), LEWIS)
    assert (await edits.reject(letters.desk, IDS, edit.edit_id, MOORE)).state == "rejected"
    assert await letters.bench.value("SELECT body FROM failed_item") == json.dumps(event).encode()


async def test_a_message_that_could_not_be_read_is_mended_by_what_its_transport_says(letters: Letters) -> None:
    event = {"specversion": "1.0", "id": "e-1", **fee_outstanding("n")}
    [failed_id] = await letters.die(event, reason="not JSON")
    torn = "UPDATE failed_item SET body = 'torn', event_id = 'sha256:x', source = $1 RETURNING 1"
    await letters.bench.value(torn, event["source"])
    whole = await letters.desk.letter_whole(failed_id)
    assert whole is not None
    assert whole.decoded.envelope is None
    assert whole.decoded.text == "torn"
    with pytest.raises(Fault, match="source"):
        await edits.propose(letters.desk, IDS, failed_id, json.dumps({**event, "source": "other"}).encode(), LEWIS)
    edit = await edits.propose(letters.desk, IDS, failed_id, json.dumps(event).encode(), LEWIS)
    run = await letters.drive(await edits.approve(letters.desk, IDS, edit.edit_id, MOORE))
    assert (run.state, run.outcomes) == ("finished", {"done": 1})
    assert await letters.state(failed_id) == "resolved"


def test_a_difference_is_told_by_path() -> None:
    before = {"id": "1", "data": {"address": "a", "values": {"x": "1"}, "period": {"days": 5, "reason": "r"}, "odd": 1}}
    after = {"id": "1", "data": {"address": "b", "values": {"x": "2"}, "period": {"days": 6, "reason": "s"}}}
    found = edits.diff(json.dumps(before).encode(), json.dumps(after).encode(), "notice.requested.v1")
    assert {each.path: each.locked for each in found} == {
        "data.address": False, "data.values.x": False, "data.period.days": True, "data.period.reason": False,
        "data.odd": False,
    }  # fmt: skip
    assert (found[0].before, found[0].after) == ('"a"', '"b"')
    assert edits.diff(b"torn", b"{}", "notice.requested.v1") == ()
