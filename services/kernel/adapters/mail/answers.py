"""What the built-in mailbox sends back for a mail, by how it treats the recipient."""

from __future__ import annotations

from datetime import datetime, timedelta

from services.kernel.adapters.mail.folder import StoredMail
from services.kernel.adapters.mail.reports import auto_reply, delay_report, failure_report
from services.kernel.adapters.mail.rules import Behaviour, Treatment

MTA = "mailbox.localhost"
_GIVES_UP_AFTER = timedelta(days=3)


def answer(mail: StoredMail, treatment: Treatment, date: datetime) -> bytes:
    """The raw report or reply; `date` is the zone-aware instant at which it is sent."""
    report_id = f"{treatment.behaviour}.{mail.mail_id}.{date.timestamp():.6f}"
    if treatment.behaviour is Behaviour.AUTO_REPLY:
        return auto_reply(
            mail.content,
            recipient=mail.recipient,
            envelope_sender=mail.envelope_sender,
            text=treatment.says,
            date=date,
            report_id=report_id,
        )
    if treatment.behaviour is Behaviour.DELAY:
        return delay_report(
            mail.content,
            recipient=mail.recipient,
            envelope_sender=mail.envelope_sender,
            reporting_mta=MTA,
            status=treatment.status,
            diagnostic=treatment.says,
            date=date,
            report_id=report_id,
            retry_until=date + _GIVES_UP_AFTER,
        )
    return failure_report(
        mail.content,
        recipient=mail.recipient,
        envelope_sender=mail.envelope_sender,
        reporting_mta=MTA,
        status=treatment.status,
        diagnostic=treatment.says,
        date=date,
        report_id=report_id,
    )
