"""smtp_sink - a fast real SMTP server that writes down what it took, and misbehaves on command.

    python -m tests.rig.smtp_sink --port 0 --log FILE [--keep] [--user NAME:PASSWORD]
                                  [--tls starttls|implicit --certificate FILE --key FILE]

Prints one JSON line `{"port": …, "control": …}` when ready. Appends one JSON line a mail to the log (O_APPEND, before
the reply leaves, so that a kill loses nothing that was answered):

    {"at": seconds, "sender": …, "recipient": …, "message_id": …, "outcome": "accepted" | "refused" | "dropped",
     "phase": "rcpt" | "data" | "dot", "reply": "250 …", "size": bytes, "content": only with --keep}

The control port takes one JSON line a command and answers one: `{"do": "rule", …}` adds a rule and answers its `id`,
`{"do": "clear"}` ends all misbehaviour, `{"do": "stats"}` answers counts, `{"do": "disconnect"}` drops every
connection.

A rule: `at` (connect, ehlo, starttls, auth, mail, rcpt, data, dot, rset), `match` (a shell pattern on the recipient;
for auth on the user, for mail on the envelope sender), `reply` (the line to say; empty keeps silent), `after` (seconds
before saying it), `drop` (close after it, or instead of it if there is no reply), `accept` (after the dot: log as
accepted although the reply says otherwise or never comes), `times` (how often; without it for ever). The newest
matching rule holds. With a 250 `after` some seconds the mail is logged at once: it was taken when the dot came.

Standards: RFC 5321, 3207, 4954, 1870, 6152.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class SinkProcess:
    """The sink in a process of its own. `log` survives stop, kill and start again."""

    def __init__(self, folder: Path, *, keep: bool = False, user: str = "", tls: str = "", port: int = 0) -> None:
        self.folder = folder
        self.log = folder / "sink.jsonl"
        self.keep, self.user, self.tls = keep, user, tls
        self.host = "127.0.0.1"
        self.port = port
        self.process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    @property
    def certificate(self) -> Path:
        """The self-made certificate for 127.0.0.1, which is its own authority."""
        return self.folder / "sink.pem"

    def start(self) -> SinkProcess:
        """Start it, on the same port as before if it ran before; returns when it listens."""
        arguments = [sys.executable, "-m", "tests.rig.smtp_sink", "--port", str(self.port), "--log", str(self.log)]
        arguments += ["--keep"] if self.keep else []
        arguments += ["--user", self.user] if self.user else []
        if self.tls:
            key = self._certify()
            arguments += ["--tls", self.tls, "--certificate", str(self.certificate), "--key", str(key)]
        root = Path(__file__).parents[2]
        self.process = subprocess.Popen(arguments, stdout=subprocess.PIPE, cwd=root)
        assert self.process.stdout is not None
        ports = json.loads(self.process.stdout.readline())
        self.port = ports["port"]
        self._control = socket.create_connection((self.host, ports["control"]))
        return self

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it; `SIGKILL` for a crash."""
        if self._control is not None:
            self._control.close()
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(10)
            assert self.process.stdout is not None
            self.process.stdout.close()
        self.process = self._control = None

    def control(self, **command: object) -> dict[str, Any]:
        """Say one command, return its answer."""
        assert self._control is not None
        self._control.sendall(json.dumps(command).encode() + b"\n")
        answer = b""
        while not answer.endswith(b"\n"):
            answer += self._control.recv(65536)
        told: dict[str, Any] = json.loads(answer)
        assert "error" not in told, told["error"]
        return told

    def misbehave(self, at: str, reply: str = "", **rule: object) -> None:
        """Add a rule: `sink.misbehave("rcpt", "550 5.1.1 unknown", match="nobody@*")`."""
        self.control(do="rule", at=at, reply=reply, **rule)

    def behave(self) -> None:
        """End all misbehaviour."""
        self.control(do="clear")

    def stats(self) -> dict[str, Any]:
        """Counts: connections, open, accepted, refused, dropped, rset, quit, most_at_once by domain."""
        return Counter(self.control(do="stats"))

    def entries(self) -> list[dict[str, Any]]:
        """Every line of the log: accepted, refused and dropped."""
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []

    def mails(self) -> list[dict[str, Any]]:
        """What the sink took: the judge of "no mail lost, duplicates bounded, one Message-ID"."""
        return [entry for entry in self.entries() if entry["outcome"] == "accepted"]

    def _certify(self) -> Path:
        key = self.folder / "sink.key"
        if not key.exists():
            command = (
                "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=sink.test"
            )
            names = ["-addext", "subjectAltName=IP:127.0.0.1"]
            files = ["-keyout", str(key), "-out", str(self.certificate)]
            subprocess.run([*command.split(), *names, *files], check=True, capture_output=True)
        return key


def main() -> None:
    parser = argparse.ArgumentParser(description="A real SMTP sink that misbehaves on command.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--log", required=True)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--user", default="")
    parser.add_argument("--tls", choices=["starttls", "implicit"], default="")
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    from tests.rig.smtp_dialogue import serve  # noqa: PLC0415 -- only the server needs it

    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
else:
    import pytest  # not in the server: it would take half a second to start

    @pytest.fixture(name="smtp_sink")
    def running_smtp_sink(tmp_path: Path) -> Iterator[SinkProcess]:
        """A well-behaved plain sink that keeps contents."""
        sink = SinkProcess(tmp_path, keep=True).start()
        yield sink
        sink.stop()
