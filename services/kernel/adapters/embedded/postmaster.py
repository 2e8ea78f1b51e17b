"""The server process of one cluster: which it is, whether it is really ours, and how it is ended.

A process is ended only by its id, and only after its own working folder has shown that it serves this cluster: a stale
`postmaster.pid` may name a number that belongs to somebody else by now.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from services.kernel.runtime.fault import Fault

PROC = Path("/proc")
PAUSE = 0.02
FAST_SHUTDOWN_SECONDS = 30.0
IMMEDIATE_SHUTDOWN_SECONDS = 10.0


def live_pid(cluster: Path) -> int | None:
    """The id of the running server of this cluster, or None if none runs (whatever `postmaster.pid` says)."""
    try:
        pid = int((cluster / "postmaster.pid").read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None
    return pid if is_alive(pid) and serves(pid, cluster) else None


def is_alive(pid: int) -> bool:
    """Whether the process runs. One that has ended and was not yet collected does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return not PROC.joinpath("self").exists()


def serves(pid: int, cluster: Path) -> bool:
    """Whether that process is a server of this cluster: PostgreSQL works in its data folder."""
    if PROC.joinpath("self").exists():
        try:
            return (PROC / str(pid) / "cwd").samefile(cluster)
        except OSError:
            return False
    shown = subprocess.run(["/bin/ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)  # noqa: S603
    return str(cluster) in shown.stdout


def end(pid: int, cluster: Path) -> None:
    """End a server: fast (sessions are ended, all is written), then, if it does not come down, at once.

    Raises:
        Fault: it does not end.
    """
    for number, patience in ((signal.SIGINT, FAST_SHUTDOWN_SECONDS), (signal.SIGQUIT, IMMEDIATE_SHUTDOWN_SECONDS)):
        if not (is_alive(pid) and serves(pid, cluster)):
            return
        os.kill(pid, number)
        if wait_until(lambda: not is_alive(pid), patience):
            return
    raise Fault(f"PostgreSQL does not stop (process {pid})", str(cluster), f"look at its log; kill -QUIT {pid} ends it")


def clear_stale_pid(cluster: Path, patience: float = 10.0) -> None:
    """Remove a `postmaster.pid` whose server is gone, once the last of its children is gone too.

    PostgreSQL does so itself, but refuses to start when the number in the file belongs to another process by now. Where
    `/proc` is missing, it is left to PostgreSQL.

    Raises:
        Fault: processes of the dead server live on.
    """
    stale = cluster / "postmaster.pid"
    if not stale.exists() or not PROC.joinpath("self").exists():
        return
    if not wait_until(lambda: not _workers(cluster), patience):
        left = ", ".join(map(str, _workers(cluster)))
        raise Fault("processes of a PostgreSQL that died live on", str(cluster), f"end them by id: {left}")
    stale.unlink(missing_ok=True)


def wait_until(condition: Callable[[], bool], patience: float) -> bool:
    """Look until the condition holds; False after `patience` seconds."""
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(PAUSE)
    return True


def _workers(cluster: Path) -> list[int]:
    pids = (int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit())
    return [pid for pid in pids if serves(pid, cluster) and is_alive(pid) and _is_postgres(pid)]


def _is_postgres(pid: int) -> bool:
    """A shell or editor that happens to stand in the data folder is no server."""
    try:
        return (PROC / str(pid) / "comm").read_text().strip() in {"postgres", "postmaster"}
    except OSError:
        return False
