"""A fleet of `duly run` processes, as an operator has it: scaled out and in, restarted one after another, or killed.

Every process is an interpreter of its own that imports everything anew. Before one ends it is asked for its measures,
and the kernel for the most memory that it ever had.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.rig.system import CHECKOUT, Process, System

OF_CONSUMERS = "duly_items_total"
OF_DOORS = "duly_door_calls_total"
_POLL = 0.02
_AT_WORK = 10.0


@dataclass(frozen=True, slots=True)
class Member:
    """One process of a worker. `settings` are its own; whoever replaces it gets them too."""

    process: Process
    settings: dict[str, str]
    is_previous: bool

    @property
    def worker(self) -> str:
        """What it is a process of."""
        return self.process.worker


@dataclass(frozen=True, slots=True)
class Departure:
    """How one process ended.

    `at` is Unix time, when it had ended; `seconds` are from the signal to there; `done` the items or calls that it had
    counted, None where it counts none; `peak` the most memory that was resident, in MB, and `cpu` the seconds of a
    processor that it took, both 0 where the kernel does not tell.
    """

    worker: str
    is_previous: bool
    by: signal.Signals
    at: float
    seconds: float
    code: int
    done: int | None
    peak: float
    cpu: float

    @property
    def is_killed(self) -> bool:
        """Whether it had no chance to finish."""
        return self.by is signal.SIGKILL


@dataclass
class Fleet:
    """All processes of one system. `previous` is the tree of the version before."""

    system: System
    previous: Path
    members: list[Member] = field(default_factory=list)
    departures: list[Departure] = field(default_factory=list)

    def of(self, worker: str) -> list[Member]:
        """The present version's processes of a worker, the oldest first."""
        return [each for each in self.members if each.worker == worker and not each.is_previous]

    def spawn(self, worker: str, *, is_previous: bool = False, **settings: str) -> Member:
        """Start one more process, which signs in to the database as its worker."""
        tree = self.previous if is_previous else CHECKOUT
        program = ("-m", "services.cli", "run", worker)
        role = {"DULY_DATABASE_URL": re.sub(r"(?<=://)[^@]*(?=@)", f"duly_{worker}", self.system.database)}
        process = self.system.spawn(worker, program=program, tree=tree, **role, **settings)
        member = Member(process, settings, is_previous)
        self.members.append(member)
        return member

    async def ready(self, *members: Member) -> None:
        """Wait until each says that it can work."""
        await self.system.ready(*(member.process for member in members))

    async def scale_out(self, worker: str, **settings: str) -> None:
        """One more, and wait until it can work."""
        await self.ready(self.spawn(worker, **settings))

    async def replace(self, member: Member, by: signal.Signals = signal.SIGTERM) -> None:
        """End one, and start another in its place."""
        await self.end(member, by)
        await self.scale_out(member.worker, **member.settings)

    async def end(self, member: Member, by: signal.Signals = signal.SIGTERM) -> None:
        """End one, by SIGKILL in the midst of its work."""
        popen = member.process.popen
        assert popen.poll() is None, f"{member.worker} ended by itself: {member.process.log.read_text()[-3000:]}"
        done = await (_at_work(member) if by is signal.SIGKILL else _done(member))
        peak, cpu = _peak(popen.pid), _cpu(popen.pid)
        began = time.monotonic()
        popen.send_signal(by)
        code = await asyncio.to_thread(popen.wait, 60)
        seconds = time.monotonic() - began
        self.members.remove(member)
        self.departures.append(
            Departure(member.worker, member.is_previous, by, time.time(), seconds, code, done, peak, cpu)
        )

    async def dissolve(self) -> None:
        """End all, one after another of each worker, all workers at once."""
        workers = dict.fromkeys(member.worker for member in self.members)

        async def one_by_one(worker: str) -> None:
            for member in [each for each in self.members if each.worker == worker]:
                await self.end(member)

        await asyncio.gather(*map(one_by_one, workers))


async def _at_work(member: Member) -> int | None:
    """Wait until the process does something; what it has done then."""
    before = done = await _done(member)
    patience = time.monotonic() + _AT_WORK
    while done is not None and done == before and time.monotonic() < patience:
        await asyncio.sleep(_POLL)
        done = await _done(member)
    return done


async def _done(member: Member) -> int | None:
    """The items that a process has committed, or a door's calls; None for those that count neither."""
    port = member.process.port()
    assert port is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    told = (await reader.read()).decode()
    writer.close()
    counted = re.findall(rf"^(?:{OF_CONSUMERS}|{OF_DOORS})\{{.*\}} (\S+)$", told, re.MULTILINE)
    return int(sum(map(float, counted))) if counted else None


def _peak(pid: int) -> float:
    """The most that was ever resident of a process, in MB, as Linux tells it."""
    try:
        told = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0.0
    return int(told[1]) * 1.024 / 1000 if told else 0.0


def _cpu(pid: int) -> float:
    """The seconds of a processor that a process has taken, as Linux tells them."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def report(departures: list[Departure]) -> str:
    """A line a worker: how its processes ended, and what they took."""
    lines = []
    for worker in dict.fromkeys(each.worker for each in departures):
        those = [each for each in departures if each.worker == worker]
        slowest = max((each.seconds for each in those if not each.is_killed), default=0.0)
        lines.append(
            f"{worker:<10} {len(those)} ended, {sum(each.is_killed for each in those)} killed,"
            f" {sum(each.is_previous for each in those)} previous; SIGTERM to exit {slowest:.2f} s at most;"
            f" {sum(each.done or 0 for each in those)} done in {sum(each.cpu for each in those):.0f} s of a processor;"
            f" peak {max(each.peak for each in those):.0f} MB"
        )
    return "\n".join(lines)
