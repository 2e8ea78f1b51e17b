"""Measure dead letters: `python -m tests.benchmarks.dead_letters [--letters N] [--runs N]`.

So many dead letters of six workers, as a bad night leaves them, in a PostgreSQL with fsync on; RabbitMQ, relay and
every worker a process, on one machine. `list` and `groups` are whole processes, median of the runs. Then everything is
replayed without a limit: first with a cheap consumer in the workers' place, which is the pace of relay and the command;
then by the real workers, each item of its own, where all were done before and no mail leaves. Processor time is read
from /proc.

Writes `var/bench/dead_letters.json`, and prints a table (plain when piped).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from services.cli import screen
from services.kernel.adapters.postgres.migrate import migrate
from tests.benchmarks.run import children, cpu, peak_megabytes
from tests.rig.dead_letters_many import WORKERS, seed
from tests.rig.postgres import PrivatePostgres
from tests.rig.rabbitmq import RabbitNode, server_or_skip
from tests.rig.system import CHECKOUT, Process, System

LATEST = CHECKOUT / "var" / "bench" / "dead_letters.json"
REPLAY = ("replay", "--all", "--rate", "none", "--steps", "1,2,5,20,500", "--reason", "bench", "--json")


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "services.cli", "dead-letters", *arguments]


def seconds_of(database: str, what: str, runs: int) -> float:
    """A whole process that lists: the median in seconds."""
    took = []
    for _ in range(runs):
        began = time.perf_counter()
        env = {**os.environ, "DULY_DATABASE_URL": database}
        subprocess.run(command(what), cwd=CHECKOUT, env=env, capture_output=True, check=True)
        took.append(time.perf_counter() - began)
    return round(statistics.median(took), 3)


def replayed(system: System, relay: Process, others: dict[str, int], number: int) -> dict[str, Any]:
    """Replay everything by the command line; what it took of time, processor and memory."""
    before = {name: cpu(children(pid)) for name, pid in others.items()}
    began, command_peak, look = time.perf_counter(), 0.0, {}
    with subprocess.Popen(
        command(*REPLAY), cwd=CHECKOUT, env=system.environment(), stdout=subprocess.PIPE, text=True
    ) as asked:
        assert asked.stdout is not None
        for line in asked.stdout:
            look = json.loads(line)
            if look["state"] == "running":  # else it may have ended
                command_peak = max(command_peak, peak_megabytes(asked.pid))
    seconds = time.perf_counter() - began
    assert (asked.returncode, look["outcomes"]) == (0, {"done": number}), look
    used = {name: cpu(children(pid)) - before[name] for name, pid in others.items()}
    return {
        "seconds": round(seconds, 1),
        "a_second": round(number / seconds),
        "cpu_us_each": {name: round(value / number * 1e6) for name, value in used.items()},
        "peak_megabytes": {"command": round(command_peak, 1), "relay": round(peak_megabytes(relay.pid), 1)},
    }


def one_round(node: RabbitNode, server: PrivatePostgres, number: int, runs: int, *, real: bool) -> dict[str, Any]:
    """Seed, list, replay."""
    node.delete_all_queues()
    database = server.new_database()
    asyncio.run(migrate(database))
    asyncio.run(seed(database, number, done=True))
    told: dict[str, Any] = {} if real else {what: seconds_of(database, what, runs) for what in ("list", "groups")}
    with tempfile.TemporaryDirectory() as folder:
        system = System(database, node.url, "smtp://127.0.0.1:1", Path(folder), {"DULY_HAND_OUT_AGAIN": "30"})
        try:
            relay = system.spawn("relay")
            taking = [
                *([system.spawn(name) for name in WORKERS] if real else []),
                *([] if real else [system.spawn("settler", program=("-m", "tests.rig.settler", *WORKERS))]),
            ]
            asyncio.run(system.ready(relay, *(taking if real else ())))
            others = {"rabbitmq": node.pid, "postgresql": server.pid, "relay": relay.pid}
            others |= {process.worker: process.pid for process in taking}
            return {**told, "replay": replayed(system, relay, others, number)}
        finally:
            system.stop()
            server.drop_database(database.partition("@/")[2].partition("?")[0])


def measure(number: int, runs: int) -> dict[str, Any]:
    """Both rounds on one broker and one server."""
    with RabbitNode(server_or_skip()) as node:
        server = PrivatePostgres(fsync=True)
        server.start()
        try:
            cheap = one_round(node, server, number, runs, real=False)
            real = one_round(node, server, number, runs, real=True)
        finally:
            server.remove()
    lists = {"list_seconds": cheap["list"], "groups_seconds": cheap["groups"]}
    return {"letters": number, **lists, "cheap_consumer": cheap["replay"], "real_workers": real["replay"]}


def show(figures: dict[str, Any]) -> None:
    """The figures as a table."""
    number = screen.counted(figures["letters"], "dead letter")
    screen.line(f"{number}: list {figures['list_seconds']} s, groups {figures['groups_seconds']} s")
    screen.table(
        (
            screen.Column("replayed by"),
            screen.Column("seconds", number=True),
            screen.Column("a second", number=True),
            screen.Column("relay, peak MB", number=True),
            screen.Column("command, peak MB", number=True),
        ),
        [
            (who, each["seconds"], each["a_second"], each["peak_megabytes"]["relay"], each["peak_megabytes"]["command"])
            for who, each in (
                ("a cheap consumer", figures["cheap_consumer"]),
                ("the real workers", figures["real_workers"]),
            )
        ],
    )


def main() -> None:
    """Measure, keep, show."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--letters", type=int, default=50_000)
    parser.add_argument("--runs", type=int, default=5)
    asked = parser.parse_args()
    figures = measure(asked.letters, asked.runs)
    LATEST.parent.mkdir(parents=True, exist_ok=True)
    LATEST.write_text(json.dumps(figures, indent=2) + "\n")
    show(figures)


if __name__ == "__main__":
    main()
