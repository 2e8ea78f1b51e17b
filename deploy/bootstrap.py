"""Put uv into a folder, by pip and the hashes of tools.lock, on a machine that has Python and little else.

Usage: python deploy/bootstrap.py FOLDER

Runs on any Python 3, so that a wrong one is told from a broken one. Tries the pip of this Python with `--target` (which
asks for no virtual environment and touches nothing outside FOLDER); without pip, the one that `venv` brings. Says what
to install when neither is there.
"""

# ruff: noqa: INP001, S603 -- a script that runs before any package is there, with arguments of its own making

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

LOCK = Path(__file__).resolve().parent.parent / "tools.lock"
NO_PIP = """Duly needs pip once, to fetch its installer, and {python} has neither pip nor ensurepip.
  Debian, Ubuntu:  apt-get install python3-pip   (or python3-venv)
  Fedora:          dnf install python3-pip
  elsewhere:       make install PYTHON=/path/to/a/python/with/pip
"""
NO_INDEX = "Fetching uv failed, see above. Can this machine reach a package index? pip's own settings apply.\n"


def uv_requirement() -> str:
    """The lines of tools.lock that pin uv: its version and the hashes of its files."""
    pinned = re.search(r"^uv==(?:.*\\\n)*.*\n", LOCK.read_text(), re.MULTILINE)
    if pinned is None:
        sys.exit(f"{LOCK} names no uv; restore it from the repository")
    return pinned.group(0)


def succeeds(*command: str) -> bool:
    """Whether a command ends with 0, whatever it says."""
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def pip_command(scratch: Path) -> "list[str]":
    """A pip that runs: this Python's own, else one in a virtual environment below `scratch`."""
    if succeeds(sys.executable, "-m", "pip", "--version"):
        return [sys.executable, "-m", "pip"]
    if not succeeds(sys.executable, "-m", "venv", str(scratch / "venv")):
        sys.exit(NO_PIP.format(python=sys.executable))
    return [str(scratch / "venv" / "bin" / "python"), "-m", "pip"]


def main() -> int:
    """Install uv into the folder that the command line names; returns pip's exit code."""
    if sys.version_info < (3, 11):  # noqa: UP036 -- this is the check
        sys.exit(f"Duly needs Python 3.11 or later; {sys.executable} is {sys.version.split()[0]}")
    target = sys.argv[1]
    with tempfile.TemporaryDirectory() as scratch:
        pinned = Path(scratch) / "uv.lock"
        pinned.write_text(uv_requirement())
        shutil.rmtree(target, ignore_errors=True)
        options = ["--quiet", "--disable-pip-version-check", "--root-user-action=ignore", "--no-warn-script-location"]
        locked = ["--no-deps", "--require-hashes", "--target", target, "-r", str(pinned)]
        pip = pip_command(Path(scratch))
        code = subprocess.run([*pip, "install", *options, *locked], check=False).returncode
    if code != 0:
        sys.stderr.write(NO_INDEX)
    return code


if __name__ == "__main__":
    sys.exit(main())
