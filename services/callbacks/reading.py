"""JSON from outside (RFC 8259): read without trust, its elements as they were written, its texts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

_BLANK = re.compile(r"[ \t\r\n]*")
_BETWEEN = re.compile(r"[ \t\r\n]*,?[ \t\r\n]*")
_MOST_ELEMENTS = 10_000


def parsed(body: bytes) -> object:
    """What the bytes say, or None if they are not JSON in UTF-8 (or say null)."""
    try:
        return json.loads(body.decode())
    except (ValueError, RecursionError):
        return None


def elements(body: bytes) -> list[tuple[bytes, object]]:
    """The elements of an array, each as it was written and what it says; none if it is no array that can be read."""
    try:
        return list(_elements(body.decode()))
    except (ValueError, IndexError, RecursionError):
        return []


def _elements(text: str) -> Iterator[tuple[bytes, object]]:
    decoder = json.JSONDecoder()
    at = _after(_BLANK, text, 0)
    if text[at] != "[":
        raise ValueError("not an array")
    at = _after(_BLANK, text, at + 1)
    for _ in range(_MOST_ELEMENTS + 1):
        if text[at] == "]":
            if _after(_BLANK, text, at + 1) < len(text):
                raise ValueError("more after the array")
            return
        told, end = decoder.raw_decode(text, at)
        yield text[at:end].encode(), told
        at = _after(_BETWEEN, text, end)
    raise ValueError(f"more than {_MOST_ELEMENTS} elements")


def _after(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at


def texts_of(told: object) -> list[str]:
    """Every text in it, keys and values, in the order in which they stand."""
    found: list[str] = []
    left = [told]
    while left:
        each = left.pop()
        if isinstance(each, str):
            found.append(each)
        elif isinstance(each, dict):
            left += [part for pair in reversed(each.items()) for part in reversed(pair)]
        elif isinstance(each, list):
            left += reversed(each)
    return found
