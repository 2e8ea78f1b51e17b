"""Forms with files as they stream in: whatever comes is read piece by piece or refused, and nothing else happens."""

from __future__ import annotations

import asyncio
import zipfile
from collections.abc import Sequence
from io import BytesIO
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request

from services.inbox.file_types import TYPES, Probe, is_document
from services.kernel.adapters.web import multipart
from services.kernel.adapters.web.limits import BodyTooLong
from services.kernel.adapters.web.multipart import FormBroken, PartBegan, PartCame, PartEnded, drain, form_events

FORM = (
    b'--b\r\nContent-Disposition: form-data; name="csrf"\r\n\r\ntoken\r\n'
    b'--b\r\nContent-Disposition: form-data; name="files"; filename="d\xc5\xb5r.pdf"\r\nContent-Type: x/y\r\n\r\n'
    b"one\r\n--tw\r\no\r\n--b--\r\n"
)


def request(chunks: Sequence[bytes], kind: str = "multipart/form-data; boundary=b") -> Request:
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    messages.append({"type": "http.disconnect"} if not chunks else {"type": "http.request", "more_body": False})

    async def receive() -> Any:
        return messages.pop(0)

    scope = {"type": "http", "method": "POST", "headers": [(b"content-type", kind.encode("latin-1"))]}
    return Request(scope, receive)


def events(chunks: Sequence[bytes], most: int = 10_000, **more: Any) -> list[Any]:
    async def collected() -> list[Any]:
        return [event async for event in form_events(request(chunks, **more), most=most, patience=1)]

    return asyncio.run(collected())


def whole(chunks: Sequence[bytes]) -> list[tuple[str, str | None, bytes]]:
    """The fields of a form, each with all its bytes."""
    found: list[tuple[str, str | None, bytes]] = []
    for event in events(chunks, most=100_000):
        match event:
            case PartBegan(name, filename):
                found.append((name, filename, b""))
            case PartCame(data):
                name, filename, so_far = found.pop()
                found.append((name, filename, so_far + data))
            case PartEnded():
                pass
    return found


@given(st.lists(st.integers(1, len(FORM) - 1), max_size=20))
def test_a_form_is_the_same_however_it_is_cut(cuts: list[int]) -> None:
    places = [0, *sorted(set(cuts)), len(FORM)]
    chunks = [FORM[start:end] for start, end in pairwise(places)]
    assert whole(chunks) == [("csrf", None, b"token"), ("files", "dŵr.pdf", b"one\r\n--tw\r\no")]


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=5))
@settings(max_examples=300)
def test_whatever_comes_is_read_or_refused(chunks: list[bytes]) -> None:
    for kind in ("multipart/form-data; boundary=b", "multipart/form-data; boundary=" + "b" * 300, "text/plain", ""):
        with pytest.raises(FormBroken):
            events([b"--b\r\n", *chunks], kind=kind)


@given(st.integers(1, len(FORM) - 5))
def test_a_form_that_breaks_off_is_broken_wherever_it_does(at: int) -> None:
    with pytest.raises(FormBroken):
        events([FORM[:at]])


def test_no_more_is_read_than_may_come() -> None:
    with pytest.raises(BodyTooLong):
        events([FORM], most=len(FORM) - 1)


def test_a_form_of_very_many_fields_is_none() -> None:
    field = b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n\r\n'
    assert len(whole([field * 1_000 + b"--b--\r\n"])) == 1_000
    with pytest.raises(FormBroken):
        events([field * 1_001 + b"--b--\r\n"], most=100_000)


def test_what_drips_is_not_read_away_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multipart, "_DRAIN_SECONDS", 0.05)

    async def receive() -> Any:
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b"x", "more_body": True}

    asyncio.run(asyncio.wait_for(drain(Request({"type": "http", "headers": []}, receive), 10_000, 1), 5))


@given(st.binary(max_size=2_000), st.sampled_from(sorted(TYPES)))
def test_no_content_breaks_the_look_at_it(content: bytes, extension: str) -> None:
    kind = TYPES[extension]
    probe = Probe(kind)
    for start in range(0, len(content), 7):
        probe.see(content[start : start + 7])
    probe.end()
    assert not is_document(content, kind), "no such thing comes about by chance"


@pytest.mark.parametrize("compression", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_a_document_that_is_compressed_as_none_is_is_refused_unread(compression: int) -> None:
    kind, packed = TYPES["docx"], BytesIO()
    with zipfile.ZipFile(packed, "w", compression) as archive:
        archive.writestr("[Content_Types].xml", kind.says * 50)
    content = bytearray(packed.getvalue())
    assert not is_document(bytes(content), kind)
    content[content.index(b"[Content_Types].xml") + 23] = 0xFF  # what its LZMA says of itself
    assert not is_document(bytes(content), kind)


def test_a_damaged_document_is_refused_wherever_it_is_damaged() -> None:
    kind, packed = TYPES["docx"], BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", kind.says * 20)
        archive.writestr("word/document.xml", "<x/>")
    sound = packed.getvalue()
    assert is_document(sound, kind)
    for at in range(len(sound)):
        for mask in (0x01, 0x80, 0xFF):
            damaged = bytearray(sound)
            damaged[at] ^= mask
            is_document(bytes(damaged), kind)  # never raises: some damage does not matter
