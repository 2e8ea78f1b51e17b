"""The mail door: reports of the mail system over LMTP and SMTP, stored as they came before they are answered.

What is taken and what is refused is said in `mail_dialogue`. Each recipient of a mail makes one piece of evidence; all
of one mail are committed together, and `bounces` is told. The memory that it takes is connections times size at most.
Standards: RFC 5321, 2033, 1870, 2034, 2920, 6152, 6531. Settings: `services/callbacks/settings.py`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from services.callbacks.mail_dialogue import Crowded, Dialogue, LmtpDialogue, Reception
from services.kernel.adapters.parts import Parts, keyring
from services.kernel.domain.changes import EvidenceStored
from services.kernel.domain.verp import Keyring
from services.kernel.ledger import Ledger, LedgerUnavailable
from services.kernel.ports import Ids
from services.kernel.runtime.door import EvidenceDoor, Taken
from services.kernel.runtime.fault import Fault
from services.kernel.runtime.health import Check
from services.kernel.runtime.logging import logger
from services.kernel.runtime.mail_door import evidence_of_mail
from services.kernel.runtime.program import Worker
from services.kernel.runtime.settings import MailSettings

MOST_CONNECTIONS = 100
_BACKLOG = 512
_LAST_SECONDS = 10.0
"""How long mails that are in hand when the door closes may take to end."""


@dataclass(frozen=True, slots=True)
class Listener:
    """One port and what is spoken there; 0 is any free port. `variable` is the setting to name in a fault."""

    name: str
    port: int
    variable: str
    dialogue: type[Dialogue]


@dataclass(frozen=True, slots=True)
class Cutting:
    """What makes evidence of a mail: whose tokens, which domain is ours."""

    ids: Ids
    keys: Keyring
    bounce_domain: str
    own_domains: tuple[str, ...] = ()

    def evidence(self, raw: bytes, recipients: Sequence[str]) -> tuple[EvidenceStored, ...]:
        """One piece for each recipient."""
        return tuple(
            evidence_of_mail(
                raw,
                recipient,
                door="mail",
                keyring=self.keys,
                bounce_domain=self.bounce_domain,
                ids=self.ids,
                own_domains=self.own_domains,
            )
            for recipient in recipients
        )


class MailDoor:
    """Its ports as one worker. `listening` is called with a listener's name and its port once it is open."""

    name = "mail"

    def __init__(
        self,
        listeners: Sequence[Listener],
        ledger: Ledger,
        door: EvidenceDoor,
        cutting: Cutting,
        *,
        host: str,
        most_bytes: int,
        most_connections: int = MOST_CONNECTIONS,
        listening: Callable[[str, int], None] = lambda _name, _port: None,
    ) -> None:
        """`most_bytes` of one mail. `door` is run by this worker, and by no other."""
        self._listeners, self._ledger, self._door, self._cutting = listeners, ledger, door, cutting
        self._host, self._most, self._listening = host, most_connections, listening
        self._reception = Reception(cutting.bounce_domain, most_bytes, self._take)
        self._open: set[Dialogue] = set()

    @property
    def checks(self) -> Mapping[str, Check]:
        """It is ready when the database answers: without it nothing can be taken in."""

        async def database() -> str:
            try:
                await self._ledger.ping()
            except LedgerUnavailable as away:
                return str(away)
            return ""

        return {"mail.database": database}

    async def run(self, stopping: asyncio.Event) -> None:
        """Take mail until told to stop; then end what is in hand, then what commits.

        Raises:
            Fault: a port is taken, or the host is not ours.
        """
        logging.getLogger("mail.log").setLevel(logging.ERROR)  # aiosmtpd's: a line for each stray command
        servers = [await self._listen(each) for each in self._listeners]
        ended = asyncio.Event()
        async with asyncio.TaskGroup() as group:  # if what commits breaks, the door closes, and the process ends
            group.create_task(self._door.run(ended))
            try:
                await stopping.wait()
            finally:
                for server in servers:
                    server.close()
                await self._leave()
                ended.set()
        logger().info("door.closed", door=self.name)

    async def _listen(self, listener: Listener) -> asyncio.Server:
        def dialogue() -> asyncio.BaseProtocol:
            return listener.dialogue(self._reception, self._open) if len(self._open) < self._most else Crowded()

        loop = asyncio.get_running_loop()
        try:
            server = await loop.create_server(dialogue, self._host, listener.port, backlog=_BACKLOG)
        except OSError as error:
            todo = f"set {listener.variable} to a free port (0: any) of an address of this machine"
            raise Fault(f"{listener.name} cannot listen", f"{self._host}:{listener.port}", todo) from error
        port = server.sockets[0].getsockname()[1]
        logger().info("door.opened", door=listener.name, port=port)
        self._listening(listener.name, port)
        return server

    async def _take(self, raw: bytes, recipients: Sequence[str]) -> None:
        rows = await asyncio.to_thread(self._cutting.evidence, raw, recipients)  # a large mail takes tens of ms
        await self._door.bring(Taken(rows))
        logger().debug("mail.stored", items=len(rows), bytes=len(raw))

    async def _leave(self) -> None:
        """Say goodbye to all; who is in the middle of a mail may end it."""
        for dialogue in tuple(self._open):
            dialogue.leave()
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_SECONDS):
                while self._open:
                    await next(iter(self._open)).gone.wait()
        for dialogue in tuple(self._open):
            dialogue.abort()


def mail_doors(
    parts: Parts, *, host: str, lmtp_port: int | None, smtp_port: int | None, most_bytes: int, mail: MailSettings
) -> list[Worker]:
    """The mail door on the ports that are set: one worker, as they share what commits; none if no port is set."""
    ports = (
        ("lmtp", lmtp_port, "DULY_LMTP_PORT", LmtpDialogue),
        ("smtp", smtp_port, "DULY_BOUNCE_SMTP_PORT", Dialogue),
    )
    listeners = [
        Listener(name, port, variable, dialogue) for name, port, variable, dialogue in ports if port is not None
    ]
    cutting = Cutting(parts.ids, keyring(mail), mail.bounce_domain, (mail.message_domain,))
    door = EvidenceDoor(parts.ledger, parts.broker, parts.ids, "bounce.received.v1")
    return [MailDoor(listeners, parts.ledger, door, cutting, host=host, most_bytes=most_bytes)] if listeners else []
