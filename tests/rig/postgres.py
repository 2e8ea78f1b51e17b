"""A private PostgreSQL for tests: the system's programs if they are there, else the wheel's; and fresh databases in it.

Fixtures: `postgres_server` (one a session), `database_url` (a migrated database a test). Databases are cloned from a
template that was migrated once.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest

from services.kernel.adapters.embedded import postmaster
from services.kernel.adapters.embedded.binaries import Binaries, passable, wheel_binaries
from services.kernel.adapters.embedded.cluster import SETTINGS
from services.kernel.adapters.embedded.postgres import EmbeddedPostgres
from services.kernel.runtime.fault import Fault

SYSTEM_PROGRAMS = Path("/usr/lib/postgresql")
OLDEST = 14
TEMPLATE = "migrated"
TRIAL_TEMPLATE = "migrated_for_trial"
TEMPORARY = Path("/tmp")
PREFIX = "duly-pg-"
FOR_TESTS = {"max_connections": "300", "shared_buffers": "128MB", "max_prepared_transactions": "0"}
UNSAFE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
"""For speed, where no test kills the machine; killing processes loses nothing with these."""


def system_binaries() -> Binaries | None:
    """The newest server that the system has, 14 or later."""
    found = [
        int(path.parents[1].name) for path in SYSTEM_PROGRAMS.glob("*/bin/pg_ctl") if path.parents[1].name.isdigit()
    ]
    newest = max(found, default=0)
    return Binaries(SYSTEM_PROGRAMS / str(newest) / "bin", newest) if newest >= OLDEST else None


def sweep() -> None:
    """End and delete the servers of test runs that were killed: nobody holds their owner's lock any more."""
    for lock in TEMPORARY.glob(f"{PREFIX}*/data/owner.lock"):
        folder = lock.parents[1]
        try:
            left = EmbeddedPostgres(lock.parent, binaries=system_binaries(), system=folder / "system")
            with lock.open() as held:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                pid = left.pid
                if pid is not None:
                    os.kill(pid, signal.SIGQUIT)
                    postmaster.wait_until(lambda pid=pid: not postmaster.is_alive(pid), 10)
                shutil.rmtree(folder)
        except (OSError, Fault):
            continue  # in use, or another user's


class PrivatePostgres:
    """One server in a temporary folder. `fsync=True` makes it as safe (and slow) as in production.

    `stop`, `start` and `kill` are for tests that take the database away; the DSNs stay the same.
    """

    def __init__(self, *, fsync: bool = False, binaries: Binaries | None = None) -> None:
        sweep()
        self.binaries = binaries or system_binaries() or wheel_binaries()
        # Short, as sockets want, and passable: as root the server runs as another user.
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=TEMPORARY))
        self.folder.chmod(0o711)
        passable(self.folder / "system")
        settings = {**SETTINGS, **FOR_TESTS, **({} if fsync else UNSAFE)}
        self.server = EmbeddedPostgres(
            self.folder / "data", binaries=self.binaries, settings=settings, system=self.folder / "system"
        )
        self.dsn = ""
        self._numbers = count(1)

    def start(self) -> str:
        """Start; returns the DSN of the empty database `duly`."""
        self.dsn = self.server.start()
        return self.dsn

    def stop(self) -> None:
        """Stop in good order; data stay."""
        self.server.stop()

    def remove(self) -> None:
        """Stop and delete everything."""
        self.server.stop()
        shutil.rmtree(self.folder)

    @property
    def pid(self) -> int:
        """The server's first process."""
        pid = self.server.pid
        assert pid is not None
        return pid

    def url(self, database: str) -> str:
        """The DSN of one database."""
        return re.sub(r"@/\w+\?", f"@/{database}?", self.dsn)

    def sql(self, statement: str, database: str = "duly") -> str:
        """Run one statement with psql; returns what it prints, unaligned."""
        command = [
            self.binaries.program("psql"),
            "-XAtq",
            "-v",
            "ON_ERROR_STOP=1",
            "-d",
            self.url(database),
            "-c",
            statement,
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def new_database(self, name: str | None = None, *, template: str | None = None) -> str:
        """Make a database (a clone of `template`, or empty); returns its DSN. Milliseconds with fsync off."""
        name = name or f"test_{next(self._numbers)}"
        self.sql(f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{template}"' if template else ""))
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Remove a database, whoever is still connected."""
        self.sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def make_template(self, migrate: Callable[[str], None], name: str = TEMPLATE) -> None:
        """Make a database to clone from, and close it to connections, which would block cloning."""
        migrate(self.new_database(name))
        self.sql(f'ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS false')


def migrate_to_newest(dsn: str) -> None:
    """Bring a database to the newest schema, from a thread of its own: the caller may have a running loop."""
    from services.kernel.adapters.postgres.migrate import migrate  # noqa: PLC0415 -- only tests with a schema need it

    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, migrate(dsn)).result()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PrivatePostgres]:
    """A running private server, fsync off, for the whole session."""
    server = PrivatePostgres()
    server.start()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def migrated_template(postgres_server: PrivatePostgres) -> str:
    """The name of a database with the newest schema, to clone."""
    postgres_server.make_template(migrate_to_newest)
    return TEMPLATE


@pytest.fixture
def database_url(postgres_server: PrivatePostgres, migrated_template: str) -> Iterator[str]:
    """The DSN of a fresh, migrated database of this test's own."""
    dsn = postgres_server.new_database(template=migrated_template)
    yield dsn
    postgres_server.drop_database(dsn.partition("@/")[2].partition("?")[0])


@pytest.fixture(scope="session")
def trial_template(postgres_server: PrivatePostgres) -> str:
    """The name of a database made for trial, to clone: its legal clock can be moved."""
    from services.kernel.adapters.postgres.migrate import migrate  # noqa: PLC0415 -- as above

    def prepare(dsn: str) -> None:
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, migrate(dsn, trial=True)).result()

    postgres_server.make_template(prepare, TRIAL_TEMPLATE)
    return TRIAL_TEMPLATE


@pytest.fixture
def trial_database_url(postgres_server: PrivatePostgres, trial_template: str) -> Iterator[str]:
    """A fresh database made for trial."""
    dsn = postgres_server.new_database(template=trial_template)
    yield dsn
    postgres_server.drop_database(dsn.partition("@/")[2].partition("?")[0])
