"""What every broker must do, whatever it is made of: one suite over memory and over a real RabbitMQ."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import uuid4

import pytest

from services.kernel.adapters.broker import Topology, open_broker, quorum_queue
from services.kernel.ports import Broker, BrokerUnavailable, Delivery, Outgoing, Subscription
from tests.rig.rabbitmq import RabbitNode

SECONDS = 30.0


@dataclass(frozen=True)
class Stand:
    """A connected broker with two queues of its own: `first` takes `a.*`, `second` takes `a.both`."""

    broker: Broker
    first: str
    second: str
    url: str
    topology: Topology


@pytest.fixture(params=["memory", "rabbit"])
async def stand(request: pytest.FixtureRequest) -> AsyncIterator[Stand]:
    name = uuid4().hex
    first, second = f"{name}.first", f"{name}.second"
    topology = Topology(exchange=name, queues=(quorum_queue(first, ("a.*",)), quorum_queue(second, ("a.both",))))
    node: RabbitNode | None = request.getfixturevalue("rabbit_node") if request.param == "rabbit" else None
    url = node.url if node else "memory://"
    broker = open_broker(url, topology, client_name="conformance")
    await broker.connect()
    yield Stand(broker, first, second, url, topology)
    await broker.close()
    if node:
        node.delete_queue(first)
        node.delete_queue(second)


def outgoing(key: int, body: bytes | None = None, routing_key: str = "a.one") -> Outgoing:
    return Outgoing(key, routing_key, str(key).encode() if body is None else body)


async def collect(subscription: Subscription, wanted: int, *, settle: bool = True) -> list[Delivery]:
    taken: list[Delivery] = []
    async with asyncio.timeout(SECONDS):
        while len(taken) < wanted:
            some = await subscription.take(wanted - len(taken), linger=0.05)
            if settle:
                await subscription.settle(some)
            taken += some
    return taken


async def is_silent(subscription: Subscription) -> bool:
    """Nothing comes within a quarter of a second."""
    try:
        async with asyncio.timeout(0.25):
            return not await subscription.take(1, linger=0)
    except TimeoutError:
        return True


async def test_messages_come_in_the_order_published(stand: Stand) -> None:
    assert await stand.broker.publish([outgoing(key) for key in range(300)]) == set(range(300))
    subscription = await stand.broker.subscribe(stand.first, prefetch=50)
    assert [int(one.body) for one in await collect(subscription, 300)] == list(range(300))


async def test_five_thousand_messages_arrive_once_each(stand: Stand) -> None:
    subscription = await stand.broker.subscribe(stand.first, prefetch=500)
    arriving = asyncio.create_task(collect(subscription, 5000))
    for first in range(0, 5000, 1000):
        keys = set(range(first, first + 1000))
        assert await stand.broker.publish([outgoing(key) for key in sorted(keys)]) == keys
    assert sorted(int(one.body) for one in await arriving) == list(range(5000))
    assert await is_silent(subscription)


async def test_everything_said_about_a_message_arrives(stand: Stand) -> None:
    subscription = await stand.broker.subscribe(stand.first, prefetch=1)
    headers = {"type": "notice.served.v1", "traceparent": "00-ab", "name": "Siân"}
    sent = Outgoing(1, "a.told", b"{}", "application/json", headers, message_id="m-1", user_id="guest")
    await stand.broker.publish([sent])
    [got] = await collect(subscription, 1)
    assert (got.body, got.content_type, got.routing_key) == (b"{}", "application/json", "a.told")
    assert (got.headers, got.message_id, got.user_id) == (headers, "m-1", "guest")
    assert got.redelivered is False


async def test_an_empty_body_is_a_message_too(stand: Stand) -> None:
    subscription = await stand.broker.subscribe(stand.first, prefetch=10)
    await stand.broker.publish([outgoing(1, b""), outgoing(2, b"2")])
    assert [one.body for one in await collect(subscription, 2)] == [b"", b"2"]


async def test_bodies_of_five_megabytes_arrive_whole(stand: Stand) -> None:
    subscription = await stand.broker.subscribe(stand.first, prefetch=3)
    bodies = [bytes([65 + key]) * 5_000_000 + b"\xce\x00\xff" for key in range(3)]
    assert await stand.broker.publish([outgoing(key, body) for key, body in enumerate(bodies)]) == {0, 1, 2}
    assert [one.body for one in await collect(subscription, 3)] == bodies


async def test_take_waits_for_a_message_and_wakes_when_it_comes(stand: Stand) -> None:
    subscription = await stand.broker.subscribe(stand.first, prefetch=10)
    waiting = asyncio.create_task(subscription.take(10, linger=0))
    await asyncio.sleep(0)
    assert not waiting.done()
    await stand.broker.publish([outgoing(1)])
    assert [one.body for one in await asyncio.wait_for(waiting, SECONDS)] == [b"1"]


async def test_take_lingers_for_more_but_no_longer_than_the_batch_is_full(stand: Stand) -> None:
    subscription = await stand.broker.subscribe(stand.first, prefetch=10)
    waiting = asyncio.create_task(subscription.take(3, linger=SECONDS))
    for key in range(3):
        await stand.broker.publish([outgoing(key)])
    assert len(await asyncio.wait_for(waiting, SECONDS / 2)) == 3


async def test_take_gives_what_it_has_when_the_linger_is_over(stand: Stand) -> None:
    subscription = await stand.broker.subscribe(stand.first, prefetch=10)
    await stand.broker.publish([outgoing(1), outgoing(2)])
    async with asyncio.timeout(SECONDS):
        taken = await subscription.take(10, linger=0.3)
    assert len(taken) == 2


async def test_take_that_was_cancelled_loses_nothing(stand: Stand) -> None:
    subscription = await stand.broker.subscribe(stand.first, prefetch=10)
    waiting = asyncio.create_task(subscription.take(10, linger=0))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await stand.broker.publish([outgoing(1)])
    assert [one.body for one in await collect(subscription, 1)] == [b"1"]


async def test_what_was_settled_never_comes_back(stand: Stand) -> None:
    subscription = await stand.broker.subscribe(stand.first, prefetch=100)
    await stand.broker.publish([outgoing(key) for key in range(10)])
    taken = await collect(subscription, 10, settle=False)
    await subscription.settle([taken[key] for key in (7, 1, 0, 9)])  # neither in order nor without gaps
    await subscription.close()
    again = await stand.broker.subscribe(stand.first, prefetch=100)
    assert sorted(int(one.body) for one in await collect(again, 6)) == [2, 3, 4, 5, 6, 8]
    assert await is_silent(again)


async def test_settling_makes_room_in_the_prefetch(stand: Stand) -> None:
    subscription = await stand.broker.subscribe(stand.first, prefetch=2)
    await stand.broker.publish([outgoing(key) for key in range(3)])
    taken = await collect(subscription, 2, settle=False)
    assert await is_silent(subscription)
    await subscription.settle(taken)
    assert [one.body for one in await collect(subscription, 1)] == [b"2"]


async def test_what_was_given_back_comes_again_marked_as_redelivered(stand: Stand) -> None:
    subscription = await stand.broker.subscribe(stand.first, prefetch=10)
    await stand.broker.publish([outgoing(1)])
    taken = await collect(subscription, 1, settle=False)
    await subscription.give_back(taken)
    [again] = await collect(subscription, 1)
    assert (again.body, taken[0].redelivered, again.redelivered) == (b"1", False, True)


async def test_giving_back_returns_it_to_its_own_queue_only(stand: Stand) -> None:
    first = await stand.broker.subscribe(stand.first, prefetch=10)
    second = await stand.broker.subscribe(stand.second, prefetch=10)
    await stand.broker.publish([outgoing(1, routing_key="a.both")])
    assert len(await collect(second, 1)) == 1
    await first.give_back(await collect(first, 1, settle=False))
    assert len(await collect(first, 1)) == 1
    assert await is_silent(second)


async def test_closing_gives_back_what_was_taken_and_what_was_fetched(stand: Stand) -> None:
    subscription = await stand.broker.subscribe(stand.first, prefetch=10)
    await stand.broker.publish([outgoing(key) for key in range(5)])
    await subscription.take(2, linger=0)
    await subscription.close()
    await subscription.close()
    with pytest.raises(BrokerUnavailable):
        await subscription.take(1, linger=0)
    again = await stand.broker.subscribe(stand.first, prefetch=10)
    assert sorted(int(one.body) for one in await collect(again, 5)) == [0, 1, 2, 3, 4]


async def test_closing_wakes_the_task_that_takes(stand: Stand) -> None:
    subscription = await stand.broker.subscribe(stand.first, prefetch=10)
    waiting = asyncio.create_task(subscription.take(1, linger=0))
    await asyncio.sleep(0)
    await subscription.close()
    with pytest.raises(BrokerUnavailable):
        await asyncio.wait_for(waiting, SECONDS)


async def test_tasks_that_publish_at_once_each_hear_of_their_own_keys(stand: Stand) -> None:
    subscription = await stand.broker.subscribe(stand.first, prefetch=2000)
    batches = [[outgoing(task * 100 + key) for key in range(100)] for task in range(10)]
    answers = await asyncio.gather(*map(stand.broker.publish, batches))
    assert answers == [{one.key for one in batch} for batch in batches]
    assert {int(one.body) for one in await collect(subscription, 1000)} == set(range(1000))


async def test_two_consumers_share_a_queue_without_overlap(stand: Stand) -> None:
    first = await stand.broker.subscribe(stand.first, prefetch=5)
    second = await stand.broker.subscribe(stand.first, prefetch=5)
    await stand.broker.publish([outgoing(key) for key in range(10)])
    taken = await asyncio.gather(collect(first, 5, settle=False), collect(second, 5, settle=False))
    assert sorted(int(one.body) for some in taken for one in some) == list(range(10))


async def test_another_broker_of_the_same_process_is_heard(stand: Stand) -> None:
    other = open_broker(stand.url, stand.topology, client_name="other")
    subscription = await stand.broker.subscribe(stand.first, prefetch=5)
    waiting = asyncio.create_task(collect(subscription, 1))
    assert await other.publish([outgoing(7)]) == {7}
    assert [one.body for one in await waiting] == [b"7"]
    await other.close()


async def test_a_mandatory_message_that_no_queue_takes_is_unsent(stand: Stand) -> None:
    lost = Outgoing(1, "nobody.listens", b"", mandatory=True)
    unheard = Outgoing(2, "nobody.listens", b"")
    assert await stand.broker.publish([lost, unheard, outgoing(3)]) == {2, 3}


async def test_publishing_nothing_confirms_nothing(stand: Stand) -> None:
    assert await stand.broker.publish([]) == set()


async def test_a_broker_that_was_closed_may_be_closed_again(stand: Stand) -> None:
    await stand.broker.close()
    await stand.broker.close()


def test_a_broker_url_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="amqp://"):
        open_broker("redis://localhost", Topology(exchange="x", queues=()), "x")
