"""What differs between two messages, and whether the law rests on it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from schemas.catalogue import CATALOGUE


@dataclass(frozen=True, slots=True)
class Changed:
    """One path whose value differs ("data.values.amount"), as JSON text; None where it is not there."""

    path: str
    before: str | None
    after: str | None
    locked: bool


def diff(before: bytes, after: bytes, kind: str) -> tuple[Changed, ...]:
    """What differs between two bodies of this message type, by path; nothing where one of them is no JSON object.

    Locked is all but what the type's entry in the catalogue names as mendable, and what lies within that; a field of
    the data that the type does not know may be taken out, as it says nothing.
    """
    old, new = _object(before), _object(after)
    if old is None or new is None:
        return ()
    was, now = dict(_leaves(old)), dict(_leaves(new))
    paths = [*was, *(path for path in now if path not in was)]
    return tuple(
        Changed(path, was.get(path), now.get(path), _is_locked(path, kind, gone=path not in now))
        for path in paths
        if was.get(path) != now.get(path)
    )


def _is_locked(path: str, kind: str, *, gone: bool) -> bool:
    entry = CATALOGUE.get(kind)
    if entry is None or not path.startswith("data."):
        return True
    inner = path.removeprefix("data.")
    if gone and inner.partition(".")[0] not in entry.model.model_fields:
        return False
    return not any(inner == name or inner.startswith(f"{name}.") for name in entry.mendable)


def _object(body: bytes) -> dict[str, object] | None:
    try:
        read = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return read if isinstance(read, dict) else None


def _leaves(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Every value that holds no others, by its path; an empty object or list is a value."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list) and value:
        for number, inner in enumerate(value):
            yield from _leaves(inner, f"{path}.{number}" if path else str(number))
    else:
        yield path, json.dumps(value, ensure_ascii=False)
