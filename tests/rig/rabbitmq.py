"""A private RabbitMQ node: own ports, own Erlang world, own folder; started and stopped by its process id."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Self

import amqp
import pytest

from tests.rig.debian import do_without, install

READY = b"Starting broker... completed"
SERVER_FOLDERS = ("/usr/lib/rabbitmq/lib", "/opt/homebrew/opt/rabbitmq", "/usr/local/opt/rabbitmq", "/opt/rabbitmq")
ORPHANS_DIE = 'cat >/dev/null; kill -9 "$@"'  # our end of its input closes even when we are killed
HOW_TO = (
    "no RabbitMQ server is installed: on Debian or Ubuntu `sudo apt-get install rabbitmq-server`, on macOS "
    "`brew install rabbitmq`; the tests start a node of their own, so the system's service may stay off"
)


def find_server() -> Path | None:
    """The real server script; Debian's in /usr/sbin insists on root and on the system's node."""
    for folder in SERVER_FOLDERS:
        found = sorted(Path(folder).glob("**/sbin/rabbitmq-server"))
        if found:
            return found[-1]
    return None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def server_or_skip() -> Path:
    server = find_server() or (find_server() if install("rabbitmq-server") else None)
    return server or do_without(HOW_TO)


class RabbitNode:
    """A node with its own data folder. `start` after `stop` or `kill` goes on with the same data."""

    def __init__(self, server: Path) -> None:
        self.server = server
        self.folder = Path(tempfile.mkdtemp(prefix="duly-rabbitmq-"))
        self.port, self._epmd_port, self._dist_port = free_port(), free_port(), free_port()
        self.name = f"duly{self.port}@localhost"
        self._server: subprocess.Popen[bytes] | None = None
        self._epmd: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self._ready = threading.Event()
        self._write_files()

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    @property
    def pid(self) -> int:
        """The server's first process."""
        assert self._server is not None
        return self._server.pid

    def _write_files(self) -> None:
        cookie = self.folder / ".erlang.cookie"
        cookie.write_text(os.urandom(12).hex().upper())
        cookie.chmod(0o400)
        (self.folder / "plugins").write_text("[].\n")
        (self.folder / "env.conf").write_text("")
        (self.folder / "node.conf").write_text(
            f"listeners.tcp.local = 127.0.0.1:{self.port}\n"
            "disk_free_limit.absolute = 50MB\n"
            "raft.wal_max_size_bytes = 134217728\n"
            "log.console = false\n"
        )

    def _environment(self) -> dict[str, str]:
        folder = str(self.folder)
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("RABBITMQ_", "ERL_", "NOTIFY_"))}
        return inherited | {
            "HOME": folder,
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": self.name,
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_CONF_ENV_FILE": f"{folder}/env.conf",
            "RABBITMQ_CONFIG_FILE": f"{folder}/node.conf",
            "RABBITMQ_MNESIA_BASE": f"{folder}/data",
            "RABBITMQ_LOG_BASE": f"{folder}/log",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/plugins",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 -start_epmd false "
            "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_CTL_ERL_ARGS": "-start_epmd false +S 1:1",
            "RUNNING_UNDER_SYSTEMD": "true",  # the script becomes the node, so that our process id is the node's
        }

    def start(self, seconds: float = 60.0) -> Self:
        """Start and wait until the node itself says that it is ready."""
        self._ready.clear()
        environment = self._environment()
        epmd = shutil.which("epmd") or "epmd"
        self._epmd = subprocess.Popen([epmd, "-port", str(self._epmd_port), "-address", "127.0.0.1"], env=environment)
        self._server = subprocess.Popen(
            [self.server],
            env=environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._guard = subprocess.Popen(
            ["sh", "-c", ORPHANS_DIE, "guard", str(self._server.pid), str(self._epmd.pid)],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert self._server.stdout is not None
        threading.Thread(target=self._listen, args=(self._server.stdout,), daemon=True).start()
        if not self._ready.wait(seconds) or self._server.poll() is not None:
            said = (self.folder / "said.txt").read_text(errors="replace")
            self.kill()
            raise RuntimeError(f"RabbitMQ did not start within {seconds} s; it said: {said[-2000:]}")
        return self

    def _listen(self, output: IO[bytes]) -> None:
        """Keep what the node says; a node that ends without being ready ends the wait too."""
        with output, (self.folder / "said.txt").open("ab", buffering=0) as kept:
            for line in output:
                kept.write(line)
                if READY in line:
                    self._ready.set()
        self._ready.set()

    def stop(self, seconds: float = 20.0) -> None:
        """Stop in order; data stays."""
        if self._server is not None:
            self._server.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._server.wait(seconds)
        self.kill()

    def kill(self) -> None:
        """Stop at once, as a power cut would."""
        if self._guard is not None:
            self._guard.kill()
            self._guard.communicate()
            self._guard = None
        if self._server is not None:
            if self._server.poll() is None:
                os.killpg(self._server.pid, signal.SIGKILL)
            self._server.wait()
            self._server = None
        if self._epmd is not None:
            self._epmd.kill()
            self._epmd.wait()
            self._epmd = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def ctl(self, *arguments: str) -> str:
        """Run rabbitmqctl on this node; about a second."""
        command = [self.server.with_name("rabbitmqctl"), "-q", "-n", self.name, *arguments]
        done = subprocess.run(command, env=self._environment(), capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"rabbitmqctl {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout

    @contextmanager
    def channel(self) -> Iterator[amqp.Channel]:
        """A plain blocking channel, to look at the node from outside."""
        with amqp.Connection(f"127.0.0.1:{self.port}", connect_timeout=5) as connection:
            yield connection.channel()

    def delete_queue(self, name: str) -> None:
        with self.channel() as channel:
            channel.queue_delete(name)

    def delete_all_queues(self) -> None:
        names = self.ctl("list_queues", "name", "--no-table-headers").split()
        with self.channel() as channel:
            for name in names:
                channel.queue_delete(name)

    def queue_depth(self, name: str) -> int:
        """Messages ready in the queue, those delivered and unsettled not counted."""
        with self.channel() as channel:
            return channel.queue_declare(name, passive=True).message_count


@pytest.fixture(scope="session")
def rabbit_node() -> Iterator[RabbitNode]:
    """The session's own RabbitMQ."""
    with RabbitNode(server_or_skip()) as node:
        yield node
