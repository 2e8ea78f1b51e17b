"""What the image is made of, without a builder of images: its steps here, and in a bare Debian root, with workers."""

# ruff: noqa: INP001, S603 -- beside a script; its arguments are of its own making

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bare_root
from programs import ROOT, Fault, debian, output, without

HERE = Path(__file__).resolve().parent
BARE = ROOT / "var" / "debian"
_SECONDS = 30
_POLL = 0.1


def image() -> str:
    """The image's own steps with this machine's Python; then a worker as a user of no name."""
    with tempfile.TemporaryDirectory() as scratch:
        Path(scratch).chmod(0o755)
        folder = Path(scratch) / "duly"
        output(os.environ.get("PYTHON", "python3.11"), HERE / "image" / "install.py", folder)
        entry = (folder / "bin" / "python", "-P", folder / "image" / "enter.py")
        listed = output(*entry, "run", env={"PYTHONDONTWRITEBYTECODE": "1"})
        works(folder, entry)
        return f"{len(listed.splitlines()) - 1} workers; one started and left"


def works(folder: Path, entry: tuple[str | Path, ...]) -> None:
    """A worker without its neighbours lives, is not ready, and ends in good order.

    Raises:
        Fault: it does not.
    """
    nowhere = {"DULY_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "DULY_BROKER_URL": "amqp://127.0.0.1:1//"}
    environment = {**nowhere, "DULY_HEALTH_PORT": str(free_port()), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [*map(str, entry), "run", "relay"]
    with started(command, environment, nobody(Path(command[0]))) as worker:
        ready = [folder / "bin" / "python", "-IS", folder / "image" / "ready.py"]
        if subprocess.run(ready, env=environment, check=False).returncode != 1:
            raise Fault("image: ready.py takes a worker without a database for ready")
        left_in_good_order(worker)


@contextmanager
def started(
    command: list[str], env: dict[str, str] | None = None, user: dict[str, Any] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A worker that has said that it began; killed at the end, if it is still there.

    Raises:
        Fault: it ended before it began.
    """
    out: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    worker = subprocess.Popen(command, cwd="/", env=env, **out, **(user or {}))
    patience = threading.Timer(2 * _SECONDS, worker.kill)
    patience.start()
    said: list[str] = []
    try:
        for line in worker.stdout or ():
            said.append(line)
            if "worker.started" in line:
                break
        else:
            raise Fault(f"image: the worker ended with {worker.wait()} before it began:\n{''.join(said)}")
        yield worker
    finally:
        patience.cancel()
        worker.kill()
        worker.wait()
        if worker.stdout:
            worker.stdout.close()


def left_in_good_order(worker: subprocess.Popen[str]) -> float:
    """SIGTERM ends it with 0; how many seconds that took.

    Raises:
        Fault: with another code.
    """
    began = time.monotonic()
    worker.send_signal(signal.SIGTERM)
    if code := worker.wait(_SECONDS):
        raise Fault(f"image: SIGTERM ended the worker with {code}")
    return time.monotonic() - began


def nobody(python: Path) -> dict[str, Any]:
    """The image's user, where we may become it and it may reach this Python (one under /root it may not)."""
    open_to_all = all(each.stat().st_mode & 1 for each in python.resolve().parents)
    return {"user": 10001, "group": 10001, "extra_groups": []} if os.geteuid() == 0 and open_to_all else {}


def free_port() -> int:
    """A port of loopback that nobody has now."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


# --- in a bare Debian -------------------------------------------------------------------------------------------------


def bare() -> str:
    """The Containerfile's steps in a bare Debian root; from there the schema is made, and workers work."""
    if os.geteuid() != 0:
        without("the image's steps in a bare Debian root need root (chroot)")
    debian("debootstrap", "debootstrap")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="duly-bare-") as scratch:
        try:
            base = bare_root.bare_debian(BARE)
            stage = bare_root.build(HERE / "Containerfile", base, Path(scratch))
            built = time.monotonic()
            told = ", ".join(works_in(stage, Path(scratch)))
        except bare_root.Broken as broken:
            raise Fault(f"bare root: {broken}") from broken
    return f"built in {built - began:.0f} s; {told}"


def works_in(stage: bare_root.Stage, scratch: Path) -> Iterator[str]:
    """Migrate, then start workers beside a database and a broker outside of the root; what to tell of each.

    Raises:
        Fault: a worker does not become ready, does not leave, or something was written outside of /tmp.
    """
    own = [path for path in bare_root.close(stage) if path.startswith("/opt/")]
    if own:
        raise Fault(f"bare root: anybody may write to {', '.join(own)}")
    with neighbours() as settings:
        stamp = scratch / "stamp"
        stamp.touch()
        stage.run([*stage.entry, "migrate"], **settings)
        for worker in ("renderer", "relay"):
            yield f"{worker} {tried(stage, worker, settings)}"
    if changed := bare_root.changed_since(stage, stamp):
        raise Fault(f"bare root: written outside of /tmp: {', '.join(changed[:10])}")


def tried(stage: bare_root.Stage, worker: str, settings: dict[str, str]) -> str:
    """Start one worker, wait until the image's own health check calls it ready, and end it."""
    own = {**settings, "DULY_HEALTH_PORT": str(free_port())}
    began = time.monotonic()
    with started(stage.command([*stage.entry, "run", worker], **own)) as process:
        while subprocess.run(stage.command(stage.health, **own), check=False).returncode:
            if time.monotonic() - began > _SECONDS:
                raise Fault(f"bare root: {worker} was not ready within {_SECONDS} s")
            time.sleep(_POLL)
        ready = time.monotonic() - began
        return f"ready in {ready:.1f} s and gone in {left_in_good_order(process):.1f} s"


@contextmanager
def neighbours() -> Iterator[dict[str, str]]:
    """A private PostgreSQL and RabbitMQ outside of the root, as settings.

    Raises:
        Fault: they could not be started.
    """
    python = ROOT / ".venv" / "bin" / "python"
    if not python.exists():
        raise Fault("the neighbours of a worker come from the checkout's own environment: `make install`")
    command = [str(python), "-m", "tests.rig.neighbours"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            said = process.stdout.readline() if process.stdout else ""
            if not said:
                raise Fault("no PostgreSQL or no RabbitMQ to start a worker beside, see above")
            where = json.loads(said)
            yield {"DULY_DATABASE_URL": where["database"], "DULY_BROKER_URL": where["broker"]}
        finally:
            if process.stdin:
                process.stdin.close()
            process.wait(2 * _SECONDS)
