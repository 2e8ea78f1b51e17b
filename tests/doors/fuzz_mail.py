"""Sessions of mail systems over LMTP and SMTP, and what chance makes of them."""

from __future__ import annotations

from tests.doors.fuzz_chance import (
    CANARY,
    Case,
    Chance,
    mutated,
)
from tests.doors.fuzz_http import Known, sender_of


def lmtp(chance: Chance, known: Known) -> Case:  # noqa: ARG001 -- as the others
    """A session over LMTP."""
    return _session("lmtp", chance)


def smtp(chance: Chance, known: Known) -> Case:  # noqa: ARG001 -- as the others
    """A session over SMTP."""
    return _session("smtp", chance)


def _session(protocol: str, chance: Chance) -> Case:
    """Commands and mails; some commands are odd, some mails are; it ends with a goodbye that is always understood."""
    hello = "LHLO" if protocol == "lmtp" else "EHLO"
    lines = [f"{hello} {CANARY}.example".encode()]
    for _ in range(chance.choice((1, 1, 2))):
        content = mutated(_report(chance), chance)
        stuffed = b"\r\n".join(b"." + line if line[:1] == b"." else line for line in content.split(b"\r\n"))
        recipients = [f"RCPT TO:<{sender_of(chance)}>".encode()]
        if protocol == "lmtp" and chance.one_in(9):  # which answers for each; over SMTP one answer is for all
            recipients.append(b"RCPT TO:<postmaster>")
        lines += [b"MAIL FROM:<>", *recipients, b"DATA", stuffed, b"."]
        if chance.one_in(3):
            lines.insert(chance.randrange(1, len(lines)), _command(chance))
        if chance.one_in(6):
            at = chance.randrange(1, len(lines))
            lines[at] = mutated(lines[at], chance)
    raw = b"\r\n".join([*lines, b"", b".", b"QUIT", b""])
    whole = not chance.one_in(15)
    if not whole:
        raw = raw[: raw.find(b"DATA") + chance.randrange(40)]
    return Case(protocol, raw, raw, "127.0.0.1", whole)


_COMMANDS = (
    "NOOP", "RSET", f"VRFY {CANARY}", "HELP", "STARTTLS", "AUTH PLAIN AGEAYg==", "BDAT 9 LAST", "EXPN x",
    "MAIL FROM:<a@b> SIZE=9",
    f"RCPT TO:<{CANARY}@elsewhere.example>", "DATA now", "MAIL FROM:<> BODY=8BITMIME SMTPUTF8",
)  # fmt: skip


def _command(chance: Chance) -> bytes:
    return chance.choice((*(each.encode() for each in _COMMANDS), chance.blob(), b"X" * 3000, b"\0", b"\xff\xfe"))


def _report(chance: Chance) -> bytes:
    head = (
        f"From: MAILER-DAEMON@{CANARY}.example\r\nSubject: {chance.plain()}\r\nX-Failed-Recipients: {CANARY}@b.example"
    )
    return head.encode() + b"\r\n\r\n.\r\n" + chance.blob() + f"\r\nto {sender_of(chance)}\r\n".encode()
