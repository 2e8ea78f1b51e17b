"""`duly up` and `duly trial` as processes in a folder of their own, and nothing of theirs left behind."""

from __future__ import annotations

import os
import shutil
import signal
import site
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg

from services.kernel.adapters.embedded.home import known_home
from services.kernel.adapters.embedded.postgres import EmbeddedPostgres

CHECKOUT = Path(__file__).parents[2]


@contextmanager
def empty_folder() -> Iterator[Path]:
    """A folder to call `duly` in; at the end its servers are ended and all that was made for it is deleted."""
    folder = Path(tempfile.mkdtemp(prefix="duly-h-", dir="/tmp"))
    try:
        yield folder
    finally:
        for data in (folder / "var" / "postgres", folder / "var" / "trial" / "postgres"):
            if data.exists():
                _end(data)
        shutil.rmtree(folder)


def _end(data: Path) -> None:
    server = EmbeddedPostgres(data)
    if server.pid is not None:
        server.start()
    server.stop()
    home = known_home(data)
    if home is not None:
        shutil.rmtree(home.folder, ignore_errors=True)


def environment(**settings: str) -> dict[str, str]:
    """This environment without any setting of Duly's but these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DULY_")}
    return {**kept, **settings}


def duly(folder: Path, *arguments: str, uid: int | None = None, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run one command to its end, as another user if wanted."""
    python = sys.executable if uid is None else python_for_others() or sys.executable
    path = {} if python == sys.executable else {"PYTHONPATH": os.pathsep.join([str(CHECKOUT), *site.getsitepackages()])}
    return subprocess.run(
        [python, "-m", "services.cli", *arguments], cwd=folder, env=environment(**path, **settings),
        user=uid, group=uid, capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip


def python_for_others() -> str | None:
    """An interpreter of this version that other users may run, too; None if they reach none, or not this checkout."""
    system = Path("/usr/bin", Path(sys.executable).resolve().name)
    if not _open_to_all(CHECKOUT) or not _open_to_all(Path(site.getsitepackages()[0])):
        return None
    return next((str(python) for python in (Path(sys.executable), system) if _open_to_all(python)), None)


def _open_to_all(path: Path) -> bool:
    real = path.resolve()
    return real.exists() and all(each.stat().st_mode & 0o001 for each in (real, *real.parents))


class Up:
    """`duly up` in a folder, started and killed as often as wanted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None
        self.log = folder / "up.log"

    def start(self, seconds: float = 60, **settings: str) -> None:
        """Start, and wait until the workers are at work."""
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "services.cli", "up"],
                cwd=self.folder,
                env=environment(**settings),
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        wait_until(lambda: b"worker.started" in self.log.read_bytes() or self.process.poll() is not None, seconds)
        assert self.process.poll() is None, self.log.read_text()

    def end(self) -> None:
        """For a fixture: kill what a failed test left."""
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(40)

    def database(self) -> str:
        dsn = EmbeddedPostgres(self.folder / "var" / "postgres").find()
        assert dsn is not None
        return dsn

    async def until(self, query: str, holds: Callable[[int], bool], seconds: float = 60) -> int:
        """Ask until the answer is as wanted; says what it was last."""
        connection = await asyncpg.connect(self.database())
        deadline = time.monotonic() + seconds
        try:
            while not holds(answer := int(await connection.fetchval(query))):
                assert self.process.poll() is None, self.log.read_text()[-3000:]
                assert time.monotonic() < deadline, f"{query} gave {answer!r}\n{self.log.read_text()[-3000:]}"
            return answer
        finally:
            await connection.close()


def wait_until(holds: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)
