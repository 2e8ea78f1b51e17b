"""How a signed-in person is named in evidence: by what they are called, and by the id that the sign-in knows."""

from __future__ import annotations

import unicodedata

_LONGEST = 200
"""As `schemas.messages.fields.Person` has it."""


def signature(name: str, person: str) -> str:
    """The name with the stable id, as in `Ann Price [a7c1]`; a long name is cut, the id never.

    Brackets in a name become round, so that none passes for an id.
    """
    room, plain = _LONGEST - len(person) - 3, name.replace("[", "(").replace("]", ")")
    return f"{plain[: max(room, 0)].strip()} [{person}]" if room > 0 else person


def same_person(one: str, other: str) -> bool:
    """Whether two signatures are of one person: by their ids where both have one, else by all that they say.

    Names change and are shared: whoever signs in under another name is still themself. Where only one has an id, the
    other may be it as well as the name: rather one person than two.
    """
    first, second = _ids(one), _ids(other)
    if first and second:
        return not first.isdisjoint(second)
    said, also = _said(one), _said(other)
    return not said or not also or not said.isdisjoint(also)


def _ids(signed: str) -> set[str]:
    """What may be the id of a signature, nothing where it has none.

    An id may have brackets of its own, and a name typed at a command line as well: it may follow the first or the last.
    """
    whole = f" {signed.strip()}"
    if " [" not in whole or not whole.endswith("]"):
        return set()
    return {_plain(part) for part in (whole.partition(" [")[2][:-1], whole.rpartition(" [")[2][:-1])}


def _said(signed: str) -> set[str]:
    """The name, and the id if there is one, whatever their case, spaces, form and marks that nobody sees."""
    ids = _ids(signed)
    name = signed.partition(" [")[0] if ids else signed
    return {plain for plain in (_plain(name), *ids) if plain}


def _plain(text: str) -> str:
    seen = "".join(mark for mark in unicodedata.normalize("NFKC", text) if unicodedata.category(mark) != "Cf")
    return unicodedata.normalize("NFKC", " ".join(seen.split()).casefold())
