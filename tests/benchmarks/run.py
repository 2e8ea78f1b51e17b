"""Measure the spine: `python -m tests.benchmarks.run [--notices N] [--runs N] [--upstream]`, also `make bench`.

One renderer and one notifier, each a process, on RabbitMQ quorum queues, PostgreSQL with fsync on, and a real SMTP
sink in a process of its own; all of them share this machine. The requests are queued beforehand, as upstream is another
machine; the clock runs from the workers' start of work to the last notice served, and processor time is read from /proc
for every process that took part. With `--upstream` a quorum queue takes all that upstream is told.

Writes `var/bench/latest.json`, and prints a table (plain when piped).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from rich.progress import track

from schemas.cloudevents import Envelope
from services.cli import screen
from services.kernel.adapters.broker import RabbitBroker
from services.kernel.adapters.broker.catalogue import topology_of_catalogue
from services.kernel.adapters.postgres.migrate import migrate
from services.kernel.ports import Outgoing
from tests.rig.postgres import PrivatePostgres
from tests.rig.rabbitmq import RabbitNode, server_or_skip
from tests.rig.smtp_sink import SinkProcess
from tests.rig.system import CHECKOUT, System, fee_outstanding

TICKS = os.sysconf("SC_CLK_TCK")
DOMAINS = 200
LATEST = CHECKOUT / "var" / "bench" / "latest.json"


def children(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    with suppress(FileNotFoundError, ProcessLookupError):  # it ended while we looked
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in task.read_text().split():
                found += children(int(child))
    return found


def cpu(pids: Iterable[int]) -> float:
    """Processor seconds that these processes have used, and what they have reaped."""
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except FileNotFoundError:
            continue
        total += int(fields[11]) + int(fields[12]) + int(fields[13]) + int(fields[14])
    return total / TICKS


def peak_megabytes(pid: int) -> float:
    """The most memory a process has held."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


async def queue_requests(url: str, notices: int) -> None:
    """Put the requests into the renderer's queue."""
    broker = RabbitBroker(url, topology_of_catalogue(), client_name="bench")
    await broker.connect()
    for first in range(0, notices, 1000):
        events = [request(number) for number in range(first, min(first + 1000, notices))]
        messages = [Outgoing(n, "notice.requested.v1", event.wire(), user_id="guest") for n, event in enumerate(events)]
        assert len(await broker.publish(messages)) == len(messages)
    await broker.close()


def request(number: int) -> Envelope:
    """One fee notice, to one of many destinations."""
    asked = fee_outstanding(f"F-{number}", address=f"office-{number}@d{number % DOMAINS}.business.example")
    return Envelope(id=f"bench-{number}", **asked)


async def one_run(node: RabbitNode, server: PrivatePostgres, notices: int, *, upstream: bool) -> dict[str, Any]:
    """Queue the requests, let the workers at them, and read what it cost."""
    node.delete_all_queues()
    database = server.new_database()
    await migrate(database)
    with tempfile.TemporaryDirectory() as folder:
        sink = SinkProcess(Path(folder)).start()
        smtp = f"smtp://127.0.0.1:{sink.port}"
        settings = {"DULY_LINGER": "0.02", "DULY_HEALTH_PORT": "0"}
        system = System(database, node.url, smtp, Path(folder), settings)
        await queue_requests(node.url, notices)
        if upstream:
            with node.channel() as channel:
                channel.queue_declare("upstream", durable=True, auto_delete=False, arguments={"x-queue-type": "quorum"})
                channel.queue_bind("upstream", "duly", "notice.#")
        try:
            return await measured(system, node, server, sink, notices)
        finally:
            system.stop()
            sink.stop()
            server.drop_database(database.partition("@/")[2].partition("?")[0])


async def measured(
    system: System, node: RabbitNode, server: PrivatePostgres, sink: SinkProcess, notices: int
) -> dict[str, Any]:
    """Start the workers, wait for the last notice served, and read every process's clock."""
    assert sink.process is not None
    shared = {"rabbitmq": node.pid, "postgresql": server.pid, "smtp sink": sink.process.pid}
    before = {name: cpu(children(pid)) for name, pid in shared.items()}
    workers = {name: system.spawn(name) for name in ("renderer", "notifier")}
    await system.ready(*workers.values())
    started = {name: cpu(children(worker.pid)) for name, worker in workers.items()}
    begun = time.perf_counter()
    await system.until("SELECT count(*) FROM notice WHERE state = 'served'", notices, seconds=300)
    seconds = time.perf_counter() - begun
    used = {name: cpu(children(pid)) - before[name] for name, pid in shared.items()}
    used |= {name: cpu(children(worker.pid)) - started[name] for name, worker in workers.items()}
    return {
        "notices_per_second": round(notices / seconds),
        "cpu_us_per_notice": {name: round(value / notices * 1e6) for name, value in sorted(used.items())},
        "peak_megabytes": {name: round(peak_megabytes(worker.pid), 1) for name, worker in workers.items()},
        "mails": sink.stats()["accepted"],
        "lost": await system.value("SELECT lost FROM conservation"),
    }


async def run(notices: int, runs: int, *, upstream: bool) -> dict[str, Any]:
    """Several runs on one broker and one server; medians of each figure."""
    with RabbitNode(server_or_skip()) as node:
        server = PrivatePostgres(fsync=True)
        server.start()
        try:
            rounds = [
                await one_run(node, server, notices, upstream=upstream)
                for _ in track(range(runs), "measuring", disable=not screen.console().is_terminal)
            ]
        finally:
            server.remove()
    processes = rounds[0]["cpu_us_per_notice"]
    return {
        "notices": notices,
        "upstream_queue": upstream,
        "median": {
            "notices_per_second": statistics.median(each["notices_per_second"] for each in rounds),
            "cpu_us_per_notice": {
                name: statistics.median(each["cpu_us_per_notice"][name] for each in rounds) for name in processes
            },
            "peak_megabytes": {
                name: max(each["peak_megabytes"][name] for each in rounds) for name in rounds[0]["peak_megabytes"]
            },
        },
        "runs": rounds,
    }


def show(figures: dict[str, Any]) -> None:
    """The medians as a table."""
    median = figures["median"]
    screen.line(f"{median['notices_per_second']:,} notices/s end to end, {figures['notices']:,} notices a run")
    memory = median["peak_megabytes"]
    screen.table(
        (
            screen.Column("process"),
            screen.Column("CPU µs a notice", number=True),
            screen.Column("peak MB", number=True),
        ),
        [(name, cost, memory.get(name, "")) for name, cost in median["cpu_us_per_notice"].items()],
    )


def main() -> None:
    """Measure, keep, show."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--notices", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--upstream", action="store_true", help="bind a queue that takes what upstream is told")
    asked = parser.parse_args()
    figures = asyncio.run(run(asked.notices, asked.runs, upstream=asked.upstream))
    LATEST.parent.mkdir(parents=True, exist_ok=True)
    LATEST.write_text(json.dumps(figures, indent=2) + "\n")
    show(figures)


if __name__ == "__main__":
    main()
