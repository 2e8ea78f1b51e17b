"""The database that a command works on: the one of the settings, or the embedded one under ./var."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.kernel.runtime.fault import Fault
from services.kernel.runtime.settings import DatabaseSettings, read

EMBEDDED = Path("var") / "postgres"
"""Where `duly up` keeps its own cluster, below the folder it is called in."""


@contextmanager
def database() -> Iterator[str]:
    """The DSN of a database that runs: configured, of a running `duly up`, or of a stopped one, for this command alone.

    Raises:
        Fault: a setting is wrong, there is no database here, or the embedded server cannot start.
    """
    configured = read(DatabaseSettings).dsn
    if configured:
        yield configured
        return
    from services.kernel.adapters.embedded.postgres import EmbeddedPostgres  # noqa: PLC0415 -- only where it is used

    if not EMBEDDED.exists():
        todo = "run `duly up` in this folder, or set DULY_DATABASE_URL"
        raise Fault("there is no database here yet", str(EMBEDDED), todo)
    server = EmbeddedPostgres(EMBEDDED)
    running = server.find()
    try:
        yield running or server.start()
    finally:
        server.stop()  # nothing happens when it is another's
