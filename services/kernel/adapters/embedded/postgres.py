"""A private PostgreSQL for one data folder, from the binaries of a wheel, started and stopped by Duly itself.

It listens on a unix socket in a folder that only its owner (and root) may enter, and on no network: what guards it is
the file system, so there is no password to keep, and nothing to find for another user of the machine. It runs in a
session of its own, so that Ctrl-C in the terminal reaches Duly first; after a `kill -9` of Duly it lives on, and the
next start takes it over. After a `kill -9` of itself it recovers from its log on the next start.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from services.kernel.adapters.embedded import postmaster
from services.kernel.adapters.embedded.binaries import Binaries
from services.kernel.adapters.embedded.cluster import DATABASE, PORT, ROLE, SETTINGS, create, dsn, write_settings
from services.kernel.adapters.embedded.home import SYSTEM, Home, known_home, new_home
from services.kernel.adapters.embedded.ownership import InUse as InUse  # noqa: PLC0414 -- raised by `start`
from services.kernel.adapters.embedded.ownership import own
from services.kernel.adapters.embedded.programs import Programs
from services.kernel.runtime.fault import Fault

READY_SECONDS = 60
LOG_BYTES = 8_000_000


class EmbeddedPostgres:
    """The private PostgreSQL of one data folder. One process owns it at a time; others may `find` it and connect.

    Args:
        data: the folder, made if missing; a second start on it goes on where the first was.
        binaries: PostgreSQL's programs; those of the wheel if None.
        settings: postgresql.conf of this server.
        system: where root keeps the cluster and a copy of the programs.
    """

    def __init__(
        self,
        data: Path,
        *,
        binaries: Binaries | None = None,
        settings: Mapping[str, str] = SETTINGS,
        system: Path = SYSTEM,
    ) -> None:
        self._data = data.absolute()
        self._binaries = binaries
        self._settings = settings
        self._system = system
        self._lock: int | None = None

    def start(self) -> str:
        """Start the server, or take over the one that a killed owner left; returns its DSN once it answers.

        Blocks, for about a second on a new folder: call it in a thread from asyncio. A second call only answers.

        Raises:
            InUse: another living process owns the folder; the text names it.
            Fault: it cannot start, with the reason, the place and what to do.
        """
        fresh = self._lock is None
        if fresh:
            self._lock = own(self._data)
        try:
            return self._ready()
        except OSError as error:
            if fresh:
                self._disown()
            todo = "mend that, or set DULY_DATABASE_URL to a PostgreSQL of your own"
            where = str(error.filename or self._data)
            raise Fault(f"PostgreSQL's folder cannot be prepared ({error.strerror})", where, todo) from error
        except BaseException:
            if fresh:
                self._disown()
            raise

    def stop(self) -> None:
        """End the server that this object started or took over, and wait until it is gone. Nothing to do otherwise.

        Raises:
            Fault: it does not end.
        """
        if self._lock is None:
            return
        pid = self.pid
        if pid is not None:
            postmaster.end(pid, self._home().cluster)
        self._disown()

    def find(self) -> str | None:
        """The DSN of the server that runs for this folder, whoever owns it; None when none answers. Starts nothing."""
        home = known_home(self._data, self._system)
        if home is None or postmaster.live_pid(home.cluster) is None:
            return None
        return dsn(home) if self._answers(home) else None

    @property
    def pid(self) -> int | None:
        """The id of the running server of this folder, whoever owns it; None when none runs."""
        home = known_home(self._data, self._system)
        return postmaster.live_pid(home.cluster) if home else None

    def _home(self) -> Home:
        return known_home(self._data, self._system) or new_home(self._data, self._system)

    def _programs(self, home: Home) -> Programs:
        return Programs(self._binaries, self._system) if self._binaries else Programs.of(home, self._system)

    def _disown(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _ready(self) -> str:
        home = self._home()
        if not (home.cluster / "PG_VERSION").exists():
            create(home, self._programs(home))

        def answers() -> bool:
            # A server that is found in its shutdown is waited for; then a new one is launched.
            if postmaster.live_pid(home.cluster) is None:
                self._launch(home)
            return self._answers(home)

        if not postmaster.wait_until(answers, READY_SECONDS):
            raise Fault(f"PostgreSQL did not answer in {READY_SECONDS} s", str(home.log), "its log says why")
        return dsn(home)

    def _launch(self, home: Home) -> None:
        postmaster.clear_stale_pid(home.cluster)
        # The lock of the socket names a dead server too; the folder is ours alone.
        (home.sockets / f".s.PGSQL.{PORT}.lock").unlink(missing_ok=True)
        home.make_sockets()
        write_settings(home, self._settings)
        if home.log.exists() and home.log.stat().st_size > LOG_BYTES:
            home.log.replace(home.log.with_suffix(".log.1"))
        options = ["-D", str(home.cluster), "-l", str(home.log), "-w", "-t", str(READY_SECONDS), "-s"]
        started = self._programs(home).run(home.owner, home.folder, "pg_ctl", "start", *options)
        if started.returncode != 0:
            said = " | ".join(_last_lines(home.log) or [started.stderr.strip()])
            raise Fault(f"PostgreSQL did not start: {said}", str(home.log), "its log says more")

    def _answers(self, home: Home) -> bool:
        asked = ("-q", "-h", str(home.sockets), "-p", PORT, "-U", ROLE, "-d", DATABASE)
        return self._programs(home).run(None, home.folder, "pg_isready", *asked).returncode == 0


def _last_lines(log: Path) -> list[str]:
    return log.read_text(errors="replace").splitlines()[-3:] if log.exists() else []
