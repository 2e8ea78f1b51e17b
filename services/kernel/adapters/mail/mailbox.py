"""The built-in mailbox of the embedded default: accepts mail over real SMTP, keeps it, shows it, and can bounce it.

Needs the extra `embedded` (aiosmtpd); only the embedded default imports this module. Standards: RFC 5321, 3464, 3834.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

from services.kernel.adapters.mail.answers import MTA, answer
from services.kernel.adapters.mail.folder import MailFolder, StoredMail
from services.kernel.adapters.mail.rules import ACCEPT, Behaviour, Rules, Treatment

OnReport = Callable[[bytes, str], Awaitable[None]]

_LARGEST = 10 * 1024 * 1024  # bytes
_RETRY = 1.0  # seconds until a report that was not taken is handed over again
_AT_RCPT = {Behaviour.REFUSE, Behaviour.TEMPFAIL}
_ANSWERED = {Behaviour.BOUNCE, Behaviour.DELAY, Behaviour.AUTO_REPLY}


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Mailbox:
    """A mail system on a loopback address.

    What it sends back (failure and delay reports, automatic replies) is kept in the folder until `on_report(raw,
    envelope_recipient)` has returned, so that neither a restart nor a failing receiver loses one; it may come twice.

    Raises:
        ValueError: the host is not a loopback address: this mailbox takes mail for anybody from anybody.
    """

    def __init__(
        self,
        host: str,
        port: int,
        folder: Path,
        rules: Mapping[str, str] | Path,
        *,
        on_report: OnReport,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        if not ipaddress.ip_address(host).is_loopback:
            raise ValueError(f"the built-in mailbox listens on loopback only, not on {host}")
        self._host = host
        self.port = port
        self._rules = Rules(rules)
        self._mails = MailFolder(folder / "mails")
        self._reports = MailFolder(folder / "reports")
        self._on_report = on_report
        self._now = now
        self._deferred: set[str] = set()
        self._work = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._posting: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen, and hand over the reports left from before; with port 0 `port` tells which it became."""
        logging.getLogger("mail.log").setLevel(logging.WARNING)  # aiosmtpd would log contents
        self._mails.open()
        self._reports.open()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._dialogue, self._host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        self._posting = asyncio.create_task(self._post())
        self._work.set()

    async def stop(self) -> None:
        """Stop listening. Reports not yet taken stay for the next start."""
        if self._server is not None:
            self._server.close()
        if self._posting is not None:
            self._posting.cancel()
            with suppress(asyncio.CancelledError):
                await self._posting

    def read(self, mail_id: str) -> StoredMail:
        """One mail.

        Raises:
            KeyError: there is none of that id.
        """
        return self._mails.read(mail_id)

    def bounce(self, mail_id: str, text: str = "") -> None:
        """Report now that this mail failed; `text` is the SMTP reply to give as the reason. KeyError as `read`."""
        self._report(self._mails.read(mail_id), Treatment.parse(f"{Behaviour.BOUNCE} {text}"))

    def delay(self, mail_id: str, text: str = "") -> None:
        """Report now that this mail is delayed. KeyError as `read`."""
        self._report(self._mails.read(mail_id), Treatment.parse(f"{Behaviour.DELAY} {text}"))

    def auto_reply(self, mail_id: str, text: str = "") -> None:
        """Answer this mail as a vacation programme would. KeyError as `read`."""
        self._report(self._mails.read(mail_id), Treatment.parse(f"{Behaviour.AUTO_REPLY} {text}"))

    def list(self) -> tuple[StoredMail, ...]:
        """All mails, oldest first."""
        return tuple(self._mails.read(mail_id) for mail_id in self._mails.ids())

    def ids(self) -> tuple[str, ...]:
        """The ids of all mails, oldest first."""
        return self._mails.ids()

    @property
    def idle(self) -> bool:
        """Whether every report was taken."""
        return not self._reports.ids()

    def _dialogue(self) -> SMTP:
        loop = asyncio.get_running_loop()
        return SMTP(
            _Door(self._rcpt, self._take), hostname=MTA, ident="Duly mailbox", loop=loop, data_size_limit=_LARGEST
        )

    def _rcpt(self, recipient: str) -> str:
        """The reply to RCPT."""
        treatment = self._rules.treatment(recipient)
        if treatment.behaviour in _AT_RCPT:
            return treatment.says
        if treatment.behaviour is Behaviour.DEFER_THEN_ACCEPT and recipient not in self._deferred:
            self._deferred.add(recipient)
            return treatment.says
        return ACCEPT.says

    def _take(self, envelope_sender: str, recipient: str, content: bytes) -> None:
        """Store a mail, and send back what the rules say."""
        mail = self._mails.add(envelope_sender, recipient, content)
        treatment = self._rules.treatment(recipient)
        if treatment.behaviour in _ANSWERED:
            self._report(mail, treatment)

    def _report(self, mail: StoredMail, treatment: Treatment) -> None:
        if mail.envelope_sender:  # never a report about a report (RFC 5321 section 6.1)
            self._reports.add("", mail.envelope_sender, answer(mail, treatment, self._now()))
            self._work.set()

    async def _post(self) -> None:
        """Hand over reports, oldest first, each until it is taken."""
        while True:
            await self._work.wait()
            self._work.clear()
            for mail_id in self._reports.ids():
                if not await self._handed_over(mail_id):
                    asyncio.get_running_loop().call_later(_RETRY, self._work.set)

    async def _handed_over(self, mail_id: str) -> bool:
        report = self._reports.read(mail_id)
        try:
            await self._on_report(report.content, report.recipient)
        except Exception:  # noqa: BLE001 -- whatever the receiver's fault, a mail system tries again
            return False
        self._reports.remove(mail_id)
        return True


class _Door:
    """What aiosmtpd calls for each command of a dialogue."""

    def __init__(self, rcpt: Callable[[str], str], take: Callable[[str, str, bytes], None]) -> None:
        self._rcpt = rcpt
        self._take = take

    async def handle_RCPT(  # noqa: N802 -- aiosmtpd's name and arguments
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: Sequence[str]
    ) -> str:
        reply = self._rcpt(address)
        if reply.startswith("2"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 -- aiosmtpd's
        content = envelope.original_content or b""
        for recipient in envelope.rcpt_tos:
            self._take(envelope.mail_from or "", recipient, content)
        return "250 2.0.0 stored"
