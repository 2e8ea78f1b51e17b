"""The programs that judge deploy/: run to their end, or got from Debian, or told of as missing."""

# ruff: noqa: INP001, S603 -- beside a script; its arguments are of its own making

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.rig.debian import install  # noqa: E402 -- the tests' own way to a program


class Fault(Exception):
    """Something in deploy/ is not as its tool wants it."""


class NotRun(Exception):
    """A check needs what this machine does not have; the message says what."""


def output(*command: str | Path, env: dict[str, str] | None = None) -> str:
    """What a program says.

    Raises:
        Fault: with all of it, if the program does not end with 0.
    """
    done = subprocess.run([*map(str, command)], cwd=ROOT, capture_output=True, text=True, check=False, env=env)
    if done.returncode:
        raise Fault(f"{Path(command[0]).name}: {done.stdout}{done.stderr}")
    return done.stdout


def debian(program: str, package: str) -> str:
    """Where a program is; installed from Debian's package if it is missing and we may.

    Raises:
        NotRun: it is missing, and we may not.
    """
    found = shutil.which(program) or (shutil.which(program) if install(package) else None)
    return found or without(f"{program} is not installed: on Debian or Ubuntu `sudo apt-get install {package}`")


def without(what: str) -> str:
    """Leave a check out, and say why; in CI that is a fault.

    Raises:
        NotRun: on somebody's own machine.
        Fault: in CI.
    """
    raise (Fault if os.environ.get("CI") == "true" else NotRun)(what)
