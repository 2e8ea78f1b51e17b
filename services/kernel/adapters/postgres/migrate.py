"""Migrations: forward only, numbered, each once, under an advisory lock and with its checksum remembered."""

from __future__ import annotations

import hashlib
from pathlib import Path

import asyncpg

from services.kernel.adapters.postgres.connection import connect

_LOCK = 0x64756C79  # "duly"
_DATABASE = Path(__file__).parents[4] / "schemas" / "database"


class MigrationFault(Exception):
    """A migration that was applied has been changed or removed; the database and the code do not belong together."""

    public = True


async def migrate(url: str, *, trial: bool = False) -> list[str]:
    """Bring the database up to date; return the names of the migrations that were applied.

    `trial` adds the simulated clock. A database is made for trial when it is new, or never.

    Raises:
        LedgerUnavailable: the database cannot be reached.
        MigrationFault: an applied migration differs, or a trial is asked of a database that is in earnest.
    """
    connection = await connect(url)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        return await _apply(connection, _files(trial=trial), trial=trial)
    finally:
        await connection.close()


async def pending(url: str) -> list[str]:
    """The production migrations that this database lacks."""
    connection = await connect(url)
    try:
        applied = await _applied(connection)
        return [name for name, _ in _files(trial=False) if name not in applied]
    finally:
        await connection.close()


def _files(*, trial: bool) -> list[tuple[str, str]]:
    folders = ["migrations", "trial"] if trial else ["migrations"]
    return [
        (f"{folder}/{path.stem}", path.read_text(encoding="utf-8"))
        for folder in folders
        for path in sorted((_DATABASE / folder).glob("*.sql"))
    ]


async def _applied(connection: asyncpg.Connection[asyncpg.Record]) -> dict[str, bytes]:
    if not await connection.fetchval("SELECT to_regclass('migration') IS NOT NULL"):
        return {}
    return {row["name"]: row["checksum"] for row in await connection.fetch("SELECT name, checksum FROM migration")}


async def _apply(
    connection: asyncpg.Connection[asyncpg.Record], files: list[tuple[str, str]], *, trial: bool
) -> list[str]:
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS migration (name text PRIMARY KEY, checksum bytea NOT NULL, "
        "applied_at timestamptz NOT NULL DEFAULT clock_timestamp())"
    )
    applied = await _applied(connection)
    _check(applied, dict(files), trial=trial)
    done = []
    for name, text in files:
        if name not in applied:
            async with connection.transaction():
                await connection.execute(text)
                await connection.execute(
                    "INSERT INTO migration (name, checksum) VALUES ($1, $2)", name, _checksum(text)
                )
            done.append(name)
    return done


def _check(applied: dict[str, bytes], files: dict[str, str], *, trial: bool) -> None:
    for name, checksum in applied.items():
        if name in files and _checksum(files[name]) != checksum:
            raise MigrationFault(
                f"{name} was applied in another form: restore the file, and write a new migration instead"
            )
    is_trial = any(name.startswith("trial/") for name in applied)
    if trial and applied and not is_trial:
        raise MigrationFault("this database is in earnest: a trial needs a new, empty one")


def _checksum(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
