"""The mailer: hands mail to a mail system over pooled SMTP connections.

Standards: RFC 5321 (SMTP), 3207 (STARTTLS), 4954 (AUTH), 1870 (SIZE), 2034 and 3463 (enhanced status codes).
"""

from __future__ import annotations

from services.kernel.adapters.mail.dialogue import Connection, Ended
from services.kernel.adapters.mail.pool import Admission, Pool
from services.kernel.adapters.mail.settings import SmtpSettings, Tls
from services.kernel.ports import Mail, Phase, SmtpReply

__all__ = ["SmtpMailer", "SmtpSettings", "Tls"]

_CLOSING = 421


class SmtpMailer:
    """Sends each mail once. What became of it is in the reply: nothing the mail system does raises."""

    def __init__(self, settings: SmtpSettings) -> None:
        self._settings = settings
        self._pool = Pool(settings, settings.tls_context())
        self._admission = Admission(settings)

    async def send(self, mail: Mail) -> SmtpReply:
        """Send one mail over a pooled connection; takes `SmtpSettings.longest()` seconds at most.

        Raises:
            ValueError: an address or the content cannot go on the wire; nothing was sent.
        """
        domain = mail.recipient.rpartition("@")[2].lower()
        try:
            await self._admission.enter(domain)
        except Ended as ended:
            return ended.reply
        try:
            return await self._attempt(mail)
        except Ended as ended:
            return ended.reply
        finally:
            self._admission.leave(domain)

    async def close(self) -> None:
        """QUIT what is idle and close everything. Never raises."""
        await self._pool.close()

    async def _attempt(self, mail: Mail) -> SmtpReply:
        pooled = self._pool.reuse()
        if pooled is not None:
            reply = await self._over(pooled, mail)
            if not _never_began(reply):
                return reply
        return await self._over(await self._pool.open(), mail)

    async def _over(self, connection: Connection, mail: Mail) -> SmtpReply:
        try:
            return await connection.deliver(mail)
        finally:
            self._pool.give_back(connection)


def _never_began(reply: SmtpReply) -> bool:
    """A pooled connection that the server had given up meanwhile: not yet an attempt, so a new one may be opened."""
    return reply.phase is Phase.MAIL and reply.code in {None, _CLOSING}
