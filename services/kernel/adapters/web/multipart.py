"""Forms with files, read as they stream in: no part is ever held whole.

Standards: RFC 7578 (multipart/form-data), HTML.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import TypeAlias

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import ClientDisconnect, Request

from services.kernel.adapters.web.limits import BodyTooLong

_DRAIN_SECONDS = 300.0
_MOST_FIELDS = 1_000
"""Each costs work that its few bytes do not show."""
_READ = "form_is_read"
"""On the request: its body has come to its end, and nothing more will come."""


class FormBroken(Exception):
    """The form broke off, or is none."""

    public = True


@dataclass(frozen=True, slots=True)
class PartBegan:
    """A field begins; `filename` is None unless it is a file."""

    name: str
    filename: str | None


@dataclass(frozen=True, slots=True)
class PartCame:
    """Some of its bytes."""

    data: bytes


@dataclass(frozen=True, slots=True)
class PartEnded:
    """It is complete."""


FormEvent: TypeAlias = PartBegan | PartCame | PartEnded


async def form_events(request: Request, *, most: int, patience: float) -> AsyncGenerator[FormEvent, None]:
    """What comes in, piece by piece; ends when the form is complete.

    `most` bytes at most; `patience` is how many seconds the sender may pause.

    Raises:
        FormBroken: it broke off, paused too long, or is no form.
        BodyTooLong: it is longer.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not boundary:
        raise FormBroken("no multipart form")
    reader, taken = _Reader(boundary), 0
    async for chunk in _chunks(request, patience):
        taken += len(chunk)
        if taken > most:
            raise BodyTooLong(f"more than {most} bytes")
        for event in reader.read(chunk):
            yield event
    if not reader.complete:
        raise FormBroken("broke off")


async def drain(request: Request, most: int, patience: float) -> None:
    """Read away what still comes, up to a limit: a browser that is cut off while it sends shows no page of ours."""
    left = most
    with contextlib.suppress(FormBroken, TimeoutError):
        async with asyncio.timeout(_DRAIN_SECONDS):
            async for chunk in _chunks(request, patience):
                left -= len(chunk)
                if left < 0:
                    return


async def _chunks(request: Request, patience: float) -> AsyncIterator[bytes]:
    receive = request.receive
    while not getattr(request.state, _READ, False):
        try:
            async with asyncio.timeout(patience):
                message = await receive()
        except TimeoutError:
            raise FormBroken("paused too long") from None
        except ClientDisconnect:
            raise FormBroken("broke off") from None
        if message["type"] != "http.request":
            raise FormBroken("broke off")
        if not message.get("more_body", False):
            setattr(request.state, _READ, True)
        if message.get("body"):
            yield message["body"]


class _Reader:
    """The parser, with what it found since it was last asked."""

    def __init__(self, boundary: bytes) -> None:
        self.complete = False
        self._begun = 0
        self._found: list[FormEvent] = []
        self._name = self._value = b""
        self._headers: dict[bytes, bytes] = {}
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._headers.clear,
                    "on_header_begin": self._header_began,
                    "on_header_field": self._header_name,
                    "on_header_value": self._header_value,
                    "on_header_end": self._header_ended,
                    "on_headers_finished": self._began,
                    "on_part_data": self._came,
                    "on_part_end": lambda: self._found.append(PartEnded()),
                    "on_end": self._ended,
                },
            )
        except FormParserError:
            raise FormBroken("no multipart form") from None

    def read(self, chunk: bytes) -> list[FormEvent]:
        """What this chunk brings."""
        try:
            self._parser.write(chunk)
        except FormParserError:
            raise FormBroken("not as a form should be") from None
        found, self._found = self._found, []
        return found

    def _header_began(self) -> None:
        self._name = self._value = b""

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_ended(self) -> None:
        self._headers[self._name.lower()] = self._value

    def _began(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        name, filename = options.get(b"name"), options.get(b"filename")
        self._begun += 1
        if self._begun > _MOST_FIELDS:
            raise FormBroken("more fields than any form has")
        if name is None:
            raise FormBroken("a field without a name")
        shown = None if filename is None else filename.decode(errors="replace")
        self._found.append(PartBegan(name.decode(errors="replace"), shown))

    def _came(self, data: bytes, start: int, end: int) -> None:
        self._found.append(PartCame(bytes(data[start:end])))

    def _ended(self) -> None:
        self.complete = True
