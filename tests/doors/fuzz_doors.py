"""All doors over one database, as a fuzz run comes to them: HTTP in memory, mail through sockets."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import cache, partial

from services.callbacks.__main__ import over_http as callbacks_over_http
from services.callbacks.mail import Cutting, Listener, MailDoor
from services.callbacks.mail_dialogue import Dialogue, LmtpDialogue
from services.callbacks.settings import CallbacksSettings
from services.console.__main__ import console_worker, trial_officers
from services.console.settings import ConsoleSettings
from services.inbox.__main__ import inbox_worker
from services.inbox.settings import InboxSettings
from services.intake.__main__ import over_http as intake_over_http
from services.intake.settings import IntakeSettings
from services.kernel.adapters.ids import SystemIds
from services.kernel.adapters.parts import Parts
from services.kernel.adapters.postgres.inbox import PostgresInbox
from services.kernel.adapters.postgres.ledger import PostgresLedger
from services.kernel.adapters.web.server import WebWorker
from services.kernel.adapters.web.trial_sign_in import TrialSignIn
from services.kernel.adapters.web.worker import SiteWorker
from services.kernel.runtime.door import EvidenceDoor
from services.kernel.runtime.measures import Measures
from services.kernel.runtime.settings import WorkerSettings
from tests.doors.fuzz_chance import DOMAIN, KEYRING, SENDGRID, SNS, Case
from tests.doors.fuzz_wire import Server, Wire
from tests.rig import callbacks as rig
from tests.rig.intake import Keeping, library

SETTINGS = {
    "DULY_MAIL_FROM": "notices@authority.example",
    "DULY_BOUNCE_DOMAIN": DOMAIN,
    "DULY_TOKEN_KEYS": f"k1:{KEYRING.keys['k1'].hex()}",
    "DULY_SES_TOPICS": rig.TOPIC,
    "DULY_MAILGUN_KEYS": rig.MAILGUN_KEY,
    "DULY_SENDGRID_KEYS": SENDGRID.shown,
    "DULY_POSTMARK_CREDENTIALS": rig.POSTMARK,
    "DULY_CALLBACK_KEYS": f"relay:{rig.GENERIC_KEY.hex()}",
    "DULY_INBOX_PAGES_PER_MINUTE": "1e9",
    "DULY_INBOX_SIGN_INS_PER_MINUTE": "1e9",
    "DULY_INBOX_ANSWERS_PER_HOUR": "1e9",
    "DULY_CONSOLE_PAGES_PER_MINUTE": "1e9",
    "DULY_CONSOLE_SIGN_INS_PER_MINUTE": "1e9",
    "DULY_INTAKE_RATE": "1e9",
    "DULY_INTAKE_BURST": "1e9",
    "DULY_FILES_URL": "http://files.example",
}
_LIBRARY = cache(library)


@dataclass
class Doors:
    """All doors over one ledger."""

    http: dict[str, Server]
    mail: dict[str, int]
    inbox: SiteWorker
    console: SiteWorker

    async def bring(self, cases: Sequence[Case]) -> list[Came]:
        """All at once; what each door said."""
        wires = {number: self._begin(case) for number, case in enumerate(cases) if case.door in self.http}
        mails = [number for number, case in enumerate(cases) if case.door in self.mail]
        said = await asyncio.gather(*(self._mail(cases[number]) for number in mails))
        for server in self.http.values():
            await server.answered()
        told = {**{number: bytes(wire.sent) for number, wire in wires.items()}, **dict(zip(mails, said, strict=True))}
        return [Came(case, told[number]) for number, case in enumerate(cases)]

    def _begin(self, case: Case) -> Wire:
        return self.http[case.door].begin(case.raw, case.client, cut=case.cut)

    async def _mail(self, case: Case) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.mail[case.door])
        writer.write(case.raw)
        if not case.whole:
            writer.transport.abort()
            return b""
        said = bytearray()
        with suppress(ConnectionError):  # it says goodbye without hearing the rest
            while more := await reader.read(65_536):
                said += more
        writer.close()
        return bytes(said)


@dataclass(frozen=True, slots=True)
class Came:
    """A case, and everything that its door answered."""

    case: Case
    told: bytes

    @property
    def statuses(self) -> list[int]:
        kind = rb"^(\d{3}) " if self.case.door in {"lmtp", "smtp"} else rb"HTTP/1\.1 (\d{3}) "
        return [int(found) for found in re.findall(kind, self.told, re.MULTILINE)]

    @property
    def content(self) -> bytes:
        return self.told.partition(b"\r\n\r\n")[2]


@asynccontextmanager
async def open_doors(ledger: PostgresLedger) -> AsyncIterator[Doors]:
    """Every door, with what commits beside it; at the end all are closed in good order."""
    parts = Parts(ledger, Keeping(), _LIBRARY(), SystemIds(), Measures(), WorkerSettings())
    inbox = inbox_worker(parts, InboxSettings(), TrialSignIn(PostgresInbox(ledger.pool, SystemIds()), "127.0.0.1"))
    assert isinstance(inbox, SiteWorker)
    pages, files = (worker for worker in inbox.web.workers if isinstance(worker, WebWorker))
    inbox.site.origin = "http://localhost"
    console = _console(parts)
    (desk,) = (worker for worker in console.web.workers if isinstance(worker, WebWorker))
    workers = {
        "callbacks": callbacks_over_http(parts, CallbacksSettings(), 0, SNS.fetch),
        "intake": intake_over_http(parts, IntakeSettings(), 0), "inbox": pages, "files": files,
        "console": desk,
    }  # fmt: skip
    ended, ports = asyncio.Event(), dict[str, int]()
    async with AsyncExitStack() as stack:
        beside = [workers["callbacks"].beside[0], workers["intake"].beside[0], partial(_mail_door(parts, ports).run)]
        running = [asyncio.ensure_future(work(ended)) for work in beside]
        stack.push_async_callback(asyncio.wait, running)
        stack.callback(ended.set)
        while len(ports) < 2:  # noqa: ASYNC110 -- two sockets of this process open in a moment
            await asyncio.sleep(0)
        yield Doors({name: Server(worker) for name, worker in workers.items()}, ports, inbox, console)


def _console(parts: Parts) -> SiteWorker:
    settings = ConsoleSettings()
    console = console_worker(parts, settings, trial_officers(parts, settings))
    console.site.origin = "http://localhost"
    return console


def _mail_door(parts: Parts, ports: dict[str, int]) -> MailDoor:
    return MailDoor(
        [Listener("lmtp", 0, "L", LmtpDialogue), Listener("smtp", 0, "S", Dialogue)],
        parts.ledger,
        EvidenceDoor(parts.ledger, parts.broker, parts.ids, "bounce.received.v1"),
        Cutting(parts.ids, KEYRING, DOMAIN),
        host="127.0.0.1",
        most_bytes=300_000,
        listening=ports.__setitem__,
    )
