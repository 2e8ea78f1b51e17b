"""Connections, and the driver's faults in Duly's words."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from traceback import walk_tb
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

import asyncpg

from services.kernel.ledger import LedgerRerun, LedgerUnavailable

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

Link: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"
"""A connection, of its own or lent by a pool."""

_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what the driver says when the server ends in the middle of its own dialogue
    asyncpg.InvalidCatalogNameError,
    asyncpg.ObjectNotInPrerequisiteStateError,  # the database takes no connections, as while it is restored
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.DiskFullError,
    asyncpg.ReadOnlySQLTransactionError,
)
_CONFIGURATION = asyncpg.exceptions.ClientConfigurationError
_AGAIN = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.LockNotAvailableError)


@asynccontextmanager
async def in_our_words(what: str = "the database") -> AsyncIterator[None]:
    """Turn the driver's faults into the port's.

    What the work within the block raises itself is left as it is: an item's own time-out, taken for the
    database's, would be waited for again and again.

    Raises:
        LedgerUnavailable: the database is away; the driver's fault is the cause.
        LedgerRerun: a deadlock or a concurrent insert; the driver's fault is the cause.
    """
    try:
        yield
    except asyncpg.UniqueViolationError as fault:
        if fault.constraint_name in {"notice_source_source_ref_key", "attempt_notice_id_number_key"}:
            raise LedgerRerun("another transaction inserted the same row meanwhile") from fault
        raise
    except _AGAIN as fault:
        raise LedgerRerun(type(fault).__name__) from fault
    except _AWAY as fault:
        if not _is_away(fault):
            raise
        raise LedgerUnavailable(f"{what} is away: {type(fault).__name__}") from fault


def _is_away(fault: BaseException) -> bool:
    """Whether it is the driver's fault, and neither the work's own nor a value that no column takes."""
    if isinstance(fault, ValueError) and not isinstance(fault, _CONFIGURATION):
        return False
    modules = (str(frame.f_globals.get("__name__", "")) for frame, _ in walk_tb(fault.__traceback__))
    return any(module.startswith("asyncpg.") for module in modules)


def place(url: str) -> str:
    """The URL without user and password, for people to read."""
    parts = urlsplit(url)
    return f"{parts.hostname or parts.query or 'socket'}:{parts.port or 5432}{parts.path}"


async def connect(url: str) -> asyncpg.Connection[asyncpg.Record]:
    """One connection of its own.

    Raises:
        LedgerUnavailable: with the place that was tried.
    """
    async with in_our_words(f"the database at {place(url)}"):
        return await asyncpg.connect(url, timeout=10, server_settings={"application_name": "duly", "timezone": "UTC"})


async def open_pool(url: str, *, name: str, most: int = 4) -> asyncpg.Pool[asyncpg.Record]:
    """A pool of connections, none of which waits for ever: a transaction that idles is ended by the server.

    Raises:
        LedgerUnavailable: with the place that was tried.
    """
    async with in_our_words(f"the database at {place(url)}"):
        return await asyncpg.create_pool(
            url,
            min_size=0,
            max_size=most,
            timeout=10,
            command_timeout=60,
            server_settings={
                "application_name": f"duly {name}",
                "timezone": "UTC",
                "idle_in_transaction_session_timeout": "60s",
                "lock_timeout": "30s",
                "jit": "off",
            },
        )
