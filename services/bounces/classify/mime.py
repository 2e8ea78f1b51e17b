"""A lenient reader of MIME (RFC 2045, RFC 2046, RFC 6522) for mail that other machines wrote badly.

The standard parser is strict where reports are loose and slow where they are long (the returned mail). This one splits
bytes, never descends into a returned message, and never raises.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass, field

LONGEST_MAIL = 1 << 20
LONGEST_BODY = 96 * 1024
DEEPEST = 6
MOST_PARTS = 40

_BLANK_LINE = re.compile(rb"\n[ \t]*\n")
_HEADER = re.compile(r"([!-9;-~]{1,78})[ \t]*:[ \t]*(.*)", re.DOTALL)
_FOLD = re.compile(r"\n[ \t]+")
_BOUNDARY = re.compile(r"""boundary\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s;]+))""", re.IGNORECASE)
_SNIFFED_BOUNDARY = re.compile(rb"(?:\A|\n)--(\S[^\n]{0,80})\n(?:[^\n:]{0,80}:[^\n]*\n){0,3}?content-", re.IGNORECASE)
_CHARSET = re.compile(r"""charset\s*=\s*["']?([\w.:+-]+)""", re.IGNORECASE)
_ENCAPSULATED = ("message/rfc822", "message/global", "text/rfc822-headers", "text/rfc822-header", "message/partial")


@dataclass(frozen=True, slots=True)
class Part:
    """One entity: its headers (names in lower case, values unfolded, in order), its raw body and its parts."""

    headers: tuple[tuple[str, str], ...]
    body: bytes
    parts: tuple[Part, ...] = field(default=())

    def header(self, name: str) -> str:
        """The first value of the header called `name` (lower case), or an empty string."""
        return next((value for key, value in self.headers if key == name), "")

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of the header called `name` (lower case)."""
        return tuple(value for key, value in self.headers if key == name)

    @property
    def content_type(self) -> str:
        """The media type in lower case; `text/plain` where none is given (RFC 2045, section 5.2)."""
        return self.header("content-type").split(";", 1)[0].strip().lower() or "text/plain"

    @property
    def is_returned_message(self) -> bool:
        """Whether this is the returned message or its headers, which are the sender's words and not the reporter's."""
        return self.content_type in _ENCAPSULATED

    @property
    def charset(self) -> str:
        """The declared charset, or `utf-8`."""
        found = _CHARSET.search(self.header("content-type"))
        return found.group(1) if found else "utf-8"

    def decoded(self) -> bytes:
        """The body with its transfer encoding undone, as far as it can be; at most `LONGEST_BODY` bytes are read."""
        encoding, body = self.header("content-transfer-encoding").strip().lower(), self.body[:LONGEST_BODY]
        if encoding == "base64":
            return _from_base64(body)
        return binascii.a2b_qp(body) if encoding == "quoted-printable" else body

    def leaves(self) -> tuple[Part, ...]:
        """The entities without parts of their own, in order."""
        return tuple(leaf for part in self.parts for leaf in part.leaves()) if self.parts else (self,)


def parse(raw: bytes) -> Part:
    """Reads a whole mail. Line ends may be CRLF, LF or bare CR; an mbox `From ` line is skipped; nothing raises."""
    text = raw[:LONGEST_MAIL].replace(b"\r\n", b"\n").replace(b"\r", b"\n").lstrip(b"\n \t\xef\xbb\xbf")
    if text.startswith((b"From ", b">From ")):
        text = text.partition(b"\n")[2]
    return _entity(text, 0)


def parse_headers(block: bytes) -> tuple[tuple[str, str], ...]:
    """Reads one header block; lines that are no headers are passed over."""
    text = _FOLD.sub(" ", decode(block, "utf-8"))
    found = (_HEADER.fullmatch(line) for line in text.split("\n"))
    return tuple((m.group(1).lower(), m.group(2).strip()) for m in found if m)


def decode(data: bytes, charset: str) -> str:
    """Text from bytes: the declared charset, else UTF-8, else Latin-1, which takes everything."""
    for name in (charset, "utf-8"):
        try:
            return data.decode(name)
        except (LookupError, ValueError):
            continue
    return data.decode("latin-1")


def _entity(text: bytes, depth: int) -> Part:
    head, body = _split_head(text)
    headers = parse_headers(head)
    part = Part(headers, body)
    if depth >= DEEPEST or part.is_returned_message:
        return part
    return Part(headers, body, _parts(part, depth))


def _split_head(text: bytes) -> tuple[bytes, bytes]:
    if text.startswith(b"\n"):
        return b"", text[1:]
    blank = _BLANK_LINE.search(text)
    head, body = (text[: blank.start()], text[blank.end() :]) if blank else (text, b"")
    first = head.split(b"\n", 1)[0]
    return (head, body) if _HEADER.fullmatch(first.decode("latin-1")) else (b"", text)


def _parts(part: Part, depth: int) -> tuple[Part, ...]:
    """Splits at the declared boundary; where it does not occur, at the boundary that the body itself shows."""
    for boundary in (_declared_boundary(part), _sniffed_boundary(part, depth)):
        before, *pieces = _split_at(part.body, boundary) if boundary else [b""]
        if pieces:
            # Of a mail that is no multipart, what comes before is the text, and the parts are those that it returns.
            spoken = () if part.content_type.startswith("multipart/") or not before.strip() else (b"\n" + before,)
            return tuple(_entity(piece, depth + 1) for piece in (*spoken, *pieces[:MOST_PARTS]))
    return ()


def _declared_boundary(part: Part) -> bytes:
    found = _BOUNDARY.search(part.header("content-type")) if part.content_type.startswith("multipart/") else None
    boundary = next((group for group in found.groups() if group), "") if found else ""
    return boundary.strip().encode("utf-8", "replace")


def _sniffed_boundary(part: Part, depth: int) -> bytes:
    if depth and not part.content_type.startswith("multipart/"):
        return b""
    found = _SNIFFED_BOUNDARY.search(part.body[:4096])
    return found.group(1).rstrip() if found else b""


def _split_at(body: bytes, boundary: bytes) -> list[bytes]:
    """What comes before the first delimiter, then the pieces between; what follows the last is often misplaced."""
    pieces = re.split(rb"(?:\A|\n)--" + re.escape(boundary) + rb"(?:--)?[ \t]*(?=\n|\Z)", body)
    return [pieces[0], *(piece[1:] for piece in pieces[1:] if piece.strip())]


def _from_base64(body: bytes) -> bytes:
    clean = re.sub(rb"[^A-Za-z0-9+/]", b"", body)
    try:
        return binascii.a2b_base64(clean + b"=" * (-len(clean) % 4))
    except binascii.Error:
        return binascii.a2b_base64(clean[: len(clean) // 4 * 4])
