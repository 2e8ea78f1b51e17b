"""All that workers need in one process: PostgreSQL, broker and mailbox under one folder, or those of the settings.

One process owns the folder. Where a URL is set (`DULY_DATABASE_URL`, `DULY_BROKER_URL`, `DULY_SMTP_URL`) that is used;
where none is, the house has its own. What its broker held is not lost with the process: requests stay in the outbox
until they are worked off, and all else is found again in the database.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from schemas.catalogue import CATALOGUE
from services.kernel.adapters.broker import MemoryBroker, open_broker
from services.kernel.adapters.broker.catalogue import topology_of_catalogue
from services.kernel.adapters.embedded.keys import kept_key
from services.kernel.adapters.embedded.ownership import own
from services.kernel.adapters.embedded.postgres import EmbeddedPostgres
from services.kernel.adapters.mail.mailbox import Mailbox
from services.kernel.adapters.parts import Parts, keyring, put_together, refuse_outside
from services.kernel.adapters.postgres.migrate import migrate
from services.kernel.adapters.postgres.queries import sql
from services.kernel.adapters.postgres.trial import fresh_database
from services.kernel.ports import Broker, Outgoing
from services.kernel.runtime.door import store
from services.kernel.runtime.items import FAILED_ID
from services.kernel.runtime.mail_door import evidence_of_mail
from services.kernel.runtime.publishing import publish_unsent
from services.kernel.runtime.settings import BrokerSettings, DatabaseSettings, MailSettings, read

HOST = "127.0.0.1"
CONNECTIONS = 24
"""To the database: every worker's loops at once, as they share one process."""
MAIL_FROM, BOUNCE_DOMAIN = "notices@authority.example", "bounces.authority.example"
"""Invented, and only ever used with the built-in mailbox."""
ALONE: Mapping[str, str] = {
    # What was lost with the broker of this process is missed sooner than in a cluster, where others may be at it.
    "DULY_RESCUE_GRACE": "5",
    "DULY_HAND_OUT_AGAIN": "10",
    "DULY_OUTBOX_GRACE": "0.5",
}
NEAR: Mapping[str, str] = {
    # The mailbox is in this process: what does not answer soon never will.
    "DULY_SMTP_CONNECT_SECONDS": "5",
    "DULY_SMTP_COMMAND_SECONDS": "10",
    "DULY_SMTP_DATA_SECONDS": "20",
    "DULY_SMTP_WAIT_SECONDS": "30",
}


@dataclass(frozen=True, slots=True)
class House:
    """An open house. `mailbox` is None where the settings name a mail system; `embedded` says what is its own."""

    folder: Path
    database: str
    parts: Parts
    mailbox: Mailbox | None
    embedded: frozenset[str]
    applied: tuple[str, ...]


@asynccontextmanager
async def open_house(folder: Path, *, trial: bool = False) -> AsyncIterator[House]:
    """Open a house in this folder, and close it at the end of the block.

    The workers read their settings from the environment: what is not set there is set to the house's own. `trial`: a
    fresh database with a simulated clock, and an empty mailbox.

    Raises:
        Fault: another process owns the folder, a setting is wrong, or a part cannot start.
        LedgerUnavailable: the database of the settings cannot be reached.
        MigrationFault: the database and this code do not belong together.
        LibraryFault: the library has faults.
    """
    async with AsyncExitStack() as stack:
        lock = own(folder)
        stack.callback(os.close, lock)
        mail = await asyncio.to_thread(_mail_settings, folder)
        database = read(DatabaseSettings).dsn or await _own_database(folder, stack, trial=trial)
        applied = await migrate(database, trial=trial)
        parts = await put_together("up", database, _broker(), connections=CONNECTIONS)
        stack.push_async_callback(parts.close)
        if trial:
            shutil.rmtree(folder / "mail", ignore_errors=True)
        mailbox = await _mailbox(folder, parts, mail, stack) if mail.address is None else None
        async with parts.ledger.begin() as tx:
            refuse_outside(await tx.clock(), mail.address, read(BrokerSettings).address)
        embedded = _embedded(mailbox)
        if "database" in embedded:
            await parts.ledger.pool.execute(sql("attempts_orphan"))
        yield House(folder, database, parts, mailbox, embedded, tuple(applied))


async def _own_database(folder: Path, stack: AsyncExitStack, *, trial: bool) -> str:
    server = EmbeddedPostgres(folder / "postgres")
    stack.push_async_callback(asyncio.to_thread, server.stop)
    starting = asyncio.ensure_future(asyncio.to_thread(server.start))
    try:
        dsn = await asyncio.shield(starting)
    except asyncio.CancelledError:
        await asyncio.wait({starting})  # a server that is half started could not be stopped
        raise
    return await fresh_database(dsn) if trial else dsn


def _broker() -> Broker:
    address = read(BrokerSettings).address
    if address:
        return open_broker(address, topology_of_catalogue(), "duly up")
    _unless_set(ALONE)
    return MemoryBroker(topology_of_catalogue(), kept=_is_request)


def _is_request(message: Outgoing) -> bool:
    """What only the outbox remembers until a worker has done it. A retry is remembered as a failed item."""
    entry = CATALOGUE.get(message.routing_key)
    return entry is not None and entry.producer == "upstream" and FAILED_ID not in message.headers


def _mail_settings(folder: Path) -> MailSettings:
    """What the environment says of mail. Invented addresses stand in for missing ones with the built-in mailbox alone.

    Raises:
        Fault: a mail system is named, and not all that goes with it; or the key cannot be kept.
    """
    if not os.environ.get("DULY_TOKEN_KEYS"):
        os.environ["DULY_TOKEN_KEYS"] = kept_key(folder / "keys")
    if not os.environ.get("DULY_SMTP_URL"):
        _unless_set({"DULY_MAIL_FROM": MAIL_FROM, "DULY_BOUNCE_DOMAIN": BOUNCE_DOMAIN, **NEAR})
    return read(MailSettings)


def _unless_set(defaults: Mapping[str, str]) -> None:
    """Set what is not set, or empty, which is the same."""
    os.environ.update({name: value for name, value in defaults.items() if not os.environ.get(name)})


async def _mailbox(folder: Path, parts: Parts, mail: MailSettings, stack: AsyncExitStack) -> Mailbox:
    """The built-in mailbox; what comes back to it goes through the mail door into the ledger."""

    async def take_in(raw: bytes, recipient: str) -> None:
        """What comes back is evidence in the ledger before it counts as taken."""
        async with parts.ledger.begin() as tx:
            row = evidence_of_mail(
                raw, recipient, door="mail", keyring=keyring(mail), bounce_domain=mail.bounce_domain, ids=parts.ids,
                own_domains=(mail.message_domain,),
            )  # fmt: skip
            unsent = await store(tx, [row], "bounce.received.v1", parts.ids)
        await publish_unsent(parts.broker, parts.ledger, unsent)

    mailbox = Mailbox(HOST, 0, folder / "mail", folder / "mail" / "rules.json", on_report=take_in)
    await mailbox.start()
    stack.push_async_callback(mailbox.stop)
    os.environ["DULY_SMTP_URL"] = f"smtp://{HOST}:{mailbox.port}"
    return mailbox


def _embedded(mailbox: Mailbox | None) -> frozenset[str]:
    own_parts = {
        "database": read(DatabaseSettings).dsn is None,
        "broker": read(BrokerSettings).address is None,
        "mail": mailbox is not None,
    }
    return frozenset(name for name, is_own in own_parts.items() if is_own)
