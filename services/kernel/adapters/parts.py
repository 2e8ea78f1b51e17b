"""The parts that every worker is put together from: the real ledger, broker and library, as the settings name them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from services.kernel.adapters.broker import open_broker
from services.kernel.adapters.broker.catalogue import topology_of_catalogue
from services.kernel.adapters.ids import SystemIds
from services.kernel.adapters.library import load_library
from services.kernel.adapters.mail.settings import is_loopback
from services.kernel.adapters.postgres.ledger import PostgresLedger
from services.kernel.domain.library import Library
from services.kernel.domain.verp import Keyring
from services.kernel.ledger import Clock
from services.kernel.ports import Broker, Ids
from services.kernel.runtime.fault import Exit, Fault
from services.kernel.runtime.measures import Measures
from services.kernel.runtime.settings import (
    BrokerSettings,
    DatabaseSettings,
    LibrarySettings,
    MailSettings,
    WorkerSettings,
    read,
)

LIBRARY = Path(__file__).parents[2] / "renderer" / "library"
"""The library that comes with Duly."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What workers share in one process."""

    ledger: PostgresLedger
    broker: Broker
    library: Library
    ids: Ids
    measures: Measures
    worker: WorkerSettings

    async def close(self) -> None:
        """Close what was opened."""
        await self.broker.close()
        await self.ledger.close()


async def open_parts(name: str) -> Parts:
    """Open what a worker process needs, as the environment says. Neither database nor broker need be there yet.

    Raises:
        Fault: a setting is missing or wrong, or the library has faults.
    """
    database, broker = read(DatabaseSettings).dsn, read(BrokerSettings).address
    if database is None or broker is None:
        missing = "DULY_DATABASE_URL" if database is None else "DULY_BROKER_URL"
        todo = "set it, or run everything in one process with `duly up`"
        raise Fault("a worker of its own needs a database and a broker", f"{missing} is not set", todo, code=Exit.USAGE)
    return await put_together(name, database, open_broker(broker, topology_of_catalogue(), f"duly {name}"))


async def put_together(name: str, database: str, broker: Broker, *, connections: int = 4) -> Parts:
    """The parts around a database and a broker.

    Raises:
        Fault: a setting is wrong, or the library has faults.
    """
    ids = SystemIds()
    ledger = await PostgresLedger.open(database, ids, name=name, most=connections)
    library = load_library(read(LibrarySettings).folder or LIBRARY)
    return Parts(ledger, broker, library, ids, Measures(), read(WorkerSettings))


def keyring(mail: MailSettings) -> Keyring:
    """The keys that tokens are signed with, the current one first."""
    return Keyring({key.key_id: key.key for key in mail.token_keys}, mail.token_keys[0].key_id)


def refuse_outside(clock: Clock, *urls: str | None) -> None:
    """A trial database speaks to this machine alone.

    Raises:
        Fault: the database is a trial's and an address is not loopback.
    """
    for url in urls:
        host = urlsplit(url).hostname if url else None
        if clock.trial and host and not is_loopback(host):
            todo = "use addresses of this machine, or a database that was not made for trial"
            raise Fault("a trial must not reach mail systems or brokers outside", host, todo, code=Exit.USAGE)
