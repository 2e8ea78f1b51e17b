"""How a request looks on the wire: odd hosts, headers and paths, chunks, lengths that lie, bodies that break off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import quote
from uuid import UUID

from services.kernel.domain.verp import envelope_sender, token
from tests.doors.fuzz_chance import (
    CANARY,
    DOMAIN,
    KEYRING,
    Case,
    Chance,
    Headers,
)


def framed(
    method: str, path: str, headers: dict[str, str] | Headers, body: bytes, chance: Chance
) -> tuple[bytes, bool]:
    """The request as bytes, and whether it is whole: some are chunked, some break off or lie about their length."""
    pairs = (
        [(name.encode(), value.encode()) for name, value in headers.items()] if isinstance(headers, dict) else headers
    )
    lines = [f"{method} {path} HTTP/1.1".encode("utf-8", "replace"), *_host(chance)]
    lines += [name + b": " + value for name, value in (*pairs, *_odd_headers(chance))]
    way = chance.randrange(40)
    if way < 4:
        chunks = [body[at : at + 700] for at in range(0, len(body), 700)]
        body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + (b"0\r\n\r\n" if way else b"")
        return b"\r\n".join([*lines, b"Transfer-Encoding: chunked", b"", body]), way > 0
    length = len(body) + (chance.randrange(1, 99) if way == 4 else 0)
    raw = b"\r\n".join([*lines, b"Content-Length: %d" % length, b"", body])
    return raw, way != 4


def _host(chance: Chance) -> list[bytes]:
    odd = (b"Host: [", b"Host: " + chance.blob(), b"Host: a@b:99999999", b"Host: \xff", b"Host: x\r\nHost: y", b"X: ")
    return [chance.choice(odd)] if chance.one_in(25) else [b"Host: localhost"]


_NAMES = (
    b"content-type", b"cookie", b"x-forwarded-for", b"expect", b"accept-language", b"if-none-match", b"traceparent",
    b"ce-id", b"ce-data", b"origin", b"sec-fetch-site", b"range", b"content-encoding", b"upgrade", b"authorization",
    b"duly-signature", b"x-twilio-email-event-webhook-signature", b"duly-timestamp", b"x-api-key", b"connection",
)  # fmt: skip
_VALUES = (
    b"",
    b"100-continue",
    b"\xff\xfe",
    b"gzip",
    b"bytes=0-",
    b"*",
    b"websocket",
    b"close",
    b"text/html; charset=\xff",
)


def _odd_headers(chance: Chance) -> Headers:
    canary = (b"x-note", f"{CANARY} {chance.randrange(9)}".encode())
    if not chance.one_in(4):
        return [canary]
    return [(chance.choice(_NAMES), chance.choice((*_VALUES, chance.blob(), b"9" * 5000))), canary]


def path_of(chance: Chance, *known: str) -> str:
    """A path that is known, or nearly."""
    if chance.one_in(12):
        return "/" + quote(chance.text().encode("utf-8", "replace"), safe="/?&=%;")
    path = chance.choice(known)
    return path + quote(chance.plain(), safe="/?&=") if chance.one_in(25) else path


METHODS = ("POST",) * 60 + ("GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE")


@dataclass
class Known:
    """What the cases may name: notices, sessions, links; and what has been sent, to be sent again."""

    notices: Sequence[UUID] = ()
    sessions: Sequence[tuple[str, str]] = ()
    """Cookie and form token of each."""
    officers: Sequence[tuple[str, str]] = ()
    """The same of those who are signed in to the console."""
    links: Sequence[str] = ()
    """To files that were given, as a page leads to them."""
    answers: Sequence[dict[str, str]] = ()
    """What stands in paths for answers that were given."""
    sent: list[Case] = field(default_factory=list)


def client_of(chance: Chance) -> str:
    return f"10.{chance.randrange(256)}.{chance.randrange(256)}.{chance.randrange(256)}"


def sender_of(chance: Chance) -> str:
    return envelope_sender(token(chance.uuid(), KEYRING), DOMAIN)
