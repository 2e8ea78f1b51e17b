"""Named SQL: each statement in `sql/*.sql` follows a line `-- name: …` and a line that says what it does."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


@cache
def queries() -> dict[str, str]:
    """Every statement by name, read once.

    Raises:
        ValueError: two statements share a name.
    """
    found: dict[str, str] = {}
    for path in sorted(Path(__file__).with_name("sql").glob("*.sql")):
        parts = _NAME.split(path.read_text(encoding="utf-8"))
        for name, text in zip(parts[1::2], parts[2::2], strict=True):
            if name in found:
                raise ValueError(f"{path.name}: the statement {name} exists already")
            found[name] = text.strip().rstrip(";")
    return found


def sql(name: str) -> str:
    """One statement by its name."""
    return queries()[name]
