"""`python -m services.callbacks`: the doors for reports from outside, as a process."""

from __future__ import annotations

import sys
import time

from services.callbacks.app import CallbackDoor
from services.callbacks.evidence import Ours
from services.callbacks.fetch import fetch
from services.callbacks.mail import mail_doors
from services.callbacks.providers.call import Provider
from services.callbacks.providers.certificates import Certificates, Fetch
from services.callbacks.providers.generic import Generic
from services.callbacks.providers.mailgun import Mailgun
from services.callbacks.providers.postmark import Postmark
from services.callbacks.providers.sendgrid import Sendgrid
from services.callbacks.providers.ses import Ses
from services.callbacks.settings import CallbacksSettings
from services.kernel.adapters.parts import Parts, keyring, open_parts
from services.kernel.adapters.process import run
from services.kernel.adapters.web.limits import RateLimit
from services.kernel.adapters.web.server import WebWorker
from services.kernel.runtime.door import EvidenceDoor
from services.kernel.runtime.fault import Exit, Fault
from services.kernel.runtime.program import Together, Worker
from services.kernel.runtime.settings import MailSettings, read

_BURST_SECONDS = 5
"""For how long a client may bring more than its rate, if it was quiet before."""


def build(parts: Parts) -> Worker:
    """The doors that are switched on, put together.

    Raises:
        Fault: a setting is wrong, or the HTTP door is open and nobody may come.
    """
    settings = read(CallbacksSettings)
    doors = [] if settings.port is None else [over_http(parts, settings, settings.port)]
    return Together("callbacks", [*doors, *_mail(parts, settings)])


def providers(settings: CallbacksSettings, fetch: Fetch) -> dict[str, Provider]:
    """Those who may call, by the name in the path."""
    found: dict[str, Provider] = {}
    if settings.ses_topics:
        found["ses"] = Ses(settings.ses_topics, Certificates(fetch), fetch, settings.tolerance)
    if settings.mailgun_keys:
        found["mailgun"] = Mailgun(settings.mailgun_keys, settings.tolerance)
    if settings.sendgrid_keys:
        found["sendgrid"] = Sendgrid(settings.sendgrid_keys, settings.tolerance)
    if settings.postmark_credentials:
        found["postmark"] = Postmark(settings.postmark_credentials)
    if settings.generic_keys:
        found["generic"] = Generic(settings.keys_by_name(), settings.tolerance)
    return found


def over_http(parts: Parts, settings: CallbacksSettings, port: int, fetch: Fetch = fetch) -> WebWorker:
    """The door for providers.

    Raises:
        SettingsFault: nobody may come.
    """
    settings.somebody_may_come()
    mail, known = read(MailSettings), providers(settings, fetch)
    door = EvidenceDoor(parts.ledger, parts.broker, parts.ids, "bounce.received.v1")
    domains = {mail.bounce_domain.lower(), mail.message_domain.lower()}
    callbacks = CallbackDoor(
        known,
        door,
        Ours(keyring(mail), mail.bounce_domain, domains),
        parts.ids,
        parts.measures,
        RateLimit(settings.rate, settings.rate * _BURST_SECONDS),
        settings.most_bytes,
        time.time,
    )
    return WebWorker(
        "callbacks",
        callbacks.app(),
        parts.ledger,
        settings.host,
        port,
        "DULY_CALLBACK_PORT",
        beside=[door.run],
        proxies=settings.proxies,
    )


def _mail(parts: Parts, settings: CallbacksSettings) -> list[Worker]:
    ports = {"lmtp_port": settings.lmtp_port, "smtp_port": settings.smtp_port}
    if set(ports.values()) == {None}:
        return []
    mail = read(MailSettings)
    return mail_doors(parts, host=settings.host, most_bytes=settings.mail_most_bytes, mail=mail, **ports)


def _build_some(parts: Parts) -> Worker:
    """As a process of its own: something must be switched on."""
    worker = build(parts)
    if not worker.checks:
        variables = "DULY_CALLBACK_PORT, DULY_LMTP_PORT and DULY_BOUNCE_SMTP_PORT are unset"
        raise Fault("no door for reports is open", variables, "set one of them", code=Exit.USAGE)
    return worker


def main() -> int:
    """Run until SIGTERM."""
    return run("callbacks", open_parts, _build_some)


if __name__ == "__main__":
    sys.exit(main())
