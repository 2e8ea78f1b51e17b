"""Fifty thousand dead letters: listed within a second, replayed in bounded memory, with a true progress bar."""

from __future__ import annotations

import asyncio
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fcntl import ioctl
from pathlib import Path

import asyncpg
import pytest

from tests.rig.dead_letters_many import WORKERS, seed
from tests.rig.postgres import PrivatePostgres
from tests.rig.rabbitmq import RabbitNode
from tests.rig.system import CHECKOUT, Process, System

MANY, FEW = 50_000, 5_000
WITHIN = 1.0
"""Seconds for a list, from the start of the process to its end, on a machine that has time for it."""
LAG = 5.0
"""Seconds that a figure may be old when it is shown, on a busy machine."""
ROOM = 16_384
"""KiB by which the memory of two processes may differ although they hold the same."""
REPLAY = ("replay", "--all", "--rate", "none", "--steps", "1,2,5,20,500,5000", "--reason", "the neighbour is back")

pytestmark = pytest.mark.slow


@dataclass(frozen=True, slots=True)
class Watched:
    """A replay as a terminal showed it: when how many had ended, and all that it wrote; peaks of memory in KiB."""

    figures: list[tuple[datetime, int]]
    text: str
    command: int
    relay: int


@contextmanager
def crowd(server: PrivatePostgres, template: str, number: int) -> Iterator[str]:
    """A database with so many dead letters."""
    dsn = server.new_database(template=template)
    asyncio.run(seed(dsn, number))
    yield dsn
    server.drop_database(dsn.partition("@/")[2].partition("?")[0])


@pytest.fixture(scope="module")
def many(postgres_server: PrivatePostgres, migrated_template: str) -> Iterator[str]:
    with crowd(postgres_server, migrated_template, MANY) as dsn:
        yield dsn


@pytest.fixture(scope="module")
def few(postgres_server: PrivatePostgres, migrated_template: str) -> Iterator[str]:
    with crowd(postgres_server, migrated_template, FEW) as dsn:
        yield dsn


@contextmanager
def relay_beside(dsn: str, rabbit_node: RabbitNode, folder: Path) -> Iterator[tuple[System, Process]]:
    """The real relay, and in the workers' place what takes the work off the queues at once."""
    rabbit_node.delete_all_queues()
    system = System(dsn, rabbit_node.url, "smtp://127.0.0.1:1", folder, {"DULY_HAND_OUT_AGAIN": "30"})
    try:
        system.spawn("settler", program=("-m", "tests.rig.settler", *WORKERS))
        relay = system.spawn("relay")
        asyncio.run(system.ready(relay))
        yield system, relay
    finally:
        system.stop()


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "services.cli", "dead-letters", *arguments]


def peak(pid: int) -> int:
    """The most memory that a process has held so far, in KiB."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(re.findall(r"VmHWM:\s+(\d+)", status)[0])


async def _ended(dsn: str, at: list[datetime]) -> list[int]:
    connection = await asyncpg.connect(dsn)
    try:
        times = [
            row["ended_at"] for row in await connection.fetch("SELECT ended_at FROM replay_item ORDER BY ended_at")
        ]
        return [bisect_right(times, when) for when in at]
    finally:
        await connection.close()


def assert_true(dsn: str, figures: list[tuple[datetime, int]], total: int) -> None:
    """Each figure is what the database said when it was shown: nothing more, and nothing older than the lag."""
    assert len(figures) > 3, "there is no progress to see"
    at = [when for when, _ in figures]
    most = asyncio.run(_ended(dsn, at))
    least = asyncio.run(_ended(dsn, [when - timedelta(seconds=LAG) for when in at]))
    for (when, told), low, high in zip(figures, least, most, strict=True):
        assert low <= told <= high, f"{when}: told {told}, the database {low} to {high}"
    assert figures[-1][1] == total


def replayed(dsn: str, total: int, rabbit_node: RabbitNode, folder: Path) -> Watched:
    """Replay everything, and watch it in a terminal of 100 columns."""
    with relay_beside(dsn, rabbit_node, folder) as (system, relay):
        ours, theirs = pty.openpty()
        ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        env = {**system.environment(), "TERM": "xterm-256color"}
        process = subprocess.Popen(command(*REPLAY), cwd=CHECKOUT, env=env, stdout=theirs, stderr=theirs)
        os.close(theirs)
        figures, text, own = [], "", 0
        with suppress(OSError):  # the end of a terminal
            while chunk := os.read(ours, 65_536).decode(errors="replace"):
                text += chunk
                found = re.findall(rf"([\d,]+) of {total:,}", chunk)
                figures += [(datetime.now(UTC), int(each.replace(",", ""))) for each in found]
                own = max(own, peak(process.pid)) if process.poll() is None else own
        os.close(ours)
        assert process.wait() == 0, text
        return Watched(figures, text, own, peak(relay.pid))


def stretch() -> float:
    """How much longer things take just now than the processor works on them, as others work on this machine, too."""
    before, began = os.times(), time.monotonic()
    subprocess.run([sys.executable, "-m", "services.cli", "--version"], cwd=CHECKOUT, capture_output=True, check=True)
    took, after = time.monotonic() - began, os.times()
    return max(
        1.0, took / (after.children_user + after.children_system - before.children_user - before.children_system)
    )


def test_list_and_groups_of_fifty_thousand_are_there_within_a_second(many: str) -> None:
    env = {**os.environ, "DULY_DATABASE_URL": many}
    for what, rows in (("list", 100), ("groups", 30)):
        took = []
        for _ in range(5):
            slower, began = stretch(), time.monotonic()
            done = subprocess.run(command(what, "--json"), cwd=CHECKOUT, env=env, capture_output=True, check=True)
            took.append((time.monotonic() - began) / slower)
            if took[-1] < WITHIN:
                break
        assert len(done.stdout.splitlines()) == rows
        assert min(took) < WITHIN, f"{what} took {took} s"


def test_fifty_thousand_are_replayed_in_the_memory_of_five_thousand_with_a_bar_that_says_what_the_database_says(
    many: str, few: str, rabbit_node: RabbitNode, tmp_path: Path
) -> None:
    small = replayed(few, FEW, rabbit_node, tmp_path)
    assert_true(few, small.figures, FEW)
    large = replayed(many, MANY, rabbit_node, tmp_path)
    assert_true(many, large.figures, MANY)
    assert re.search(r"run \w+ is finished: 50,000 done", large.text)
    assert re.search(r"batch \d+", large.text)
    assert "0 failed" in large.text
    assert large.command < small.command + ROOM
    assert large.relay < small.relay + ROOM
