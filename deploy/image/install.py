"""Build the image's one folder: a virtual environment with Duly and what it needs to run, by the hashes of the lock.

Usage: python deploy/image/install.py FOLDER   (from the root of a checkout)

The lock names what developers need as well; pyproject.toml's own dependencies say which of it Duly runs on, and the
lock is their constraint: versions and hashes are its. Needs pip or venv, and a package index; no shell.
"""

# ruff: noqa: INP001, S603 -- a script that runs before any package is there, with arguments of its own making

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def run(*command: "str | Path") -> None:
    """Run a program to its end.

    Raises:
        subprocess.CalledProcessError: it did not end with 0.
    """
    subprocess.run([str(part) for part in command], cwd=ROOT, check=True)


def install(uv: Path, folder: Path) -> None:
    """Make the environment, with dependencies by hash and Duly itself as a wheel."""
    run(uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder)
    pip = (uv, "pip", "install", "--quiet", "--python", folder / "bin" / "python")
    known = ("--require-hashes", "--constraints", "requirements.lock")
    run(*pip, *known, "--extra", "tracing", "-r", "pyproject.toml")
    run(*pip, "--no-deps", "--build-constraint", "tools.lock", ".")
    (folder / ".lock").unlink(missing_ok=True)  # uv's, which anybody may write to


def compile_all(folder: Path) -> None:
    """Compile every module; named by the source's hash, not its time, so that two builds are alike."""
    options = ("-q", "-j", "0", "--invalidation-mode", "unchecked-hash")
    run(folder / "bin" / "python", "-m", "compileall", *options, folder / "lib", folder / "image")


def main() -> int:
    """Install into the folder that the command line names."""
    folder = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as scratch:
        run(sys.executable, "deploy/bootstrap.py", scratch)
        os.environ.setdefault("UV_PYTHON_DOWNLOADS", "never")
        install(Path(scratch) / "bin" / "uv", folder)
    (folder / "image").mkdir()
    for name in ("enter.py", "ready.py"):
        shutil.copyfile(ROOT / "deploy" / "image" / name, folder / "image" / name)
    compile_all(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
