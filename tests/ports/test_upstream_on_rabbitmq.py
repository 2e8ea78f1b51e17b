"""Upstream's publisher on a real RabbitMQ node: confirmed means that a queue of Duly's has it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from schemas.cloudevents import read
from services.kernel.adapters.broker import open_broker
from services.kernel.adapters.broker.catalogue import topology_of_catalogue
from services.kernel.ports import Broker
from services.upstream import NotConfirmed, apublish
from tests.rig.rabbitmq import RabbitNode

FACT = {"type": "obligation.satisfied.v1", "data": {"source_ref": "fees/2026/000417", "kind": "payment"}}
REQUEST = {
    "type": "notice.requested.v1",
    "data": {
        "source_ref": "fees/2026/000417",
        "regime": "aml-supervision",
        "notice_type": "fee-outstanding",
        "business_id": "XK0417",
        "address": "office@tanner-lowe.example",
        "origin": "automatic",
    },
}


@pytest.fixture
async def duly(rabbit_node: RabbitNode) -> AsyncIterator[Broker]:
    rabbit_node.delete_all_queues()
    broker = open_broker(rabbit_node.url, topology_of_catalogue(), "duly")
    await broker.connect()
    yield broker
    await broker.close()


async def test_events_reach_the_queues_of_their_types_with_id_and_user(rabbit_node: RabbitNode, duly: Broker) -> None:
    ids = await apublish([REQUEST, FACT], url=rabbit_node.url, source="fees")
    for queue, event_id in zip(("duly.renderer", "duly.intake"), ids, strict=True):
        subscription = await duly.subscribe(queue, prefetch=10)
        (delivery,) = await subscription.take(10, 0.0)
        assert (delivery.message_id, delivery.user_id) == (event_id, "guest")
        assert read(delivery.body, delivery.content_type, delivery.headers).source == "fees"
        await subscription.settle([delivery])


@pytest.mark.usefixtures("duly")
async def test_an_event_that_no_queue_takes_is_not_confirmed(rabbit_node: RabbitNode) -> None:
    rabbit_node.delete_queue("duly.intake")
    with pytest.raises(NotConfirmed) as caught:
        await apublish([REQUEST, FACT], url=rabbit_node.url, source="fees", give_up_after=1.0)
    assert [event.type for event in caught.value.unconfirmed] == ["obligation.satisfied.v1"]


async def test_it_goes_on_until_a_queue_is_there(rabbit_node: RabbitNode, duly: Broker) -> None:
    rabbit_node.delete_queue("duly.intake")
    publishing = asyncio.create_task(apublish([FACT], url=rabbit_node.url, source="fees", give_up_after=30.0))
    subscription = await duly.subscribe("duly.intake", prefetch=10)  # declares it again
    (event_id,) = await publishing
    (delivery,) = await subscription.take(1, 0.0)
    assert delivery.message_id == event_id


async def test_a_broker_that_does_not_answer_leaves_all_unconfirmed() -> None:
    with pytest.raises(NotConfirmed) as caught:
        await apublish([FACT], url="amqp://guest:guest@127.0.0.1:1//", source="fees", give_up_after=0.5)
    assert len(caught.value.event_ids) == 1
