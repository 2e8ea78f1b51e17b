"""`python -m services.notifier`: the notifier as a process."""

from __future__ import annotations

import sys

from services.kernel.adapters.mail.smtp import SmtpMailer, SmtpSettings
from services.kernel.adapters.parts import Parts, keyring, open_parts
from services.kernel.adapters.process import consumer, run
from services.kernel.runtime.fault import Exit, Fault
from services.kernel.runtime.program import QueueWorker, Worker
from services.kernel.runtime.settings import MailSettings, read
from services.notifier.alert import load_alerts, prepare_alert
from services.notifier.handler import Notifier
from services.notifier.sender import Sender, Stationery
from services.notifier.settings import NotifierSettings
from services.notifier.settle import Settler


def build(parts: Parts) -> Worker:
    """The notifier, put together.

    Raises:
        Fault: no mail system is set.
    """
    mail, settings = read(MailSettings), read(NotifierSettings)
    if mail.address is None:
        raise Fault("the notifier needs a mail system", "DULY_SMTP_URL is not set", "set it", code=Exit.USAGE)
    smtp = SmtpSettings.from_url(
        mail.address,
        connections=settings.connections,
        per_destination=settings.per_destination,
        connect=settings.connect,
        command=settings.command,
        data=settings.data,
        wait=settings.wait,
    )
    sender = Sender(
        SmtpMailer(smtp),
        parts.ledger,
        parts.broker,
        Settler(parts.library, parts.ids),
        _stationery(parts, mail, settings),
        dialogues=settings.connections,
        batch=parts.worker.batch,
        ours_pause=settings.ours_pause,
    )
    notifier = Notifier(
        parts.ids,
        sender.send,
        batch=min(parts.worker.batch, settings.connections * 10),
        lease=smtp.longest() + settings.lease_margin,
    )
    return QueueWorker("notifier", consumer(notifier, parts), sender.run, sender.finish)


def _stationery(parts: Parts, mail: MailSettings, settings: NotifierSettings) -> Stationery:
    languages = sorted({language for regime in parts.library.regimes.values() for language in regime.languages})
    alerts = load_alerts(settings.alerts, languages)
    skeletons = {
        language: prepare_alert(
            alerts, language, authority=settings.authority, sender=mail.sender, provider=settings.provider
        )
        for language in languages
    }
    return Stationery(skeletons, keyring(mail), mail.message_domain, mail.bounce_domain)


def main() -> int:
    """Run until SIGTERM."""
    return run("notifier", open_parts, build)


if __name__ == "__main__":
    sys.exit(main())
