"""The server side of the SMTP sink: its dialogue, rules, log and control port. `smtp_sink` tells what they mean."""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import signal
import ssl
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

_GOOD = {
    "connect": "220 sink.test ESMTP",
    "mail": "250 2.1.0 sender ok",
    "rcpt": "250 2.1.5 recipient ok",
    "data": "354 go ahead",
    "dot": "250 2.0.0 taken",
    "rset": "250 2.0.0 reset",
    "starttls": "220 2.0.0 go ahead",
    "quit": "221 2.0.0 bye",
}


@dataclass(slots=True)
class Rule:
    at: str
    match: str = "*"
    reply: str = ""
    after: float = 0.0
    drop: bool = False
    accept: bool = False
    times: int | None = None


@dataclass(slots=True)
class Options:
    log: int
    keep: bool
    user: str
    tls: str
    context: ssl.SSLContext | None


@dataclass(slots=True)
class Ledger:
    """What the sink saw, and how it is told to behave."""

    rules: dict[int, Rule] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    at_once: Counter[str] = field(default_factory=Counter)
    most_at_once: dict[str, int] = field(default_factory=dict)
    open: set[Dialogue] = field(default_factory=set)
    last: int = 0

    def rule(self, at: str, name: str) -> Rule | None:
        for number in sorted(self.rules, reverse=True):
            rule = self.rules[number]
            if rule.at == at and fnmatchcase(name, rule.match):
                if rule.times is not None:
                    rule.times -= 1
                    if rule.times <= 0:
                        del self.rules[number]
                return rule
        return None

    def begin(self, domain: str) -> None:
        self.at_once[domain] += 1
        self.most_at_once[domain] = max(self.most_at_once.get(domain, 0), self.at_once[domain])

    def stats(self) -> dict[str, Any]:
        return {**self.counts, "open": len(self.open), "most_at_once": self.most_at_once}


class Dialogue(asyncio.Protocol):
    """One connection."""

    def __init__(self, options: Options, ledger: Ledger) -> None:
        self.options = options
        self.ledger = ledger
        self.transport: asyncio.Transport | None = None
        self.buffer = bytearray()
        self.sender = self.recipient = ""
        self.in_data = self.busy = self.secure = False
        self.login: list[str] | None = None

    # --- the connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        if self.secure:  # the same dialogue goes on after STARTTLS
            return
        self.ledger.open.add(self)
        self.ledger.counts["connections"] += 1
        self.answer("connect", "")

    def connection_lost(self, _exc: Exception | None) -> None:
        self.ledger.open.discard(self)
        self.finish()
        self.transport = None

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while not self.busy and self.transport is not None and self.step():
            pass

    def step(self) -> bool:
        """Take one command or one content from the buffer; say whether there was one."""
        if self.in_data:
            end = 0 if self.buffer.startswith(b".\r\n") else self.buffer.find(b"\r\n.\r\n")
            if end < 0:
                return False
            skip = 3 if end == 0 and self.buffer.startswith(b".\r\n") else 5
            content = bytes(self.buffer[: end + skip - 3])
            del self.buffer[: end + skip]
            self.taken(content)
            return True
        end = self.buffer.find(b"\n")
        if end < 0:
            return False
        line = self.buffer[:end].rstrip(b"\r").decode("utf-8", "replace")
        del self.buffer[: end + 1]
        self.command(line)
        return True

    # --- the commands

    def command(self, line: str) -> None:
        if self.login is not None:
            self.login.append(line)
            return self.authenticate()
        verb, _, rest = line.partition(" ")
        handler: Callable[[str], None] | None = getattr(self, f"do_{verb.lower()}", None)
        if handler is None:
            return self.say("500 5.5.2 unknown command")
        return handler(rest)

    def do_ehlo(self, rest: str) -> None:
        offers = ["sink.test", "SIZE 10485760", "8BITMIME", "ENHANCEDSTATUSCODES"]
        if self.options.tls == "starttls" and not self.secure:
            offers.append("STARTTLS")
        if self.options.user:
            offers.append("AUTH PLAIN LOGIN")
        lines = [f"250-{offer}" for offer in offers[:-1]] + [f"250 {offers[-1]}"]
        self.answer("ehlo", rest, good="\r\n".join(lines))

    do_helo = do_ehlo

    def do_starttls(self, _: str) -> None:
        if self.options.context is None or self.options.tls != "starttls" or self.secure:
            return self.say("503 5.5.1 not now")
        return self.answer("starttls", "", then=self.upgrade)

    def upgrade(self) -> None:
        self.busy = self.secure = True
        self.buffer.clear()  # RFC 3207 section 4.2: nothing said in clear counts any more
        loop = asyncio.get_running_loop()

        async def shake() -> None:
            assert self.transport is not None
            assert self.options.context is not None
            try:
                secured = await loop.start_tls(self.transport, self, self.options.context, server_side=True)
            except (OSError, ssl.SSLError):
                return
            self.transport = secured
            self.busy = False
            self.data_received(b"")  # what came while the handshake ended

        self.shaking = loop.create_task(shake())

    def do_auth(self, rest: str) -> None:
        self.login = rest.split()
        self.login[0] = self.login[0].upper()
        self.authenticate()

    def authenticate(self) -> None:
        words = self.login or []
        wanted = 2 if words[0] == "PLAIN" else 3
        if len(words) < wanted:
            return self.say("334 " + ("" if wanted == 2 else ["VXNlcm5hbWU6", "UGFzc3dvcmQ6"][len(words) - 1]))
        self.login = None
        told = [base64.b64decode(word).decode() for word in words[1:]]
        given = told[0].split("\0")[1:] if wanted == 2 else told
        right = ":".join(given) == self.options.user
        return self.answer("auth", given[0], good="235 2.7.0 welcome" if right else "535 5.7.8 wrong credentials")

    def do_mail(self, rest: str) -> None:
        self.sender = rest.partition("<")[2].partition(">")[0]
        self.answer("mail", self.sender)

    def do_rcpt(self, rest: str) -> None:
        recipient = rest.partition("<")[2].partition(">")[0]

        def accept() -> None:
            self.recipient = recipient
            self.ledger.begin(recipient.rpartition("@")[2].lower())

        self.answer(
            "rcpt",
            recipient,
            then=accept,
            refused=lambda reply: self.write_down("refused", "rcpt", reply, b"", recipient),
        )

    def do_data(self, _: str) -> None:
        if not self.recipient:
            return self.say("503 5.5.1 RCPT first")

        def begin() -> None:
            self.in_data = True

        return self.answer(
            "data", self.recipient, then=begin, refused=lambda reply: self.write_down("refused", "data", reply, b"")
        )

    def do_rset(self, _: str) -> None:
        self.ledger.counts["rset"] += 1
        self.finish()
        self.answer("rset", "")

    def do_noop(self, _: str) -> None:
        self.say("250 2.0.0 ok")

    def do_quit(self, _: str) -> None:
        self.ledger.counts["quit"] += 1
        self.say(_GOOD["quit"])
        if self.transport is not None:
            self.transport.close()

    def taken(self, content: bytes) -> None:
        """The final dot has come: write down, then answer."""
        self.in_data = False
        rule = self.ledger.rule("dot", self.recipient) if self.ledger.rules else None
        reply = rule.reply if rule else _GOOD["dot"]
        accepted = reply.startswith("2") or (rule is not None and rule.accept)
        self.write_down("accepted" if accepted else "refused" if reply else "dropped", "dot", reply, content)
        self.perform(rule, reply, then=self.finish)

    def write_down(self, outcome: str, phase: str, reply: str, content: bytes, recipient: str = "") -> None:
        self.ledger.counts[outcome] += 1
        line: dict[str, Any] = {
            "at": time.time(),
            "sender": self.sender,
            "recipient": recipient or self.recipient,
            "message_id": _message_id(content),
            "outcome": outcome,
            "phase": phase,
            "reply": reply,
            "size": len(content),
        }
        if self.options.keep:
            line["content"] = base64.b64encode(_unstuffed(content)).decode()
        os.write(self.options.log, json.dumps(line).encode() + b"\n")

    def finish(self) -> None:
        if self.recipient:
            self.ledger.at_once[self.recipient.rpartition("@")[2].lower()] -= 1
        self.sender = self.recipient = ""

    # --- the answers

    def answer(
        self,
        at: str,
        name: str,
        good: str = "",
        then: Callable[[], None] | None = None,
        refused: Callable[[str], None] | None = None,
    ) -> None:
        rule = self.ledger.rule(at, name) if self.ledger.rules else None
        reply = rule.reply if rule else good or _GOOD[at]
        fine = reply[:1] in {"2", "3"}
        if not fine and refused is not None:
            refused(reply)
        self.perform(rule, reply, then=then if fine else None)

    def perform(self, rule: Rule | None, reply: str, then: Callable[[], None] | None) -> None:
        if rule is not None and rule.after:
            self.busy = True
            asyncio.get_running_loop().call_later(rule.after, self.resume, rule, reply, then)
        else:
            self.speak(rule, reply, then)

    def resume(self, rule: Rule, reply: str, then: Callable[[], None] | None) -> None:
        self.busy = False
        self.speak(rule, reply, then)
        self.data_received(b"")

    def speak(self, rule: Rule | None, reply: str, then: Callable[[], None] | None) -> None:
        if reply:
            self.say(reply)
        if then is not None:
            then()
        if rule is not None and rule.drop and self.transport is not None:
            self.transport.close() if reply else self.transport.abort()

    def say(self, reply: str) -> None:
        if self.transport is not None:
            self.transport.write(reply.encode() + b"\r\n")


def _message_id(content: bytes) -> str:
    head = content[: content.find(b"\r\n\r\n") + 2]
    at = head.lower().find(b"message-id:")
    return head[at + 11 :].split(b"\r\n", 1)[0].strip().decode("utf-8", "replace") if at >= 0 else ""


def _unstuffed(content: bytes) -> bytes:
    return (content[1:] if content.startswith(b".") else content).replace(b"\r\n..", b"\r\n.")


async def _control(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, ledger: Ledger) -> None:
    while line := await reader.readline():
        try:
            answer = _obey(json.loads(line), ledger)
        except (ValueError, TypeError, KeyError) as error:
            answer = {"error": str(error)}
        writer.write(json.dumps(answer).encode() + b"\n")
    writer.close()


def _obey(command: dict[str, Any], ledger: Ledger) -> dict[str, Any]:
    match command.pop("do"):
        case "rule":
            ledger.last += 1
            ledger.rules[ledger.last] = Rule(**command)
            return {"id": ledger.last}
        case "clear":
            ledger.rules.clear()
        case "disconnect":
            for dialogue in list(ledger.open):
                if dialogue.transport is not None:
                    dialogue.transport.abort()
        case "stats":
            return ledger.stats()
        case other:
            raise ValueError(f"unknown command {other!r}")
    return {}


async def serve(arguments: argparse.Namespace) -> None:
    context = None
    if arguments.tls:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(arguments.certificate, arguments.key)
    log = os.open(arguments.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    options = Options(log, arguments.keep, arguments.user, arguments.tls, context)
    ledger = Ledger()
    loop = asyncio.get_running_loop()
    implicit = context if arguments.tls == "implicit" else None
    server = await loop.create_server(
        lambda: Dialogue(options, ledger), "127.0.0.1", arguments.port, ssl=implicit, backlog=1024
    )
    control = await asyncio.start_server(lambda reader, writer: _control(reader, writer, ledger), "127.0.0.1", 0)
    ports = {"port": server.sockets[0].getsockname()[1], "control": control.sockets[0].getsockname()[1]}
    print(json.dumps(ports), flush=True)  # noqa: T201 -- the ready signal
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
