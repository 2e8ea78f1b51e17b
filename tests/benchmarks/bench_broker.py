"""Measure the broker adapter against a private RabbitMQ: `python tests/benchmarks/bench_broker.py [MESSAGES]`.

Prints one JSON object: confirmed publishes and consumed messages a second, each with the processor time of this process
in microseconds a message. Quorum queue, persistent messages of 300 bytes, acknowledged in batches of 200.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from services.kernel.adapters.broker import RabbitBroker, Topology, quorum_queue
from services.kernel.ports import Broker, Outgoing
from tests.rig.rabbitmq import RabbitNode, server_or_skip

BODY = b"x" * 300
TOPOLOGY = Topology(exchange="bench", queues=(quorum_queue("bench.small", ("small",)),))


class Stopwatch:
    """Wall and processor time of a stretch of work."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def figures(self, messages: int) -> dict[str, float]:
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        return {"messages_per_second": round(messages / wall), "cpu_us_per_message": round(cpu / messages * 1e6, 1)}


async def publish(broker: Broker, messages: int, batch: int) -> dict[str, float]:
    watch = Stopwatch()
    for first in range(0, messages, batch):
        keys = range(first, min(first + batch, messages))
        confirmed = await broker.publish([Outgoing(key, "small", BODY, headers={"type": "bench.v1"}) for key in keys])
        assert confirmed == set(keys)
    return watch.figures(messages)


async def consume(broker: Broker, messages: int) -> dict[str, float]:
    watch = Stopwatch()
    subscription = await broker.subscribe("bench.small", prefetch=2000)
    left = messages
    while left:
        taken = await subscription.take(200, linger=0.005)
        await subscription.settle(taken)
        left -= len(taken)
    figures = watch.figures(messages)
    await subscription.close()
    return figures


async def measure(url: str, messages: int) -> dict[str, dict[str, float]]:
    broker = RabbitBroker(url, TOPOLOGY, client_name="bench")
    await broker.connect()
    try:
        return {
            "publish_batches_of_1000": await publish(broker, messages, 1000),
            "publish_batches_of_100": await publish(broker, messages // 4, 100),
            "consume": await consume(broker, messages + messages // 4),
        }
    finally:
        await broker.close()


def main() -> None:
    messages = int(sys.argv[1]) if len(sys.argv) > 1 else 40_000
    with RabbitNode(server_or_skip()) as node:
        sys.stdout.write(json.dumps(asyncio.run(measure(node.url, messages)), indent=2) + "\n")


if __name__ == "__main__":
    main()
