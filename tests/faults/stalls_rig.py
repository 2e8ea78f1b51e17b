"""Servers of its own for the stalls: database and broker are stopped and killed here, and the legal clock is moved."""

from __future__ import annotations

import asyncio
import fcntl
import signal
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.kernel.adapters.broker import open_broker
from services.kernel.adapters.broker.catalogue import topology_of_catalogue
from services.kernel.adapters.ids import SystemIds
from services.kernel.adapters.postgres.desk import open_desk
from services.kernel.adapters.postgres.ledger import PostgresLedger
from services.kernel.adapters.postgres.migrate import migrate
from services.kernel.domain.changes import Announced, Change, EvidenceStored
from services.kernel.runtime.desk import clear_evidence, word
from services.kernel.runtime.publishing import publish_unsent
from tests.faults import builder
from tests.rig.postgres import PrivatePostgres
from tests.rig.rabbitmq import RabbitNode, server_or_skip
from tests.rig.smtp_sink import SinkProcess
from tests.rig.system import CHECKOUT, Process, System, fee_outstanding, until

PATCHED = CHECKOUT / "tests" / "faults" / "patched_worker.py"


@dataclass
class Town:
    """Duly in processes, and the servers around it."""

    system: System
    postgres: PrivatePostgres
    rabbit: RabbitNode
    sink: SinkProcess

    async def publish(self, *refs: str) -> None:
        """Ask for one fee notice each."""
        await self.system.publish(*(fee_outstanding(ref) for ref in refs))

    async def served(self, *refs: str) -> None:
        """Ask for notices, and wait until they are served."""
        await self.publish(*refs)
        for ref in refs:
            await self.system.until_state(ref, "served")

    async def states(self, prefix: str) -> dict[str, int]:
        """How many notices are in each state, of those whose reference begins so."""
        rows = await self.system.fetch(
            "SELECT state, count(*) FROM notice WHERE source_ref LIKE $1 || '%' GROUP BY 1", prefix
        )
        return {row["state"]: row["count"] for row in rows}

    async def all_are(self, prefix: str, state: str, number: int, seconds: float = 40) -> None:
        """Wait until so many notices are in a state; alerts that are to be tried again are tried at once."""

        async def holds() -> bool:
            await self.hurry()
            return await self.states(prefix) == {state: number}

        try:
            await until(holds, seconds)
        except TimeoutError:
            raise AssertionError(f"{await self.states(prefix)}\n{self.system.complaints()}") from None

    async def hurry(self) -> None:
        """Let the waits between attempts be over."""
        await self.system.value("UPDATE attempt SET retry_at = clock_timestamp() WHERE retry_at > clock_timestamp()")

    async def attempts(self, ref: str) -> list[str]:
        """What became of a notice's attempts, oldest first."""
        rows = await self.system.fetch(
            "SELECT a.state FROM attempt a JOIN notice USING (notice_id) WHERE source_ref = $1 ORDER BY number", ref
        )
        return [row["state"] for row in rows]

    async def facts(self, ref: str) -> list[str]:
        """The kinds of fact in a notice's evidence, in order."""
        rows = await self.system.fetch(
            "SELECT e.kind FROM notice_event e JOIN notice USING (notice_id) WHERE source_ref = $1 ORDER BY e.seq", ref
        )
        return [row["kind"] for row in rows]

    async def release(self) -> None:
        """A person lets mail leave again."""
        async with open_desk(self.system.database, SystemIds()) as desk, desk.begin() as tx:
            await tx.release_sending(word("R. Bevan", "looked into"))

    async def clear_undecodable(self) -> None:
        """A person says that the evidence which nobody can read needs no more looking at."""
        rows = await self.system.fetch("SELECT evidence_id FROM raw_evidence WHERE type = 'undecodable'")
        async with open_desk(self.system.database, SystemIds()) as desk:
            for row in rows:
                await clear_evidence(desk, row["evidence_id"], word("R. Bevan", "sent by mistake"))

    async def bounce(self, ref: str) -> None:
        """The mail system reports that the alert, which it took, could not be delivered."""
        (mail,) = self.mails(ref)
        await self._store(builder.bounce(b64decode(mail["content"]), mail["recipient"], mail["sender"], SystemIds()))

    def took_mail_for(self, ref: str) -> Callable[[], Awaitable[bool]]:
        """Whether the mail system has taken the notice's alert, asked for `until`."""

        async def holds() -> bool:
            return bool(self.mails(ref))

        return holds

    def all_delivered(self, queue: str) -> Callable[[], Awaitable[bool]]:
        """Whether a consumer has all that is in a queue, asked for `until`."""

        async def holds() -> bool:
            return await asyncio.to_thread(self.rabbit.queue_depth, queue) == 0

        return holds

    async def without_database(self, seconds: float) -> None:
        """Stop the database for so long. Its folder stays ours: another test run sweeps away what nobody holds."""
        await asyncio.to_thread(self.postgres.stop)
        with (self.postgres.folder / "data" / "owner.lock").open() as ours:
            fcntl.flock(ours, fcntl.LOCK_EX | fcntl.LOCK_NB)
            await asyncio.sleep(seconds)
        await asyncio.to_thread(self.postgres.start)

    def heal(self) -> None:
        """Whoever was stopped goes on, and the mail system behaves."""
        for process in self.system.processes:
            if process.popen.poll() is None:
                process.send(signal.SIGCONT)
        if self.sink.process is None:
            self.sink.start()
        self.sink.behave()

    def all_live(self) -> None:
        """None of the workers died of what happened."""
        ended = {process.worker: process.popen.poll() for process in self.system.processes}
        assert {worker: code for worker, code in ended.items() if code} == {}, self.system.complaints()

    def mails(self, ref: str) -> list[dict[str, Any]]:
        return [mail for mail in self.sink.mails() if mail["recipient"] == f"{ref}@business.example"]

    def judge_mails(self, prefix: str, *, most: int) -> None:
        """No notice without a mail, no more mails than `most` for one, and all of one notice with one Message-ID."""
        found: dict[str, list[str]] = {}
        for mail in self.sink.mails():
            if mail["recipient"].startswith(prefix):
                found.setdefault(mail["recipient"], []).append(mail["message_id"])
        assert {recipient: ids for recipient, ids in found.items() if len(ids) > most or len(set(ids)) > 1} == {}

    async def _store(self, changes: tuple[EvidenceStored, Announced]) -> None:
        both: Sequence[Change] = changes
        ledger = await PostgresLedger.open(self.system.database, SystemIds(), name="door")
        broker = open_broker(self.system.broker, topology_of_catalogue(), "duly door")
        try:
            await broker.connect()
            async with ledger.begin() as tx:
                unsent = await tx.write(both)
            assert await publish_unsent(broker, ledger, unsent) == 1
        finally:
            await broker.close()
            await ledger.close()

    @asynccontextmanager
    async def instead(self, worker: str, *arguments: str) -> AsyncIterator[Process]:
        """A patched process of a worker, while the ordinary ones are away."""
        for process in self.system.of(worker):
            process.stop()
        patched = self.system.spawn(worker, program=[str(PATCHED), *arguments, worker])
        try:
            await self.system.ready(patched)
            yield patched
        finally:
            patched.stop()
            await self.system.start(worker)


@asynccontextmanager
async def a_town(folder: Path) -> AsyncIterator[Town]:
    """Everything started, all workers ready, on a database whose clock can be moved."""
    postgres, rabbit = PrivatePostgres(), RabbitNode(server_or_skip())
    sink = SinkProcess(folder, keep=True, user="duly:secret")
    try:
        await asyncio.gather(asyncio.to_thread(postgres.start), asyncio.to_thread(rabbit.start))
        sink.start()
        database = postgres.new_database("stalls")
        await migrate(database, trial=True)
        smtp = f"smtp://duly:secret@127.0.0.1:{sink.port}"
        system = System(database, rabbit.url, smtp, folder, {"DULY_SENDING_PAUSE": "1"})
        try:
            await system.start()
            yield Town(system, postgres, rabbit, sink)
        finally:
            system.stop()
    finally:
        sink.stop()
        rabbit.__exit__()
        postgres.remove()
