"""What differs between two messages, and whether the law rests on it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from schemas.catalogue import CATALOGUE

_Path: TypeAlias = tuple[str | int, ...]
"""Names and positions apart, so that no name that a sender makes up passes for another place."""


@dataclass(frozen=True, slots=True)
class Changed:
    """One path whose value differs ("data.values.amount"), as JSON text; None where it is not there.

    A name with a dot in it stands in quotes.
    """

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
        Changed(_shown(path), was.get(path), now.get(path), _is_locked(path, kind, gone=path not in now))
        for path in paths
        if was.get(path) != now.get(path)
    )


def repeated(body: bytes) -> tuple[str, ...]:
    """Names that stand twice in one object, of which readers take one or the other; none where it is no JSON."""
    found: list[str] = []

    def paired(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found.extend(name for name, number in Counter(name for name, _ in pairs).items() if number > 1)
        return dict(pairs)

    try:
        json.loads(body, object_pairs_hook=paired)
    except (ValueError, RecursionError):
        return ()
    return tuple(dict.fromkeys(found))


def _shown(path: _Path) -> str:
    plain = (
        json.dumps(part, ensure_ascii=False) if isinstance(part, str) and "." in part else str(part) for part in path
    )
    return ".".join(plain)


def _is_locked(path: _Path, kind: str, *, gone: bool) -> bool:
    entry = CATALOGUE.get(kind)
    if entry is None or len(path) == 1 or path[0] != "data":
        return True
    inner = path[1:]
    if gone and inner[0] not in entry.model.model_fields:
        return False
    mendable = (tuple(name.split(".")) for name in entry.mendable)
    return not any(inner[: len(name)] == name for name in mendable)


def _object(body: bytes) -> dict[str, object] | None:
    try:
        read = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return read if isinstance(read, dict) else None


def _leaves(value: object, path: _Path = ()) -> Iterator[tuple[_Path, str]]:
    """Every value that holds no others, by its path; an empty object or list is a value."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _leaves(inner, (*path, name))
    elif isinstance(value, list) and value:
        for number, inner in enumerate(value):
            yield from _leaves(inner, (*path, number))
    else:
        yield path, json.dumps(value, ensure_ascii=False)
