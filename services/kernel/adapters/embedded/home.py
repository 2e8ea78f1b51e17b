"""Where a private cluster lives, and whose it is.

For an ordinary user the cluster lies in the data folder itself. PostgreSQL refuses to run as root, and the data folder
is often below one that no one else may enter. Then the cluster lies in a system path, owned by a user id that has no
name and no other use, and the data folder holds a pointer to it. No folder of anyone is opened to the world.
"""

from __future__ import annotations

import os
import pwd
import shutil
import stat
from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from pathlib import Path

from services.kernel.adapters.embedded import postmaster
from services.kernel.adapters.embedded.binaries import passable
from services.kernel.runtime.fault import Fault

SYSTEM = Path("/var/lib/duly")
SHORT = Path("/tmp")  # noqa: S108 -- a fixed place, checked before use
POINTER = "where"
OWNED = "belongs-to"
FREE_UIDS = range(60770, 61184)
"""Ids that Linux distributions give to nobody (systemd, "Users, Groups, UIDs and GIDs": unused 60706-61183)."""
SOCKET_PATH_LIMIT = 103
"""Bytes in a unix socket's path that every system takes (104 with the closing zero on macOS, 108 on Linux)."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The user and group that PostgreSQL runs as, where that is not ourselves."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of one private PostgreSQL. `owner` is None when it runs as we do."""

    folder: Path
    owner: Owner | None

    @property
    def cluster(self) -> Path:
        """PostgreSQL's own data folder."""
        return self.folder / "cluster"

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.folder / "server.log"

    @property
    def sockets(self) -> Path:
        """The folder of its unix socket, mode 0700; elsewhere when the path here would be too long for a socket."""
        near = self.folder / "run"
        if len(os.fsencode(near / ".s.PGSQL.5432")) <= SOCKET_PATH_LIMIT:
            return near
        uid = self.owner.uid if self.owner else os.geteuid()
        return SHORT / f"duly-{uid}-{_digest(self.folder)}"

    def make_sockets(self) -> None:
        """Make the folder of the socket, or check that it is the owner's alone.

        Raises:
            Fault: someone else's folder stands in its place.
        """
        uid = self.owner.uid if self.owner else os.geteuid()
        if not self.sockets.exists():
            self.sockets.mkdir(mode=0o700)
            give(self.sockets, self.owner)
        found = self.sockets.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != uid or found.st_mode & 0o077:
            raise Fault("this folder must be PostgreSQL's alone (mode 0700)", str(self.sockets), "remove it")


def known_home(data: Path, system: Path = SYSTEM) -> Home | None:
    """The home of a cluster that was made for this data folder, or None. Changes nothing but the record of a move.

    Raises:
        Fault: the folder is another user's.
    """
    try:
        if (data / "cluster").exists():
            return Home(data, _owner_of(data / "cluster"))
        pointed = _pointed(data, system)
        return Home(pointed, _owner_of(pointed)) if pointed else None
    except PermissionError as error:
        todo = "run Duly as that user, or choose another data folder"
        raise Fault("this data folder was made by another user", str(data), todo) from error


def new_home(data: Path, system: Path = SYSTEM) -> Home:
    """Make the place for a new cluster.

    Raises:
        Fault: the folder cannot be made, or belongs to another user.
    """
    try:
        if os.geteuid() != 0:
            return Home(data, None)
        return _home_for_root(data, system)
    except OSError as error:
        todo = "make it writable, run Duly as an ordinary user, or set DULY_DATABASE_URL"
        raise Fault(f"PostgreSQL's folder cannot be made ({error.strerror})", str(error.filename), todo) from error


def give(path: Path, owner: Owner | None) -> None:
    """Make a file or a whole folder the owner's; nothing to do when PostgreSQL runs as we do."""
    if owner is None:
        return
    os.chown(path, owner.uid, owner.gid, follow_symlinks=False)
    for folder, folders, files in os.walk(path):
        for name in (*folders, *files):
            os.chown(Path(folder, name), owner.uid, owner.gid, follow_symlinks=False)


def _owner_of(path: Path) -> Owner | None:
    found = path.stat()
    return Owner(found.st_uid, found.st_gid) if os.geteuid() == 0 else None


def _pointed(data: Path, system: Path) -> Path | None:
    """The home that the data folder points to, if it is this folder's, or was another's that has moved here."""
    try:
        home = Path((data / POINTER).read_text().strip())
        recorded = Path((home / OWNED).read_text().strip())
    except (FileNotFoundError, NotADirectoryError):
        return None
    if home.parent != system:
        return None
    if recorded != data.resolve():
        if (recorded / POINTER).exists():
            return None
        (home / OWNED).write_text(f"{data.resolve()}\n")
    return home


def _home_for_root(data: Path, system: Path) -> Home:
    """A fresh home in the system path. One left behind by a data folder that was deleted is ended and deleted too."""
    passable(system)
    candidates = (system / f"{_digest(data.resolve())}-{number}" for number in count())
    home = next(place for place in candidates if not place.exists() or _left_behind(place, data))
    if home.exists():
        _delete(home)
    home.mkdir(mode=0o700)
    (home / OWNED).write_text(f"{data.resolve()}\n")
    owner = Owner(_free_uid(), _free_uid())
    give(home, owner)
    (data / POINTER).write_text(f"{home}\n")
    return Home(home, owner)


def _left_behind(home: Path, data: Path) -> bool:
    record = home / OWNED
    return record.exists() and record.read_text().strip() == str(data.resolve())


def _delete(home: Path) -> None:
    pid = postmaster.live_pid(home / "cluster")
    if pid is not None:
        postmaster.end(pid, home / "cluster")
    shutil.rmtree(home)


def _free_uid() -> int:
    taken = {entry.pw_uid for entry in pwd.getpwall()}
    return next(uid for uid in FREE_UIDS if uid not in taken)


def _digest(path: Path) -> str:
    return sha256(os.fsencode(path)).hexdigest()[:16]
