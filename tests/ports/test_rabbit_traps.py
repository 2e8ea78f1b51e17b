"""What a real RabbitMQ does to those who trust it: deletes, cuts, refuses, blocks, splits, and delivers again."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from uuid import uuid4

import amqp
import pytest

from services.kernel.adapters.broker import QueueSpec, RabbitBroker, Topology, connection, quorum_queue
from services.kernel.adapters.broker.frames import UNREADABLE
from services.kernel.adapters.broker.publisher import ConfirmingPublisher, _Batch
from services.kernel.ports import BrokerUnavailable, Delivery, Outgoing, Subscription
from tests.rig.rabbitmq import RabbitNode, free_port
from tests.rig.tcp_proxy import TcpProxy

SECONDS = 30.0


def outgoing(key: int, body: bytes = b"", routing_key: str = "work", *, mandatory: bool = False) -> Outgoing:
    return Outgoing(key, routing_key, body or str(key).encode(), mandatory=mandatory)


@pytest.fixture
def topology(rabbit_node: RabbitNode) -> Iterator[Topology]:
    name = uuid4().hex
    topology = Topology(
        exchange=name,
        queues=(
            quorum_queue(f"{name}.work", ("work",), dead_letter_exchange=f"{name}.dead", delivery_limit=2),
            quorum_queue(f"{name}.single", ("single",), single_active_consumer=True),
            QueueSpec(
                f"{name}.small",
                ("small",),
                {"x-queue-type": "quorum", "x-overflow": "reject-publish", "x-max-length": 5},
            ),
        ),
        dead_letter_exchange=f"{name}.dead",
        dead_letter_queue=quorum_queue(f"{name}.dead", ("#",)),
    )
    yield topology
    assert topology.dead_letter_queue is not None
    for queue in (*topology.queues, topology.dead_letter_queue):
        rabbit_node.delete_queue(queue.name)


def url_of(port: int) -> str:
    return f"amqp://guest:guest@127.0.0.1:{port}//"


@asynccontextmanager
async def connected(
    port: int, topology: Topology, *, heartbeat: int = 10, write_timeout: float = 10.0, patience: float = 5.0
) -> AsyncIterator[RabbitBroker]:
    broker = RabbitBroker(
        url_of(port),
        topology,
        heartbeat=heartbeat,
        write_timeout=write_timeout,
        patience=patience,
        client_name="traps",
    )
    await broker.connect()
    yield broker
    await broker.close()


@pytest.fixture
async def broker(rabbit_node: RabbitNode, topology: Topology) -> AsyncIterator[RabbitBroker]:
    async with connected(rabbit_node.port, topology) as broker:
        yield broker


@pytest.fixture
async def proxy(rabbit_node: RabbitNode) -> AsyncIterator[TcpProxy]:
    async with TcpProxy(rabbit_node.port) as proxy:
        yield proxy


@contextmanager
def spinning_nothing() -> Iterator[None]:
    before = time.process_time()
    yield
    assert time.process_time() - before < 0.2


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server's TLS, for the name localhost, by an authority of its own that this test trusts."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command.split(), *names], check=True, capture_output=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


async def idle_half_a_second() -> None:
    with spinning_nothing():
        await asyncio.sleep(0.5)


async def longest_stall(stop: asyncio.Event) -> float:
    """The longest time in seconds that the loop served nobody, until `stop`."""
    longest, last = 0.0, time.monotonic()
    while not stop.is_set():
        await asyncio.sleep(0.01)
        now = time.monotonic()
        longest, last = max(longest, now - last - 0.01), now
    return longest


async def taken(subscription: Subscription, wanted: int) -> list[Delivery]:
    got: list[Delivery] = []
    async with asyncio.timeout(SECONDS):
        while len(got) < wanted:
            got += await subscription.take(wanted - len(got), linger=0.05)
    return got


# --- lost -------------------------------------------------------------------------------------------------------------


async def test_a_queue_deleted_under_its_consumer_is_said_and_declared_anew(
    rabbit_node: RabbitNode, topology: Topology, broker: RabbitBroker
) -> None:
    queue = topology.queues[0].name
    subscription = await broker.subscribe(queue, prefetch=10)
    waiting = asyncio.create_task(subscription.take(1, linger=0))
    await asyncio.to_thread(rabbit_node.delete_queue, queue)
    with pytest.raises(BrokerUnavailable, match="deleted"):
        await asyncio.wait_for(waiting, SECONDS)
    await idle_half_a_second()
    again = await broker.subscribe(queue, prefetch=10)
    assert await broker.publish([outgoing(1, mandatory=True)]) == {1}
    await again.settle(await taken(again, 1))


async def test_a_cut_connection_ends_the_wait_and_nothing_spins(topology: Topology, proxy: TcpProxy) -> None:
    async with connected(proxy.port, topology) as broker:
        subscription = await broker.subscribe(topology.queues[0].name, prefetch=10)
        await broker.publish([outgoing(1)])
        held = await taken(subscription, 1)
        waiting = asyncio.create_task(subscription.take(1, linger=0))
        await asyncio.sleep(0)
        proxy.sever()
        with pytest.raises(BrokerUnavailable):
            await asyncio.wait_for(waiting, SECONDS)
        await idle_half_a_second()
        with pytest.raises(BrokerUnavailable):
            await subscription.settle(held)
        await subscription.give_back(held)
        again = await broker.subscribe(topology.queues[0].name, prefetch=10)
        [back] = await taken(again, 1)
        assert (back.body, back.redelivered) == (held[0].body, True)


async def test_connections_closed_by_the_operator_are_made_again(
    rabbit_node: RabbitNode, topology: Topology, broker: RabbitBroker
) -> None:
    subscription = await broker.subscribe(topology.queues[0].name, prefetch=10)
    await asyncio.to_thread(rabbit_node.ctl, "close_all_connections", "maintenance")
    with pytest.raises(BrokerUnavailable, match="maintenance"):
        await asyncio.wait_for(subscription.take(1, linger=0), SECONDS)
    await idle_half_a_second()
    assert await broker.publish([outgoing(1)]) == {1}


async def test_what_was_not_confirmed_when_the_connection_was_cut_is_unsent(
    topology: Topology, proxy: TcpProxy
) -> None:
    async with connected(proxy.port, topology) as broker:
        assert await broker.publish([outgoing(1)]) == {1}
        proxy.to_client.clear()  # the broker takes them; its confirms never arrive
        publishing = asyncio.create_task(broker.publish([outgoing(key) for key in range(2, 102)]))
        done, _ = await asyncio.wait([publishing], timeout=0.3)
        assert not done
        proxy.sever()
        assert await asyncio.wait_for(publishing, SECONDS) == set()
        await idle_half_a_second()
        proxy.to_client.set()
        assert await broker.publish([outgoing(102)]) == {102}


async def test_a_killed_broker_comes_back_with_every_confirmed_message(
    rabbit_node: RabbitNode, topology: Topology
) -> None:
    async with connected(rabbit_node.port, topology) as broker:
        subscription = await broker.subscribe(topology.queues[0].name, prefetch=200)
        confirmed = await broker.publish([outgoing(key) for key in range(200)])
        assert confirmed == set(range(200))
        await asyncio.to_thread(rabbit_node.kill)
        with pytest.raises(BrokerUnavailable):
            await taken(subscription, 1000)
        assert await broker.publish([outgoing(999)]) == set()
        await asyncio.to_thread(rabbit_node.start)
        again = await broker.subscribe(topology.queues[0].name, prefetch=200)
        assert {int(one.body) for one in await taken(again, 200)} == confirmed
        assert await broker.publish([outgoing(200)]) == {200}


async def test_an_unreachable_broker_is_named_without_its_password(topology: Topology) -> None:
    port = free_port()
    broker = RabbitBroker(f"amqp://guest:s3cret@127.0.0.1:{port}/", topology, client_name="traps")
    with pytest.raises(BrokerUnavailable, match=f"127.0.0.1:{port}.*DULY_BROKER_URL") as said:
        await broker.connect()
    assert "s3cret" not in str(said.value)
    assert await broker.publish([outgoing(1)]) == set()
    await broker.close()


async def test_a_wrong_password_is_refused_with_what_to_do(rabbit_node: RabbitNode, topology: Topology) -> None:
    broker = RabbitBroker(f"amqp://guest:s3cret@127.0.0.1:{rabbit_node.port}//", topology, client_name="traps")
    with pytest.raises(BrokerUnavailable, match="ACCESS_REFUSED") as said:
        await broker.connect()
    assert "s3cret" not in str(said.value)
    await broker.close()


async def test_a_queue_that_exists_with_other_arguments_is_named(
    rabbit_node: RabbitNode, topology: Topology, broker: RabbitBroker
) -> None:
    await broker.connect()
    queue = topology.queues[2]
    changed = Topology(exchange=topology.exchange, queues=(quorum_queue(queue.name, queue.routing_keys),))
    other = RabbitBroker(rabbit_node.url, changed, client_name="traps")
    with pytest.raises(BrokerUnavailable, match=queue.name):
        await other.connect()
    await other.close()


async def test_a_subscribe_that_was_cancelled_leaves_no_consumer(
    rabbit_node: RabbitNode, topology: Topology, proxy: TcpProxy
) -> None:
    async with connected(rabbit_node.port, topology) as broker, connected(proxy.port, topology) as other:
        proxy.to_client.clear()
        subscribing = asyncio.create_task(other.subscribe(topology.queues[0].name, prefetch=10))
        async with asyncio.timeout(SECONDS):
            await proxy.connected(2)
        subscribing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await subscribing
        proxy.to_client.set()
        subscription = await broker.subscribe(topology.queues[0].name, prefetch=10)
        await broker.publish([outgoing(key) for key in range(20)])
        async with asyncio.timeout(SECONDS):
            got: set[bytes] = set()
            while len(got) < 20:
                some = await subscription.take(20, linger=0)
                await subscription.settle(some)
                got |= {one.body for one in some}


# --- confirms ---------------------------------------------------------------------------------------------------------


async def test_returns_are_told_apart_from_their_neighbours(broker: RabbitBroker) -> None:
    messages = [
        outgoing(key, routing_key="work" if key % 3 else "nowhere", mandatory=key % 2 == 0) for key in range(300)
    ]
    lost = {key for key in range(300) if key % 3 == 0 and key % 2 == 0}
    assert await broker.publish(messages) == set(range(300)) - lost


async def test_a_full_queue_refuses_and_what_it_refused_is_unsent(
    rabbit_node: RabbitNode, topology: Topology, broker: RabbitBroker
) -> None:
    confirmed: set[int] = set()
    for key in range(40):
        confirmed |= await broker.publish([outgoing(key, routing_key="small")])
    assert 5 <= len(confirmed) < 40
    assert rabbit_node.queue_depth(topology.queues[2].name) == len(confirmed)
    assert await broker.publish([outgoing(99, routing_key="small"), outgoing(100)]) == {100}


class _Silent:
    """A connection that is never heard from; the test answers in its place."""

    fault = None


async def test_confirms_count_in_any_order_and_many_at_once() -> None:
    publisher = ConfirmingPublisher(_Silent(), "x", patience=1, answer_seconds=1)  # type: ignore[arg-type]
    batch = _Batch()
    batch.outstanding = 8
    batch.close()
    publisher._pending = {tag: (batch, tag * 10) for tag in range(1, 9)}
    publisher._on_returned({"correlation_id": "4"})
    publisher._on_ack(3, multiple=False)
    publisher._on_nack(6, multiple=False)
    publisher._on_ack(5, multiple=True)
    publisher._on_ack(5, multiple=True)
    publisher._on_nack(7, multiple=True)
    assert not batch.answered.is_set()
    publisher._on_ack(8, multiple=False)
    assert batch.answered.is_set()
    assert (batch.confirmed, batch.refused) == ({10, 20, 30, 50, 80}, {40, 60, 70})
    assert not publisher._pending


async def test_a_batch_is_answered_only_when_all_of_it_was_sent() -> None:
    batch = _Batch()
    batch.outstanding = 1
    batch.answer(1, taken=True)  # the broker was faster than we
    assert not batch.answered.is_set()
    batch.outstanding += 1
    batch.answer(2, taken=True)
    batch.close()
    assert batch.answered.is_set()


async def test_a_message_that_cannot_be_encoded_delays_no_other(broker: RabbitBroker) -> None:
    unsendable = Outgoing(1, "w" * 300, b"")
    assert await broker.publish([outgoing(0), unsendable, outgoing(2)]) == {0, 2}


async def test_a_user_id_that_is_not_ours_is_unsent_and_the_next_publish_goes_through(broker: RabbitBroker) -> None:
    assert await broker.publish([Outgoing(1, "work", b"", user_id="somebody")]) == set()
    assert await broker.publish([Outgoing(2, "work", b"", user_id="guest")]) == {2}


async def test_a_blocked_publisher_waits_within_bounds_and_the_loop_lives(
    rabbit_node: RabbitNode, topology: Topology
) -> None:
    async with connected(rabbit_node.port, topology, patience=0.5) as broker:
        assert await broker.publish([outgoing(0)]) == {0}
        await asyncio.to_thread(rabbit_node.ctl, "set_vm_memory_high_watermark", "0.0000001")
        try:
            stop = asyncio.Event()
            watching = asyncio.create_task(longest_stall(stop))
            async with asyncio.timeout(5):
                assert await broker.publish([outgoing(1)]) == set()
                assert await broker.publish([outgoing(2)]) == set()
            stop.set()
            assert await watching < 1
        finally:
            await asyncio.to_thread(rabbit_node.ctl, "set_vm_memory_high_watermark", "0.4")
        async with asyncio.timeout(SECONDS):
            while not await broker.publish([outgoing(3)]):
                pass


async def test_a_broker_that_stops_reading_holds_up_nothing_but_its_own_publish(
    topology: Topology, proxy: TcpProxy
) -> None:
    async with connected(proxy.port, topology, write_timeout=1.0) as broker:
        proxy.to_server.clear()
        stop = asyncio.Event()
        watching = asyncio.create_task(longest_stall(stop))
        async with asyncio.timeout(10):
            assert await broker.publish([outgoing(key, bytes(5_000_000)) for key in range(8)]) == set()
        stop.set()
        assert await watching < 1
        proxy.to_server.set()
        assert await broker.publish([outgoing(9)]) == {9}


# --- reading ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("piece", [1, 7])
async def test_frames_split_anywhere_are_put_together(rabbit_node: RabbitNode, topology: Topology, piece: int) -> None:
    async with TcpProxy(rabbit_node.port, piece=piece) as proxy, connected(proxy.port, topology) as broker:
        bodies = [bytes([key]) * (key * 7) for key in range(40)]
        assert await broker.publish([outgoing(key, body) for key, body in enumerate(bodies)]) == set(range(40))
        subscription = await broker.subscribe(topology.queues[0].name, prefetch=100)
        with spinning_nothing():  # beyond the chopping itself
            await asyncio.sleep(0.05)
        got = await taken(subscription, 40)
        assert [one.body for one in got][1:] == bodies[1:]
        await subscription.settle(got)


async def test_more_than_one_turn_can_read_is_read_without_another_byte_from_the_broker(
    rabbit_node: RabbitNode, topology: Topology, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_FRAMES_A_TURN", 10)
    async with connected(rabbit_node.port, topology, heartbeat=0) as broker:
        keys = range(300)
        assert await broker.publish([Outgoing(key, "work", b"") for key in keys]) == set(keys)
        subscription = await broker.subscribe(topology.queues[0].name, prefetch=300)
        assert len(await taken(subscription, 300)) == 300


async def test_unreadable_properties_harm_only_their_own_message(
    rabbit_node: RabbitNode, topology: Topology, broker: RabbitBroker
) -> None:
    subscription = await broker.subscribe(topology.queues[0].name, prefetch=10)
    with rabbit_node.channel() as channel:
        channel.basic_publish(amqp.Message(b"bad", content_type=b"\xff\xfe"), topology.exchange, "work")
        nested = {"count": 3, "yes": True, "raw": b"\xff", "list": [1], "void": None, "table": {"a": 1}}
        channel.basic_publish(amqp.Message(b"good", application_headers=nested), topology.exchange, "work")
    bad, good = await taken(subscription, 2)
    assert (bad.body, bad.content_type, bad.headers) == (b"bad", "", {UNREADABLE: "true"})
    assert (good.body, good.headers) == (b"good", {"count": "3", "yes": "true", "raw": "\ufffd"})


async def test_heartbeats_keep_an_idle_connection_alive(topology: Topology, proxy: TcpProxy) -> None:
    async with connected(proxy.port, topology, heartbeat=1) as broker:
        subscription = await broker.subscribe(topology.queues[0].name, prefetch=10)
        with spinning_nothing():
            await asyncio.sleep(4)  # the broker would have hung up after two to three
        assert await broker.publish([outgoing(1)]) == {1}
        assert len(await taken(subscription, 1)) == 1
        assert proxy.connections == 2


async def test_a_peer_that_fell_silent_is_given_up(topology: Topology, proxy: TcpProxy) -> None:
    async with connected(proxy.port, topology, heartbeat=1) as broker:
        subscription = await broker.subscribe(topology.queues[0].name, prefetch=10)
        proxy.to_client.clear()
        with pytest.raises(BrokerUnavailable, match="heartbeats"):
            await asyncio.wait_for(subscription.take(1, linger=0), 8)


async def test_tls_carries_large_messages_both_ways(
    rabbit_node: RabbitNode, topology: Topology, trusted: ssl.SSLContext
) -> None:
    async with TcpProxy(rabbit_node.port, tls=trusted) as proxy:
        broker = RabbitBroker(f"amqps://guest:guest@localhost:{proxy.port}//", topology, client_name="traps")
        bodies = [bytes([key]) * 700_000 for key in range(1, 6)]
        assert await broker.publish([outgoing(key, body) for key, body in enumerate(bodies)]) == set(range(5))
        subscription = await broker.subscribe(topology.queues[0].name, prefetch=100)
        got = await taken(subscription, 5)
        assert [one.body for one in got] == bodies
        await subscription.settle(got)
        await broker.close()


async def test_a_certificate_for_another_name_is_refused(
    rabbit_node: RabbitNode, topology: Topology, trusted: ssl.SSLContext
) -> None:
    async with TcpProxy(rabbit_node.port, tls=trusted) as proxy:
        broker = RabbitBroker(f"amqps://guest:guest@127.0.0.1:{proxy.port}//", topology, client_name="traps")
        with pytest.raises(BrokerUnavailable, match="certificate verify failed"):
            await broker.connect()
        await broker.close()


# --- queues -----------------------------------------------------------------------------------------------------------


async def test_a_single_active_consumer_is_followed_by_the_next(topology: Topology, broker: RabbitBroker) -> None:
    queue = topology.queues[1].name
    first = await broker.subscribe(queue, prefetch=100)
    second = await broker.subscribe(queue, prefetch=100)
    await broker.publish([outgoing(key, routing_key="single") for key in range(10)])
    got = await taken(first, 10)
    assert [int(one.body) for one in got] == list(range(10))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(second.take(1, linger=0), 0.3)
    await first.settle(got[:6])
    await first.close()
    assert [int(one.body) for one in await taken(second, 4)] == [6, 7, 8, 9]


async def test_a_message_that_came_back_too_often_is_dead_lettered(topology: Topology, broker: RabbitBroker) -> None:
    assert topology.dead_letter_queue is not None
    subscription = await broker.subscribe(topology.queues[0].name, prefetch=10)
    graveyard = await broker.subscribe(topology.dead_letter_queue.name, prefetch=10)
    await broker.publish([outgoing(1)])
    counts = []
    for _ in range(3):  # delivered once, and twice more
        got = await taken(subscription, 1)
        counts.append(got[0].headers.get("x-delivery-count"))
        await subscription.give_back(got)
    assert counts == [None, "1", "2"]
    [dead] = await taken(graveyard, 1)
    assert (dead.body, dead.routing_key) == (b"1", "work")
    assert dead.headers["x-first-death-queue"] == topology.queues[0].name
    assert dead.headers["x-first-death-reason"] == "delivery_limit"
    await graveyard.settle([dead])
