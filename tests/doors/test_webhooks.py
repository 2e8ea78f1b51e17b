"""Telling upstreams by webhook, over real sockets and a real database: order, retries, and what goes wrong outside."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from schemas.catalogue import PATIENT
from schemas.messages.hops import DeliveryQueuedV1
from services.kernel.adapters.broker import MemoryBroker
from services.kernel.adapters.broker.catalogue import topology_of_catalogue
from services.kernel.adapters.postgres.desk import open_desk
from services.kernel.adapters.postgres.ledger import PostgresLedger
from services.kernel.domain.changes import Announced
from services.kernel.domain.verdict import Verdict
from services.kernel.ports import Outgoing
from services.kernel.runtime.dead_letters import acts, runs
from services.kernel.runtime.dead_letters.choice import Chosen
from services.kernel.runtime.dead_letters.records import Kind
from services.kernel.runtime.decision import announce
from services.kernel.runtime.desk import Word
from services.kernel.runtime.measures import Measures
from services.kernel.runtime.settings import read
from services.relay.handler import Relay
from services.relay.runs import Runs
from services.relay.settings import RelaySettings
from services.webhooks.client import HttpPoster
from services.webhooks.courier import Courier
from services.webhooks.handler import HOP
from services.webhooks.poster import Poster
from services.webhooks.posting import Posting
from services.webhooks.settings import WebhookSettings
from tests.rig.notices import IDS
from tests.rig.postgres import PrivatePostgres
from tests.rig.webhook_receiver import Receiver, answer, receiving

QUEUE = "duly.webhooks"
KEY, OTHER_KEY = bytes(range(32)), bytes(range(1, 33))
CHECKOUT = Path(__file__).parents[2]


@dataclass
class Desk:
    """Upstreams, what they are owed, and the rounds of `relay`; the worker runs where a test lets it."""

    ledger: PostgresLedger
    database: str
    broker: MemoryBroker
    relay: Relay
    runs: Runs

    async def value(self, query: str, *arguments: Any) -> Any:
        return await self.ledger.pool.fetchval(query, *arguments)

    async def told_at(self, url: str, source: str = "fees") -> None:
        async with open_desk(self.database, IDS) as desk, desk.begin() as tx:
            await tx.add_webhook(source, url, "A. Lewis")

    async def owe(self, *ids: str, notice_id: UUID | None = None, source: str = "fees") -> None:
        """Events of one notice, in the outbox as its worker leaves them."""
        events = [{"specversion": "1.0", "id": each, "source": "duly", "type": "x.v1", "data": {}} for each in ids]
        async with self.ledger.begin() as tx:
            bodies = [json.dumps(event).encode() for event in events]
            await tx.write([Announced(notice_id, "notice.served.v1", body, source) for body in bodies])

    async def retry(self) -> None:
        """Let `relay` send at once what waits for its next attempt."""
        await self.value("UPDATE failed_item SET next_at = clock_timestamp() WHERE state = 'retry' RETURNING 1")
        await self.relay.retries()

    async def settled(self, seconds: float = 10) -> None:
        """Wait until the worker has nothing in its queue and nothing in work."""
        async with asyncio.timeout(seconds):
            while not self.broker.idle:  # noqa: ASYNC110 -- the broker tells nobody
                await asyncio.sleep(0.005)

    async def failed(self) -> list[tuple[str, str]]:
        rows = await self.ledger.pool.fetch("SELECT state, reason FROM failed_item ORDER BY created_at")
        return [(row["state"], row["reason"]) for row in rows]

    async def delivered(self) -> int:
        number: int = await self.value("SELECT count(delivered_at) FROM webhook_delivery")
        return number

    @asynccontextmanager
    async def working(self, poster: Poster | None = None, **settings: str) -> AsyncIterator[Courier]:
        """The worker, until the block ends; then it is stopped as a program stops it."""
        told = {
            "DULY_WEBHOOK_KEYS": f"fees:{KEY.hex()},cases:{OTHER_KEY.hex()}",
            "DULY_WEBHOOK_PRIVATE": "1",
            **settings,
        }
        with pytest.MonkeyPatch.context() as patch:
            for name, value in told.items():
                patch.setenv(name, value)
            chosen = read(WebhookSettings)
        post = poster or HttpPoster.of(chosen)
        courier = Courier(Posting(self.ledger, post, chosen), IDS, self.broker, self.ledger, Measures())
        stopping = asyncio.Event()
        running = asyncio.create_task(courier.run(stopping))
        await courier.ready.wait()
        try:
            yield courier
        finally:
            stopping.set()
            await running
            await post.close()


@pytest.fixture(scope="module")
def database(postgres_server: PrivatePostgres, migrated_template: str) -> Iterator[str]:
    dsn = postgres_server.new_database(template=migrated_template)
    yield dsn
    postgres_server.drop_database(dsn.partition("@/")[2].partition("?")[0])


@asynccontextmanager
async def at_desk(database: str) -> AsyncIterator[Desk]:
    ledger = await PostgresLedger.open(database, IDS, name="test", most=4)
    whole = topology_of_catalogue()  # of a broker in memory there is one a process: what others left there is not ours
    broker = MemoryBroker(replace(whole, queues=tuple(queue for queue in whole.queues if queue.name == QUEUE)))
    yield Desk(
        ledger,
        database,
        broker,
        Relay(ledger, broker, IDS, read(RelaySettings), Measures()),
        Runs(ledger, broker, 30.0),
    )
    await broker.close()
    await ledger.close()


@pytest.fixture
async def desk(database: str) -> AsyncIterator[Desk]:
    """Nobody is told by webhook yet, and nothing is owed."""
    async with at_desk(database) as desk:
        await desk.ledger.pool.execute("TRUNCATE webhook, webhook_delivery, outbox, failed_item, processed CASCADE")
        yield desk


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as opened:
        yield opened


# --- order and signatures ---------------------------------------------------------------------------------------------


async def test_events_of_a_notice_arrive_in_order_each_as_soon_as_the_one_before_is_taken(
    desk: Desk, receiver: Receiver
) -> None:
    await desk.told_at(receiver.url)
    one, other = uuid4(), uuid4()
    await desk.owe("one:1", "one:2", "one:3", notice_id=one)
    await desk.owe("other:1", notice_id=other)
    await desk.owe("nobody's")
    async with desk.working():
        await desk.relay.webhooks()  # once: what follows, the worker hands out itself
        await receiver.until(5)
        await desk.settled()
    assert [each for each in receiver.ids() if each.startswith("one")] == ["one:1", "one:2", "one:3"]
    assert sorted(receiver.ids()) == ["nobody's", "one:1", "one:2", "one:3", "other:1"]
    assert await desk.delivered() == 5
    assert await desk.failed() == []


async def test_what_is_posted_is_the_event_signed_by_every_key_of_its_source(desk: Desk, receiver: Receiver) -> None:
    await desk.told_at(receiver.url)
    await desk.owe("fees:1.2 é\n")
    async with desk.working(DULY_WEBHOOK_KEYS=f"fees:{KEY.hex()},fees:{OTHER_KEY.hex()}"):
        await desk.relay.webhooks()
        await receiver.until(1)
    [got] = receiver.got
    assert got.headers["content-type"] == "application/cloudevents+json"
    assert got.body == await desk.value("SELECT body FROM outbox WHERE source = 'fees'")
    assert got.headers["webhook-id"] == "fees:1%2E2%20%C3%A9%0A"
    assert got.verified_by(KEY)
    assert got.verified_by(OTHER_KEY)
    assert not got.verified_by(b"another key of thirty-two bytes!")
    assert abs(int(got.headers["webhook-timestamp"]) - await desk.value("SELECT extract(epoch FROM now())::int")) < 60


async def test_nothing_is_posted_for_a_source_without_a_key(desk: Desk, receiver: Receiver) -> None:
    await desk.told_at(receiver.url)
    await desk.owe("1")
    async with desk.working(DULY_WEBHOOK_KEYS=f"cases:{KEY.hex()}"):
        await desk.relay.webhooks()
        await desk.settled()
    assert receiver.got == []
    assert await desk.failed() == [("retry", "no key signs for fees: DULY_WEBHOOK_KEYS names none")]


# --- retries and dead letters -----------------------------------------------------------------------------------------


async def test_what_was_refused_is_tried_again_with_the_same_id_and_holds_back_what_is_younger(
    desk: Desk, receiver: Receiver
) -> None:
    await desk.told_at(receiver.url)
    await desk.owe("n:1", "n:2", notice_id=uuid4())
    receiver.answers = [answer(500, body="secret words of the receiver")]
    async with desk.working():
        await desk.relay.webhooks()
        await receiver.until(1)
        await desk.settled()
        await desk.relay.webhooks()
        await desk.settled()
        assert receiver.ids() == ["n:1"]
        assert await desk.failed() == [("retry", "the receiver answered 500")]
        after = "SELECT extract(epoch FROM next_at - changed_at)::int FROM failed_item"
        assert await desk.value(after) == PATIENT[0]
        await desk.retry()
        await receiver.until(3)
        await desk.settled()
    assert [got.headers["webhook-id"] for got in receiver.got] == ["n:1", "n:1", "n:2"]
    assert all(got.verified_by(KEY) for got in receiver.got)
    assert [state for state, _ in await desk.failed()] == ["resolved"]
    assert await desk.delivered() == 2


async def test_an_event_whose_attempts_are_used_up_is_a_dead_letter_and_a_replay_delivers_it_and_the_next(
    desk: Desk, receiver: Receiver
) -> None:
    await desk.told_at(receiver.url)
    await desk.owe("n:1", "n:2", notice_id=uuid4())
    receiver.answers = [answer(503), answer(503)]
    async with desk.working():
        await desk.relay.webhooks()
        await receiver.until(1)
        await desk.settled()
        await desk.value("UPDATE failed_item SET attempts = $1 RETURNING 1", len(PATIENT))
        await desk.retry()
        await receiver.until(2)
        await desk.settled()
        assert await desk.failed() == [
            ("dead", f"gave up after {len(PATIENT) + 1} attempts: the receiver answered 503")
        ]
        failed_id = await desk.value("SELECT failed_id FROM failed_item")
        async with open_desk(desk.database, IDS) as at:
            only = Chosen(ids=(failed_id,))
            run = await runs.begin(at, IDS, Kind.REPLAY, only, Word("A. Lewis", "it is back"), per_second=None)
            await desk.runs.round()
            await receiver.until(4)
            await desk.settled()
            await desk.runs.round()
            ended = await at.run(run.run_id)
        assert ended is not None
        assert ended.outcomes == {"done": 1}
    assert receiver.ids() == ["n:1", "n:1", "n:1", "n:2"]
    assert [state for state, _ in await desk.failed()] == ["resolved"]
    assert await desk.delivered() == 2


async def test_a_rehearsal_posts_nothing_and_says_what_would_be_told(desk: Desk, receiver: Receiver) -> None:
    await desk.told_at(receiver.url)
    await desk.owe("n:1", "n:2", notice_id=uuid4())
    receiver.answers = [answer(410)]
    async with desk.working():
        await desk.relay.webhooks()
        await receiver.until(1)
        await desk.settled()
        async with open_desk(desk.database, IDS) as at:
            said = Word("A. Lewis", "is it safe?")
            run = await runs.begin(at, IDS, Kind.REHEARSAL, Chosen(states=("dead",)), said, per_second=None)
            await desk.runs.round()
            await desk.settled()
            [found] = await at.run_items(run.run_id, 10)
    assert (found.outcome, found.why) == (Verdict.SAFE, "")
    assert "the event counts as delivered" in found.effects
    assert receiver.ids() == ["n:1"], "nothing was posted again"
    assert await desk.delivered() == 0


async def test_a_discarded_event_is_told_no_more_and_holds_nothing_back(desk: Desk, receiver: Receiver) -> None:
    await desk.told_at(receiver.url)
    await desk.owe("n:1", "n:2", notice_id=uuid4())
    receiver.answers = [answer(410)]
    async with desk.working():
        await desk.relay.webhooks()
        await receiver.until(1)
        await desk.settled()
        assert await desk.failed() == [("dead", "the receiver answered 410")], "at once"
        async with open_desk(desk.database, IDS) as at:
            assert await acts.discard(at, IDS, Chosen(states=("dead",)), Word("A. Lewis", "not wanted")) == 1
        await desk.value("UPDATE webhook_delivery SET due_at = clock_timestamp() WHERE due_at IS NOT NULL RETURNING 1")
        await desk.relay.webhooks()
        await receiver.until(2)
        await desk.settled()
    assert receiver.ids() == ["n:1", "n:2"]


@pytest.mark.parametrize(("asked", "waits"), [("60", 60), ("1", 5), ("999999", 6 * 3600)])
async def test_a_receiver_may_put_us_off_within_bounds(desk: Desk, receiver: Receiver, asked: str, waits: int) -> None:
    await desk.told_at(receiver.url)
    await desk.owe("1")
    receiver.answers = [answer(429, f"retry-after: {asked}")]
    async with desk.working():
        await desk.relay.webhooks()
        await receiver.until(1)
        await desk.settled()
    assert await desk.value("SELECT extract(epoch FROM next_at - changed_at)::int FROM failed_item") == waits


async def test_a_fault_of_ours_is_that_events_failure_with_its_stack(desk: Desk) -> None:
    class Broken:
        async def post(self, *_: object) -> Any:
            raise RuntimeError("planted")

        async def close(self) -> None: ...

    await desk.told_at("https://receiver.example/")
    await desk.owe("1")
    async with desk.working(Broken()):
        await desk.relay.webhooks()
        await desk.settled()
    [(state, reason)] = await desk.failed()
    assert state == "retry"
    assert reason.startswith("RuntimeError at test_webhooks.py")


# --- what goes wrong outside ------------------------------------------------------------------------------------------


async def test_a_slow_receiver_is_posted_to_a_few_at_a_time_and_delays_no_other(desk: Desk, receiver: Receiver) -> None:
    async with receiving() as slow:
        slow.held.clear()
        await desk.told_at(slow.url, "fees")
        await desk.told_at(receiver.url, "cases")
        await desk.owe(*(f"slow:{number}" for number in range(60)), source="fees")
        await desk.owe(*(f"quick:{number}" for number in range(20)), source="cases")
        async with desk.working(DULY_WEBHOOK_PER_DESTINATION="3"):
            await desk.relay.webhooks()
            await receiver.until(20)
            await slow.until(3)
            assert (len(slow.got), slow.most_at_once) == (3, 3)
            slow.held.set()
            await desk.settled()
        assert slow.most_at_once == 3
    assert await desk.delivered() == 80


async def test_a_receiver_that_is_down_is_left_alone_while_the_others_are_told(desk: Desk, receiver: Receiver) -> None:
    await desk.told_at(receiver.url)
    await desk.owe(*(str(number) for number in range(40)))
    receiver.answers = [answer(503)] * 40
    async with desk.working(DULY_WEBHOOK_PER_DESTINATION="2"):
        await desk.relay.webhooks()
        await desk.settled()
    assert 5 <= len(receiver.got) <= 6, "five failures in a row, and what was in flight beside the fifth"
    reasons = [reason for _, reason in await desk.failed()]
    assert len(reasons) == 40
    assert reasons.count("not tried: nothing has got through to its receiver lately") == 40 - len(receiver.got)


# --- once -------------------------------------------------------------------------------------------------------------


async def hop(desk: Desk, *outbox_ids: int) -> None:
    """One more message to the worker about events that it may know already."""
    told = announce(HOP, DeliveryQueuedV1(deliveries=outbox_ids), event_id=str(uuid4()))
    await desk.broker.publish([Outgoing(1, told.type, told.body)])


async def test_messages_about_an_event_that_is_in_work_or_delivered_post_nothing(
    desk: Desk, receiver: Receiver
) -> None:
    await desk.told_at(receiver.url)
    await desk.owe("1")
    receiver.held.clear()
    outbox_id = await desk.value("SELECT outbox_id FROM webhook_delivery")
    async with desk.working(), desk.working():  # two processes
        await desk.relay.webhooks()
        await receiver.until(1)
        for _ in range(4):
            await hop(desk, outbox_id)
        receiver.held.set()
        await desk.settled()
        await hop(desk, outbox_id)
        await desk.settled()
    assert receiver.ids() == ["1"]
    assert await desk.delivered() == 1


async def beyond_what_is_queued(desk: Desk) -> None:
    """Wait until another upstream was told of something that was queued later, so that all before it was looked at."""
    async with receiving() as other:
        await desk.told_at(other.url, "cases")
        await desk.owe("later", source="cases")
        await desk.relay.webhooks()
        await other.until(1)


async def test_the_very_message_whose_event_is_in_work_may_come_twice_and_the_answer_still_counts(
    desk: Desk, receiver: Receiver
) -> None:
    await desk.told_at(receiver.url)
    await desk.owe("1")
    receiver.held.clear()
    outbox_id = await desk.value("SELECT outbox_id FROM webhook_delivery")
    told = announce(HOP, DeliveryQueuedV1(deliveries=(outbox_id,)), event_id=str(uuid4()))
    async with desk.working(), desk.working():  # two processes
        for number in range(1, 9):  # the broker's doubt, or `relay` and a worker that publish the same outbox row
            await desk.broker.publish([Outgoing(number, told.type, told.body)])
        await receiver.until(1)
        await beyond_what_is_queued(desk)
        receiver.held.set()
        await desk.settled()
    assert receiver.ids() == ["1"]
    assert await desk.value("SELECT delivered_at IS NOT NULL FROM webhook_delivery WHERE outbox_id = $1", outbox_id)


async def test_a_retry_handed_out_twice_while_it_is_in_work_is_not_forgotten_when_it_fails_again(
    desk: Desk, receiver: Receiver
) -> None:
    await desk.told_at(receiver.url)
    await desk.owe("1")
    receiver.answers = [answer(503), answer(503)]
    async with desk.working():
        await desk.relay.webhooks()
        await desk.settled()
        receiver.held.clear()
        await desk.retry()
        await receiver.until(2)
        await desk.retry()
        await beyond_what_is_queued(desk)
        receiver.held.set()
        await desk.settled()
        assert [state for state, _ in await desk.failed()] == ["retry"]
        await desk.retry()
        await desk.settled()
    assert receiver.ids() == ["1", "1", "1"]
    assert await desk.delivered() == 2


async def test_stopping_records_what_is_being_posted_and_leaves_the_rest_for_the_next(
    desk: Desk, receiver: Receiver
) -> None:
    await desk.told_at(receiver.url)
    await desk.owe(*(str(number) for number in range(10)))
    receiver.held.clear()
    async with desk.working(DULY_WEBHOOK_PER_DESTINATION="2") as courier:
        await desk.relay.webhooks()
        await receiver.until(2)
        courier._stopping.set()
        asyncio.get_running_loop().call_later(0.1, receiver.held.set)
    assert await desk.delivered() == 2
    async with desk.working():
        await receiver.until(10)
        await desk.settled()
    assert sorted(receiver.ids()) == sorted(set(receiver.ids())), "none came twice"
    assert await desk.delivered() == 10


async def test_what_was_lost_with_the_broker_is_handed_out_again(desk: Desk, receiver: Receiver) -> None:
    await desk.told_at(receiver.url)
    await desk.owe("1")
    await desk.relay.webhooks()
    lost = await desk.broker.subscribe("duly.webhooks", prefetch=10)
    await lost.settle(await lost.take(1, 0))
    await lost.close()
    async with desk.working():
        await desk.relay.webhooks()
        assert desk.broker.idle, "its time is not over"
        await desk.value("UPDATE webhook_delivery SET due_at = clock_timestamp() RETURNING 1")
        await desk.relay.webhooks()
        await receiver.until(1)
        await desk.settled()
    assert await desk.delivered() == 1


VICTIM = """
import asyncio, sys
from tests.doors.test_webhooks import victim
asyncio.run(victim(sys.argv[1]))
"""


async def victim(database: str) -> None:
    """A worker to be killed, with `relay` and a broker of its own."""
    async with at_desk(database) as own, own.working():
        await own.relay.webhooks()
        await asyncio.Event().wait()


async def test_a_worker_killed_after_the_answer_and_before_its_commit_costs_one_duplicate_with_the_same_id(
    desk: Desk, receiver: Receiver
) -> None:
    await desk.told_at(receiver.url)
    await desk.owe("n:1", "n:2", notice_id=uuid4())
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", VICTIM, desk.database, cwd=CHECKOUT)
    receiver.on_request = lambda _got: os.kill(process.pid, signal.SIGKILL)
    await receiver.until(1, 30)
    assert await process.wait() == -signal.SIGKILL
    receiver.on_request = lambda _got: None
    assert await desk.delivered() == 0
    async with desk.working():
        await desk.value("UPDATE webhook_delivery SET due_at = clock_timestamp() RETURNING 1")
        await desk.relay.webhooks()
        await desk.settled()
        assert receiver.ids() == ["n:1"], "the dead worker's claim is not over yet"
        await desk.value(
            "UPDATE webhook_delivery SET due_at = now(), claimed_until = now() - interval '1 s' RETURNING 1"
        )
        await desk.relay.webhooks()
        await receiver.until(3)
        await desk.settled()
    assert receiver.ids() == ["n:1", "n:1", "n:2"]
    assert await desk.delivered() == 2
    assert await desk.failed() == []


# --- a trial ----------------------------------------------------------------------------------------------------------


async def test_a_trial_posts_to_this_machine_alone(trial_database_url: str, receiver: Receiver) -> None:
    async with at_desk(trial_database_url) as desk:
        await desk.told_at("https://192.0.2.1/")
        await desk.owe("1")
        async with desk.working(DULY_WEBHOOK_PRIVATE="0"):
            await desk.relay.webhooks()
            await desk.settled()
            reason = "its name leads to an address outside of this machine, as the database is a trial's"
            assert await desk.failed() == [("retry", reason)]
            await desk.told_at(receiver.url)
            await desk.retry()
            await receiver.until(1)
            await desk.settled()
        assert receiver.ids() == ["1"]
