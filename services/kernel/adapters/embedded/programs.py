"""Running PostgreSQL's programs, as ourselves or as the user who owns the cluster."""

from __future__ import annotations

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path

from services.kernel.adapters.embedded.binaries import Binaries, reachable_copy, wheel_binaries
from services.kernel.adapters.embedded.home import Home, Owner
from services.kernel.runtime.fault import Fault

TODO = "mend that, or set DULY_DATABASE_URL to a PostgreSQL of your own"


@dataclass(frozen=True, slots=True)
class Programs:
    """PostgreSQL's programs; `system` is where a user who is not ourselves finds a copy of them."""

    binaries: Binaries
    system: Path

    @classmethod
    def of(cls, home: Home, system: Path) -> Programs:
        """The wheel's programs of the version that made this cluster; the newest for a cluster still to be made.

        Raises:
            Fault: they are not installed.
        """
        made = home.cluster / "PG_VERSION"
        return cls(wheel_binaries(int(made.read_text())) if made.exists() else wheel_binaries(), system)

    def run(
        self, user: Owner | None, folder: Path, name: str, *arguments: str, text: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run one program to its end in `folder`, as `user`, with a bare environment.

        Raises:
            Fault: it cannot be run at all.
        """
        programs = reachable_copy(self.binaries, self.system) if user else self.binaries
        command = [programs.program(name), *arguments]
        try:
            return subprocess.run(  # noqa: S603 -- PostgreSQL's own programs, no shell
                command,
                input=text,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                check=False,
                cwd=folder,
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC", "HOME": str(folder)},
                umask=0o077,
                user=user.uid if user else None,
                group=user.gid if user else None,
                extra_groups=[] if user else None,
            )
        except OSError as error:
            raise Fault(f"{name} cannot be run ({error.strerror})", command[0], TODO) from error

    def must(self, user: Owner | None, folder: Path, name: str, *arguments: str, text: str = "") -> None:
        """Run one program.

        Raises:
            Fault: it fails, with the last that it said.
        """
        done = self.run(user, folder, name, *arguments, text=text)
        if done.returncode != 0:
            said = " | ".join(done.stderr.strip().splitlines()[-3:])
            raise Fault(f"{name} failed: {said}", str(folder), TODO)


def named_user() -> Owner:
    """Any user with a name who is not root, `nobody` before others.

    Raises:
        Fault: there is none.
    """
    named = [entry for entry in pwd.getpwall() if entry.pw_uid != 0]
    if not named:
        raise Fault("this machine knows no user but root", "/etc/passwd", "add one (nobody), or set DULY_DATABASE_URL")
    chosen = min(named, key=lambda entry: entry.pw_name != "nobody")
    return Owner(chosen.pw_uid, chosen.pw_gid)


def require_own_name() -> None:
    """Check that we have a name: `initdb` refuses a user id without one, in words that help nobody.

    Raises:
        Fault: this user id has no name on this machine.
    """
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError as error:
        todo = "give it one there, run Duly as a user that has one, or set DULY_DATABASE_URL"
        raise Fault(
            f"PostgreSQL needs a user name, and user id {os.geteuid()} has none", "/etc/passwd", todo
        ) from error
