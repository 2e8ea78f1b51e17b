"""What `relay` hands out of the events owed by webhook: the first of each notice, a few of each upstream, none lost."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from services.kernel.domain.changes import Announced, DeliverySettled
from services.kernel.ledger import Failure, ItemKey
from tests.handlers.bench import Bench

AGAIN = 30.0


@pytest.fixture(autouse=True)
async def upstreams(bench: Bench) -> None:
    for source in ("fees", "cases"):
        await bench.value("INSERT INTO webhook VALUES ($1, 'https://up.example/', 'A', now()) RETURNING 1", source)


async def owe(bench: Bench, *texts: str, notice_id: UUID | None = None, source: str = "fees") -> list[int]:
    await bench.write(*(Announced(notice_id, "notice.served.v1", text.encode(), source) for text in texts))
    return await bench.column("SELECT outbox_id FROM webhook_delivery ORDER BY outbox_id DESC LIMIT $1", len(texts))


async def due(bench: Bench, most: int = 100) -> dict[str, list[int]]:
    async with bench.ledger.begin() as tx:
        return await tx.webhooks_due(most, AGAIN)


async def look_again(bench: Bench) -> None:
    """Let the time pass after which `relay` looks again."""
    await bench.value("UPDATE webhook_delivery SET due_at = clock_timestamp() WHERE due_at IS NOT NULL RETURNING 1")


async def fail(bench: Bench, outbox_id: int, state: str = "retry", worker: str = "webhooks") -> None:
    key = ItemKey("duly", f"hop:{outbox_id}", UUID(int=outbox_id))
    failure = Failure(key, "x", None, None, "x", "", {}, b"", "r", "Retry", "", 3600.0, None)
    async with bench.ledger.begin() as tx:
        await tx.finish(worker, [], [failure])
    await bench.value(
        "UPDATE failed_item SET state = $1, next_at = CASE WHEN $1 = 'retry' THEN next_at END RETURNING 1", state
    )


async def test_only_events_for_an_upstream_told_by_webhook_are_owed(bench: Bench) -> None:
    await bench.write(
        Announced(None, "notice.served.v1", b"{}", "others"), Announced(None, "notice.rendered.v1", b"{}")
    )
    assert await due(bench) == {}
    [outbox_id] = await owe(bench, "1")
    assert await due(bench) == {"fees": [outbox_id]}


async def test_the_first_of_each_notice_is_handed_out_and_not_again_before_its_time(bench: Bench) -> None:
    second, first = await owe(bench, "1", "2", notice_id=uuid4())
    [other] = await owe(bench, "1", notice_id=uuid4(), source="cases")
    assert await due(bench) == {"fees": [first], "cases": [other]}
    await look_again(bench)
    await bench.value("UPDATE webhook_delivery SET due_at = now() + interval '1 s' WHERE source = 'cases' RETURNING 1")
    assert await due(bench) == {"fees": [first]}
    await bench.write(DeliverySettled(first, delivered=True))
    await look_again(bench)
    assert (await due(bench))["fees"] == [second]


@pytest.mark.parametrize("state", ["retry", "dead", "replaying", "discarded"])
async def test_what_failed_is_left_to_its_failed_item_and_holds_its_notice_until_it_is_discarded(
    bench: Bench, state: str
) -> None:
    second, first = await owe(bench, "1", "2", notice_id=uuid4())
    await fail(bench, first, state)
    assert await due(bench) == ({} if state != "discarded" else {"fees": [second]})


async def test_a_failure_of_another_worker_says_nothing_of_the_delivery(bench: Bench) -> None:
    [outbox_id] = await owe(bench, "1")
    await fail(bench, outbox_id, worker="intake")
    assert await due(bench) == {"fees": [outbox_id]}


async def test_of_each_upstream_no_more_than_the_limit_are_out_and_an_answer_makes_room(bench: Bench) -> None:
    await owe(bench, *map(str, range(5)))
    await owe(bench, *map(str, range(2)), source="cases")
    handed = await due(bench, most=3)
    assert {source: len(ids) for source, ids in handed.items()} == {"fees": 3, "cases": 2}
    assert await due(bench, most=3) == {}
    await bench.write(
        DeliverySettled(handed["fees"][0], delivered=True), DeliverySettled(handed["fees"][1], delivered=False)
    )
    assert len((await due(bench, most=3))["fees"]) == 2


async def test_one_process_claims_an_event_until_its_lease_is_over(bench: Bench) -> None:
    [outbox_id] = await owe(bench, "body")
    async with bench.ledger.begin() as tx:
        claim = await tx.webhook_claim(outbox_id, 30)
    assert claim is not None
    assert (claim.source, claim.url, claim.body, claim.trial) == ("fees", "https://up.example/", b"body", True)
    async with bench.ledger.begin() as tx:
        assert await tx.webhook_claim(outbox_id, 30) is None
    await bench.value("UPDATE webhook_delivery SET claimed_until = now() - interval '1 s' RETURNING 1")
    async with bench.ledger.begin() as tx:
        assert await tx.webhook_claim(outbox_id, 30) is not None


async def test_what_was_delivered_stays_delivered_whatever_is_settled_later(bench: Bench) -> None:
    [outbox_id] = await owe(bench, "1")
    await bench.write(DeliverySettled(outbox_id, delivered=True))
    at = await bench.value("SELECT delivered_at FROM webhook_delivery")
    await bench.write(DeliverySettled(outbox_id, delivered=False))
    await bench.write(DeliverySettled(outbox_id, delivered=True))
    assert await bench.value("SELECT delivered_at FROM webhook_delivery") == at
    async with bench.ledger.begin() as tx:
        assert await tx.webhook_urls([outbox_id]) == {}
        assert await tx.webhook_claim(outbox_id, 30) is None


async def test_nothing_is_owed_to_an_upstream_that_is_told_by_webhook_no_more(bench: Bench) -> None:
    [outbox_id] = await owe(bench, "1")
    await bench.value("DELETE FROM webhook WHERE source = 'fees' RETURNING 1")
    assert await due(bench) == {}
    async with bench.ledger.begin() as tx:
        assert await tx.webhook_urls([outbox_id]) == {}
        assert await tx.webhook_claim(outbox_id, 30) is None
