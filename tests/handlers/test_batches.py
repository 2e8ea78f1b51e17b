"""A batch of items in one transaction: outcomes an item, halving to the one at fault, replays that do nothing twice."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from schemas.catalogue import QUICK
from schemas.messages.hops import DeadlinePassedV1, NoticeRenderedV1, PassedDeadline
from services.renderer.handler import Renderer
from tests.handlers.bench import Bench, hop, item
from tests.rig.system import fee_outstanding


def break_at(monkeypatch: pytest.MonkeyPatch, ref: str, error: Exception) -> list[str]:
    """Let rendering fail for one reference; the list tells what was tried."""
    tried: list[str] = []
    whole = Renderer._render

    def render(self: Renderer, envelope, request, *rest):  # noqa: ANN001, ANN002, ANN202 -- as the original
        tried.append(request.source_ref)
        if request.source_ref == ref:
            raise error
        return whole(self, envelope, request, *rest)

    monkeypatch.setattr(Renderer, "_render", render)
    return tried


async def test_sound_and_refused_items_of_a_batch_share_one_transaction(bench: Bench) -> None:
    bad = fee_outstanding("bad", address="nowhere")
    await bench.run(bench.renderer, [item(fee_outstanding("one")), item(bad), item(fee_outstanding("two"))])
    assert await bench.column("SELECT source_ref FROM notice ORDER BY 1") == ["one", "two"]
    tables = ("notice", "notice_event", "processed", "outbox")
    together = " UNION ".join(f"SELECT xmin::text FROM {table}" for table in tables)
    assert len(await bench.column(together)) == 1, "all rows are of one transaction"
    assert await bench.column("SELECT outcome FROM processed ORDER BY 1") == ["done", "done", "refused"]
    assert sorted(await bench.column("SELECT type FROM outbox")) == [
        "notice.accepted.v1", "notice.accepted.v1", "notice.refused.v1", "notice.rendered.v1",
    ]  # fmt: skip


async def test_one_message_names_all_that_a_transaction_rendered(bench: Bench) -> None:
    await bench.run(bench.renderer, [item(fee_outstanding(f"n{number}")) for number in range(20)])
    (body,) = await bench.column("SELECT body FROM outbox WHERE type = 'notice.rendered.v1'")
    named = json.loads(body)["data"]["notices"]
    assert sorted(named) == sorted(map(str, await bench.column("SELECT notice_id FROM notice")))


@pytest.mark.parametrize("place", [0, 3, 7])
async def test_a_failing_batch_is_halved_to_the_item_at_fault_and_its_neighbours_are_done(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    break_at(monkeypatch, f"n{place}", RuntimeError("content that must not be kept"))
    await bench.run(bench.renderer, [item(fee_outstanding(f"n{number}")) for number in range(8)])
    assert len(await bench.column("SELECT 1 FROM notice")) == 7
    (failed,) = await bench.ledger.pool.fetch("SELECT * FROM failed_item")
    assert failed["state"] == "retry"
    assert json.loads(failed["body"])["data"]["source_ref"] == f"n{place}"
    assert failed["reason"].startswith("RuntimeError at ")
    assert "content that must not be kept" not in failed["history"]
    assert '"error": "RuntimeError"' in failed["history"]
    assert await bench.value("SELECT count(*) FROM processed") == 7


@pytest.mark.parametrize("error", [TimeoutError(), FileNotFoundError("a text"), ConnectionResetError()])
async def test_an_items_own_time_out_or_missing_file_is_not_taken_for_a_database_that_is_away(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    break_at(monkeypatch, "n1", error)
    await bench.run(bench.renderer, [item(fee_outstanding(f"n{number}")) for number in range(3)])
    assert await bench.column("SELECT source_ref FROM notice ORDER BY 1") == ["n0", "n2"]
    assert (await bench.value("SELECT reason FROM failed_item")).startswith(f"{type(error).__name__} at ")


async def test_a_value_that_no_column_takes_is_its_items_fault(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Renderer.decide

    async def decide(self: Renderer, tx, items):  # noqa: ANN001, ANN202 -- as the original
        if any(each.data.source_ref == "n1" for each in items):
            await tx.claim_due(2**40)
        return await whole(self, tx, items)

    monkeypatch.setattr(Renderer, "decide", decide)
    await bench.run(bench.renderer, [item(fee_outstanding(f"n{number}")) for number in range(3)])
    assert await bench.column("SELECT source_ref FROM notice ORDER BY 1") == ["n0", "n2"]
    assert (await bench.value("SELECT reason FROM failed_item")).startswith("DataError at ")


async def test_an_item_that_fails_is_tried_by_its_schedule_and_is_then_dead_with_its_history(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_at(monkeypatch, "n", RuntimeError())
    await bench.run(bench.renderer, [item(fee_outstanding("n"))])
    (failed_id,) = await bench.column("SELECT failed_id FROM failed_item")
    for number, seconds in enumerate(QUICK, start=1):
        row = await bench.ledger.pool.fetchrow("SELECT state, attempts, next_at - changed_at AS wait FROM failed_item")
        assert (row["state"], row["attempts"]) == ("retry", number)
        assert abs(row["wait"].total_seconds() - seconds) < 1
        await bench.run(bench.renderer, [await bench.again(failed_id)])
    row = await bench.ledger.pool.fetchrow("SELECT state, reason, attempts, next_at, history FROM failed_item")
    assert (row["state"], row["attempts"], row["next_at"]) == ("dead", len(QUICK) + 1, None)
    assert row["reason"].startswith(f"gave up after {len(QUICK) + 1} attempts: RuntimeError")
    assert len(json.loads(row["history"])) == len(QUICK) + 1


async def test_a_replay_that_succeeds_resolves_the_failed_item_and_a_second_one_does_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        break_at(broken, "n", RuntimeError())
        await bench.run(bench.renderer, [item(fee_outstanding("n"))])
    (failed_id,) = await bench.column("SELECT failed_id FROM failed_item")
    again = await bench.again(failed_id)
    assert await bench.run(bench.renderer, [again])
    assert await bench.value("SELECT state FROM failed_item") == "resolved"
    assert await bench.run(bench.renderer, [again]) == []
    assert await bench.value("SELECT count(*) FROM notice") == 1
    assert await bench.value("SELECT count(*) FROM outbox") == 2


async def test_a_redelivered_item_does_nothing_twice_and_lets_its_neighbours_through(bench: Bench) -> None:
    first = item(fee_outstanding("n"))
    await bench.run(bench.renderer, [first])
    await bench.run(bench.renderer, [first, item(fee_outstanding("m")), first])
    assert await bench.column("SELECT source_ref FROM notice ORDER BY 1") == ["m", "n"]
    assert await bench.value("SELECT count(*) FROM outbox WHERE type = 'notice.accepted.v1'") == 2


async def test_two_requests_of_one_reference_in_one_batch_run_one_after_the_other(bench: Bench) -> None:
    await bench.run(bench.renderer, [item(fee_outstanding("n")), item(fee_outstanding("n", business_id="B-other"))])
    assert await bench.value("SELECT count(*) FROM notice") == 1
    (failed_id,) = await bench.column(
        "SELECT failed_id FROM failed_item WHERE state = 'retry' AND next_at <= changed_at"
    )
    await bench.run(bench.renderer, [await bench.again(failed_id)])
    assert await bench.value("SELECT state FROM failed_item") == "resolved"
    assert await bench.value("SELECT count(*) FROM outbox WHERE type = 'notice.refused.v1'") == 1


async def test_a_retry_of_one_item_of_many_carries_that_item_alone(bench: Bench) -> None:
    known = await bench.rendered(fee_outstanding("n"))
    unknown = bench.renderer._ids.uuid7()
    await bench.run(bench.notifier, hop("notice.rendered.v1", NoticeRenderedV1(notices=(unknown, known)), "notifier"))
    (failed,) = await bench.ledger.pool.fetch("SELECT * FROM failed_item")
    assert (failed["state"], failed["reason"], failed["notice_id"]) == ("dead", "no such notice", unknown)
    assert json.loads(failed["body"])["data"]["notices"] == [str(unknown)]
    assert [claim.notice_id for claim in bench.claims] == [known]


async def test_the_stranger_is_not_shown_what_is_known_of_a_reference(bench: Bench) -> None:
    await bench.rendered(fee_outstanding("n"))
    asked = item(fee_outstanding("n", business_id="B-other"))
    stranger = replace(asked, delivery=replace(asked.delivery, user_id="registry"))
    await bench.run(bench.renderer, [stranger])
    (body,) = await bench.column("SELECT body FROM outbox WHERE type = 'notice.refused.v1'")
    assert json.loads(body)["data"]["reasons"] == ["source: the broker user 'registry' does not speak for fees"]


async def test_a_stale_timer_or_an_early_gate_does_nothing(bench: Bench) -> None:
    notice_id = await bench.rendered(fee_outstanding("n"))
    stale = DeadlinePassedV1(deadlines=(PassedDeadline(notice_id=notice_id, version=9),))
    assert await bench.run(bench.sanctions, hop("deadline.passed.v1", stale, "sanctions")) == []
    assert await bench.state(notice_id) == "rendered"
    assert await bench.value("SELECT count(*) FROM gate_wait") == 0
