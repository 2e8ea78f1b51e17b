"""Programs that the tests drive and Duly does not bring: installed where we may, else skipped; never skipped in CI.

deploy/programs.py installs by the same means, from an environment without pytest.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

POLICY = Path("/usr/sbin/policy-rc.d")


def install(package: str) -> bool:
    """Install a Debian package where we may (root, apt-get), its service staying off; False where we may not."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return False
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with _one_at_a_time(), _no_services_started():
        subprocess.run(["apt-get", "update", "-q"], env=quiet, check=True, capture_output=True)
        command = ["apt-get", "install", "-yq", "--no-install-recommends", package]
        subprocess.run(command, env=quiet, check=True, capture_output=True)
    return True


def do_without(how_to: str) -> NoReturn:
    """Skip what needs the missing program, and say how to get it; in CI that is a failure."""
    import pytest  # noqa: PLC0415 -- see above

    (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(how_to)


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Tests run side by side, and apt-get waits for nobody."""
    with Path(tempfile.gettempdir(), "duly-apt.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _no_services_started() -> Iterator[None]:
    """Keep a package's installation from starting its service (Debian's policy-rc.d)."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()
