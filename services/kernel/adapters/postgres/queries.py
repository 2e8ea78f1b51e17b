"""Named SQL: each statement in `sql/*.sql` follows a line `-- name: …` and a line that says what it does.

What several statements share is a fragment: it follows a line `-- fragment: …`, and `{{its_name}}` stands for it in
statements and fragments of all files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

_NAME = re.compile(r"^-- (name|fragment): (\w+)\n", re.MULTILINE)
_FRAGMENT = re.compile(r"\{\{(\w+)\}\}")


@cache
def queries() -> dict[str, str]:
    """Every statement by name, read once.

    Raises:
        ValueError: two statements share a name, or one names a fragment that is not there.
    """
    files = {path.name: path.read_text(encoding="utf-8") for path in Path(__file__).with_name("sql").glob("*.sql")}
    return read(files)


def read(files: Mapping[str, str]) -> dict[str, str]:
    """Every statement by name, from the texts of files by their names, with the fragments put in.

    Raises:
        ValueError: two statements or two fragments share a name, a fragment is not there, or contains itself.
    """
    found: dict[str, dict[str, str]] = {"name": {}, "fragment": {}}
    for file, whole in sorted(files.items()):
        parts = _NAME.split(whole)
        for what, name, text in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
            if name in found[what]:
                raise ValueError(f"{file}: the {'statement' if what == 'name' else what} {name} exists already")
            found[what][name] = text.strip().rstrip(";")
    return {name: _whole(text, found["fragment"], (name,)) for name, text in found["name"].items()}


def _whole(text: str, fragments: Mapping[str, str], within: tuple[str, ...]) -> str:
    """A text with its fragments; a fragment's comments stay out, as it may stand in the middle of a line."""

    def put_in(found: re.Match[str]) -> str:
        name = found[1]
        if name not in fragments or name in within[1:]:
            fault = "contains itself" if name in fragments else "is not there"
            raise ValueError(f"{within[0]}: the fragment {name} {fault}")
        bare = "\n".join(line for line in fragments[name].splitlines() if not line.startswith("--"))
        return _whole(bare, fragments, (*within, name))

    return _FRAGMENT.sub(put_in, text)


def sql(name: str) -> str:
    """One statement by its name."""
    return queries()[name]
