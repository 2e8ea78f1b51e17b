"""The broker in memory dies with its process: what only its sender remembers is confirmed once it was settled."""

from __future__ import annotations

from uuid import uuid4

from services.kernel.adapters.broker import MemoryBroker, Topology, quorum_queue
from services.kernel.ports import Outgoing


def broker(queue: str) -> MemoryBroker:
    topology = Topology(exchange=queue, queues=(quorum_queue(queue, ("a.*",)),))
    return MemoryBroker(topology, kept=lambda message: message.routing_key == "a.kept")


async def test_a_kept_message_is_confirmed_only_when_it_was_settled_and_lies_in_the_queue_once() -> None:
    queue = uuid4().hex
    memory = broker(queue)
    message = Outgoing(7, "a.kept", b"{}")
    assert await memory.publish([message, Outgoing(8, "a.other", b"{}")]) == {8}
    assert await memory.publish([message]) == set()
    subscription = await memory.subscribe(queue, prefetch=10)
    taken = await subscription.take(10, 0.01)
    assert [one.routing_key for one in taken] == ["a.kept", "a.other"]
    assert await memory.publish([message]) == set()

    await subscription.settle(taken)

    assert await memory.publish([message]) == {7}
    assert memory.idle, "what was settled must not come again"
    await memory.close()


async def test_a_kept_message_that_is_given_back_is_still_not_confirmed() -> None:
    queue = uuid4().hex
    memory = broker(queue)
    message = Outgoing(7, "a.kept", b"{}")
    await memory.publish([message])
    subscription = await memory.subscribe(queue, prefetch=10)
    await subscription.give_back(await subscription.take(1, 0))
    assert await memory.publish([message]) == set()
    await subscription.settle(await subscription.take(1, 0))
    assert await memory.publish([message]) == {7}
    await memory.close()


async def test_it_is_idle_only_when_nothing_lies_in_a_queue_and_nothing_is_in_work() -> None:
    queue = uuid4().hex
    memory = broker(queue)
    assert memory.idle
    await memory.publish([Outgoing(1, "a.other", b"{}")])
    assert not memory.idle
    subscription = await memory.subscribe(queue, prefetch=10)
    taken = await subscription.take(1, 0)
    assert not memory.idle
    await subscription.settle(taken)
    assert memory.idle
    await memory.close()
