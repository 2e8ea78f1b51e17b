"""Making a cluster and writing its settings."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

from services.kernel.adapters.embedded.home import Home, Owner, give
from services.kernel.adapters.embedded.programs import Programs, named_user, require_own_name

ROLE = "duly"
DATABASE = "duly"
PORT = "5432"
"""Only part of the socket's file name: nothing listens on a network."""
BUILTIN_LOCALE_SINCE = 17

SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "max_connections": "100",
        "shared_buffers": "64MB",
        "fsync": "on",
        "synchronous_commit": "on",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "jit": "off",  # compiles longer than these queries run
        "log_min_messages": "warning",
        "log_min_error_statement": "panic",  # a statement may hold content
        "log_error_verbosity": "terse",  # so may "DETAIL: Key (address)=(...)"
    }
)


def dsn(home: Home) -> str:
    """How a client reaches the server of this home."""
    return f"postgresql://{ROLE}@/{DATABASE}?host={quote(str(home.sockets))}&port={PORT}"


def create(home: Home, programs: Programs) -> None:
    """Make the cluster and its database beside their place, then rename: a half-made cluster is never used.

    The owner of root's cluster has no name, and `initdb` asks for one: another user makes it, then it changes hands.

    Raises:
        Fault: it cannot be made.
    """
    if home.owner is None:
        require_own_name()
    making = home.folder.with_name(home.folder.name + ".making") if home.owner else home.folder / "making"
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(mode=0o700)
    maker = named_user() if home.owner else None
    give(making, maker)
    _initialise(programs, maker, making / "cluster")
    give(making, home.owner)
    (making / "cluster").rename(home.cluster)
    making.rmdir()


def write_settings(home: Home, settings: Mapping[str, str]) -> None:
    """Write the settings of the next start."""
    sockets = str(home.sockets).replace("'", "''")
    lines = [f"{name} = '{value}'" for name, value in settings.items()]
    lines += ["listen_addresses = ''", f"unix_socket_directories = '{sockets}'", f"port = {PORT}"]
    conf = home.cluster / "duly.conf"
    conf.write_text("\n".join(["# Written by Duly at every start.", *lines, ""]))
    give(conf, home.owner)


def _initialise(programs: Programs, maker: Owner | None, cluster: Path) -> None:
    locale = ["--locale=C.UTF-8"]
    if programs.binaries.major >= BUILTIN_LOCALE_SINCE:
        # The same order and case rules on every machine, whatever its C library.
        locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    access = ["--auth-local=trust", "--auth-host=reject", "--username", ROLE]
    programs.must(maker, cluster.parent, "initdb", "-D", str(cluster), "--encoding=UTF8", "--no-sync", *locale, *access)
    with (cluster / "postgresql.conf").open("a") as conf:
        conf.write("\ninclude_if_exists = 'duly.conf'\n")
    # One user, no server: by the end of it the database exists and everything is on the disk.
    single = ["--single", "-D", str(cluster), "-c", "log_min_messages=error", "postgres"]
    programs.must(maker, cluster.parent, "postgres", *single, text=f"CREATE DATABASE {DATABASE}\n")
    programs.must(maker, cluster.parent, "initdb", "--sync-only", "-D", str(cluster))
