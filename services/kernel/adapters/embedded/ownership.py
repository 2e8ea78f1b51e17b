"""One process owns a data folder at a time, until it ends, however it ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from services.kernel.runtime.fault import Fault


class InUse(Fault):
    """Another process owns this data folder."""


def own(data: Path) -> int:
    """Take the folder for this process, making it if missing; closing the descriptor that is returned gives it up.

    Raises:
        InUse: another living process owns it; the text names that process.
        Fault: the folder cannot be used.
    """
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(data / "owner.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        todo = "make it writable, or choose another folder"
        raise Fault(f"the data folder cannot be used ({error.strerror})", str(data), todo) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        owner = os.pread(lock, 20, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(lock)
        todo = "stop that one first; other commands reach it as it runs"
        raise InUse(f"this data folder is in use by process {owner}", str(data), todo) from error
    if os.geteuid() == 0:
        folder = data.stat()
        os.fchown(lock, folder.st_uid, folder.st_gid)
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    return lock
