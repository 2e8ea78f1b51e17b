"""`duly doctor`: every setting and every connection: what was found, and what to do."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Literal

from services.cli import screen
from services.cli.options import Json
from services.cli.screen import Column
from services.kernel.runtime.fault import Exit, Fault
from services.kernel.runtime.settings import BrokerSettings, DatabaseSettings, SettingsFault, read

COLUMNS = (Column("check"), Column("is"), Column("found", fold=True), Column("what to do", fold=True))
OLDEST = 140000
"""PostgreSQL 14, as `server_version_num`."""
MOST_SKEW = 5.0
"""Seconds that this machine's clock may differ from the database's: legal time is the database's alone."""
URLS = ("DULY_DATABASE_URL", "DULY_BROKER_URL", "DULY_SMTP_URL")


@dataclass(frozen=True, slots=True)
class Check:
    """One finding. `bad` makes the exit code 1; `note` is worth knowing."""

    check: str
    verdict: Literal["ok", "note", "bad"]
    found: str
    todo: str = ""


def doctor(*, json: Json = False) -> int:
    """Check every setting and connection, change nothing, and say what to do. The exit code is 1 if any is bad."""
    checks = [*_settings(), *_mode(), *_library(), *_database(), *_broker(), *_mail()]
    if json:
        for check in checks:
            screen.json_line(asdict(check))
    else:
        screen.table(COLUMNS, ((c.check, c.verdict, c.found, c.todo) for c in checks))
    return Exit.NO if any(check.verdict == "bad" for check in checks) else Exit.OK


def _settings() -> Iterator[Check]:
    """Every model of settings that any worker reads; the mail's are checked with the mail system."""
    from services.callbacks.settings import CallbacksSettings  # noqa: PLC0415 -- heavy
    from services.console.settings import ConsoleOidcSettings, ConsoleSettings  # noqa: PLC0415 -- heavy
    from services.deadlines.settings import DeadlinesSettings  # noqa: PLC0415 -- heavy
    from services.inbox.settings import InboxSettings, OidcSettings  # noqa: PLC0415 -- heavy
    from services.intake.settings import IntakeSettings  # noqa: PLC0415 -- heavy
    from services.kernel.adapters.embedded.mailbox_view.settings import MailboxViewSettings  # noqa: PLC0415 -- heavy
    from services.kernel.runtime import settings  # noqa: PLC0415 -- heavy
    from services.notifier.settings import NotifierSettings  # noqa: PLC0415 -- heavy
    from services.relay.settings import RelaySettings  # noqa: PLC0415 -- heavy
    from services.responses.settings import ResponsesSettings  # noqa: PLC0415 -- heavy
    from services.webhooks.settings import WebhookSettings  # noqa: PLC0415 -- heavy

    models: tuple[type[settings.Settings], ...] = (
        settings.DatabaseSettings, settings.BrokerSettings, settings.WorkerSettings, settings.LibrarySettings,
        CallbacksSettings, ConsoleSettings, DeadlinesSettings, InboxSettings, IntakeSettings, MailboxViewSettings,
        NotifierSettings, RelaySettings, ResponsesSettings, WebhookSettings,
        *([OidcSettings] if os.environ.get("DULY_INBOX_PORT") else []),
        *([ConsoleOidcSettings] if os.environ.get("DULY_CONSOLE_PORT") else []),
    )  # fmt: skip
    sound = True
    for model in models:
        try:
            found = read(model)
            if isinstance(found, IntakeSettings):
                found.tokens()
            if isinstance(found, CallbacksSettings):
                found.somebody_may_come()
        except SettingsFault as fault:
            sound = False
            for variable, wrong in fault.faults.items():
                yield Check("setting", "bad", f"{variable} {wrong}", "correct it, then start again")
    if sound:
        count = sum(name.startswith("DULY_") for name in os.environ)
        yield Check(
            "settings", "ok", f"{count} set in the environment, all of the right form; the others have defaults"
        )


def _mode() -> Iterator[Check]:
    unset = [name for name in URLS if not os.environ.get(name)]
    if len(unset) == len(URLS):
        yield Check("mode", "ok", "embedded: `duly up` brings its own database, broker and mailbox under ./var")
    elif unset:
        todo = "set them all to run workers as processes of their own"
        yield Check("mode", "note", f"`duly up` brings its own for {', '.join(unset)}", todo)


def _library() -> Iterator[Check]:
    from services.cli import books  # noqa: PLC0415 -- heavy

    try:
        library = books.load()
    except Fault as fault:
        yield Check("library", "bad", f"{fault.where}: {fault.what}", fault.todo)
        return
    parts = ((library.regimes, "regime"), (library.notice_types, "notice type"), (library.sources, "source"))
    counts = ", ".join(screen.counted(len(things), noun) for things, noun in parts)
    yield Check("library", "ok", f"{counts} in {books.folder()}")


# --- the database -----------------------------------------------------------------------------------------------------


def _database() -> Iterator[Check]:
    dsn = _dsn()
    if isinstance(dsn, Check):
        yield dsn
        return
    from services.kernel.adapters.postgres.desk import examine  # noqa: PLC0415 -- heavy
    from services.kernel.adapters.postgres.migrate import pending  # noqa: PLC0415 -- heavy
    from services.kernel.ledger import LedgerUnavailable  # noqa: PLC0415 -- heavy

    before = datetime.now(UTC)
    try:
        said = asyncio.run(examine(dsn))
        yield from _server(said)
        yield _skew(said, before, datetime.now(UTC))
        lacking = asyncio.run(pending(dsn))
    except LedgerUnavailable as away:
        yield Check("database", "bad", str(away), "start that database, or correct DULY_DATABASE_URL")
        return
    if lacking:
        yield Check("schema", "bad", f"{len(lacking)} migrations are missing: {', '.join(lacking)}", "duly migrate")
    else:
        trial = said.get("trial")
        found = "up to date; a trial database, whose clock is simulated" if trial else "up to date"
        yield Check("schema", "note" if trial else "ok", found, "never serve in earnest from it" if trial else "")


def _dsn() -> str | Check:
    try:
        configured = read(DatabaseSettings).dsn
    except SettingsFault:
        return Check("database", "bad", "not looked at: its setting is wrong")
    if configured:
        return configured
    from services.cli.database import EMBEDDED  # noqa: PLC0415 -- heavy
    from services.kernel.adapters.embedded.postgres import EmbeddedPostgres  # noqa: PLC0415 -- only where it is used

    running = EmbeddedPostgres(EMBEDDED).find()
    return running or Check("database", "ok", "embedded, not running", "duly up starts it")


def _server(said: dict[str, object]) -> Iterator[Check]:
    number = said.get("version_num")
    version = f"PostgreSQL {said.get('version')}"
    if not isinstance(number, int) or number < OLDEST:
        yield Check("database", "bad", version, "use PostgreSQL 14 or later")
    elif said.get("standby"):
        yield Check("database", "bad", f"{version}, a standby that takes no writes", "name the primary")
    else:
        yield Check("database", "ok", f"{version} answers")
    unsafe = [name for name in ("fsync", "synchronous_commit") if said.get(name) == "off"]
    if unsafe:
        yield Check("durability", "bad", f"{' and '.join(unsafe)} off: a power cut would lose facts", "turn it on")


def _skew(said: dict[str, object], before: datetime, after: datetime) -> Check:
    """How far this machine's clock is from the database's, less the time that the question took."""
    now = said.get("now")
    if not isinstance(now, datetime):
        return Check("clocks", "bad", "the database tells no time")
    skew = max((before - now).total_seconds(), (now - after).total_seconds(), 0.0)
    if skew > MOST_SKEW:
        return Check(
            "clocks", "bad", f"{skew:.1f} s apart from the database's", "let both follow one time server (NTP)"
        )
    return Check("clocks", "ok", "this machine and the database agree" if skew < 1 else f"{skew:.1f} s apart")


# --- the broker and the mail system -----------------------------------------------------------------------------------


def _broker() -> Iterator[Check]:
    try:
        address = read(BrokerSettings).address
    except SettingsFault:
        yield Check("broker", "bad", "not looked at: its setting is wrong")
        return
    if not address:
        yield Check("broker", "ok", "embedded: in memory, within `duly up`")
        return
    from schemas.catalogue import CASUALTIES, QUEUES  # noqa: PLC0415 -- heavy
    from services.kernel.adapters.broker.probe import probe  # noqa: PLC0415 -- heavy
    from services.kernel.ports import BrokerUnavailable  # noqa: PLC0415 -- heavy

    try:
        found = asyncio.run(probe(address, (*QUEUES, CASUALTIES)))
    except BrokerUnavailable as away:
        yield Check("broker", "bad", str(away), "correct that, then ask again")
        return
    version = tuple(int(part) for part in found.version.split(".")[:2] if part.isdigit())
    old = found.product == "RabbitMQ" and version < (3, 10)
    yield Check("broker", "bad" if old else "ok", f"{found.product} {found.version} answers", "use 3.10 or later" * old)
    if found.missing:
        yield Check("queues", "note", f"not declared yet: {', '.join(found.missing)}", "the first worker declares them")
    else:
        yield Check("queues", "ok", f"all {len(QUEUES) + 1} are declared")


def _mail() -> Iterator[Check]:
    from services.cli.mail import mail_settings  # noqa: PLC0415 -- heavy

    embedded = not any(os.environ.get(name) for name in URLS)
    try:
        settings = mail_settings()
    except SettingsFault as fault:
        unset = {variable for variable, wrong in fault.faults.items() if wrong == "is not set"}
        if embedded and unset == set(fault.faults):
            yield Check("mail", "ok", "embedded: the built-in mailbox; `duly up` makes its own key and names")
            return
        for variable, wrong in fault.faults.items():
            todo = "k1:$(openssl rand -hex 32) makes one" if variable == "DULY_TOKEN_KEYS" else "set it"
            yield Check("mail setting", "bad", f"{variable} {wrong}", todo)
        return
    keys = ", ".join(key.key_id for key in settings.token_keys)
    yield Check("token keys", "ok", f"{settings.token_keys[0].key_id} signs; known: {keys}")
    yield (
        asyncio.run(_smtp(settings.address)) if settings.address else Check("mail", "ok", "embedded: built-in mailbox")
    )


async def _smtp(address: str) -> Check:
    from services.kernel.adapters.mail.probe import MailUnavailable, probe  # noqa: PLC0415 -- heavy
    from services.kernel.adapters.mail.settings import SmtpSettings  # noqa: PLC0415 -- heavy

    try:
        return Check("mail", "ok", await probe(SmtpSettings.from_url(address)))
    except ValueError as error:
        return Check("mail", "bad", str(error), "correct DULY_SMTP_URL")
    except MailUnavailable as away:
        found, _, todo = str(away).partition(" What to do: ")
        return Check("mail", "bad", found, todo or "correct DULY_SMTP_URL, or start the mail system")
