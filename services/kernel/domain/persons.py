"""How a signed-in person is named in evidence: by what they are called, and by the id that the sign-in knows."""

from __future__ import annotations

import re
import unicodedata

_LONGEST = 200
"""As `schemas.messages.fields.Person` has it."""
_SIGNED = re.compile(r".* \[(?P<person>[^\[\]]+)\]\Z", re.DOTALL)


def signature(name: str, person: str) -> str:
    """The name with the stable id, as in `Ann Price [a7c1]`; a long name is cut, the id never."""
    room = _LONGEST - len(person) - 3
    return f"{name[: max(room, 0)].strip()} [{person}]" if room > 0 else person


def same_person(one: str, other: str) -> bool:
    """Whether two signatures are of one person: by their ids where both have one, else by all that they say.

    Names change and are shared: whoever signs in under another name is still themself. Where only one has an id, the
    other may be it as well as the name: rather one person than two.
    """
    first, second = _SIGNED.match(one), _SIGNED.match(other)
    if first and second:
        return first["person"] == second["person"]
    said, also = _said(one), _said(other)
    return not said or not also or not said.isdisjoint(also)


def _said(signed: str) -> set[str]:
    """The name, and the id if there is one, whatever their case, spaces, form and marks that nobody sees."""
    found = _SIGNED.match(signed)
    parts = (signed,) if found is None else (signed.rpartition(" [")[0], found["person"])
    return {plain for part in parts if (plain := _plain(part))}


def _plain(text: str) -> str:
    seen = "".join(mark for mark in unicodedata.normalize("NFKC", text) if unicodedata.category(mark) != "Cf")
    return unicodedata.normalize("NFKC", " ".join(seen.split()).casefold())
