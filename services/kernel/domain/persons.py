"""How a signed-in person is named in evidence: by what they are called, and by the id that the sign-in knows."""

from __future__ import annotations

import re

_LONGEST = 200
"""As `schemas.messages.fields.Person` has it."""
_SIGNED = re.compile(r".* \[(?P<person>[^\[\]]+)\]\Z", re.DOTALL)


def signature(name: str, person: str) -> str:
    """The name with the stable id, as in `Ann Price [a7c1]`; a long name is cut, the id never."""
    room = _LONGEST - len(person) - 3
    return f"{name[: max(room, 0)].strip()} [{person}]" if room > 0 else person


def same_person(one: str, other: str) -> bool:
    """Whether two signatures are of one person: by their ids where both have one, else by all that they say.

    Names change and are shared: whoever signs in under another name is still themself.
    """
    first, second = _SIGNED.match(one), _SIGNED.match(other)
    if first and second:
        return first["person"] == second["person"]
    return _plain(one) == _plain(other)


def _plain(signed: str) -> str:
    return signed.rpartition(" [")[0].casefold() or signed.casefold()
