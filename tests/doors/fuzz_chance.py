"""What chance has to choose from in a fuzz run, and the ways in which bytes go wrong.

Hypothesis draws which door, one number that all smaller choices follow, and the spice: texts, bytes and JSON values
with everything that its strategies find odd. `CANARY` stands in bodies, headers, cookies and names: no log may have it.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from services.kernel.domain.verp import Keyring
from tests.rig import callbacks as rig

CANARY = "c4n4ry"
DOMAIN = "bounces.authority.example"
KEYRING = Keyring({"k1": b"0123456789abcdef"}, "k1")
SNS, SENDGRID = rig.Sns(), rig.Sendgrid()
Json = Any
Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Spice:
    """Oddities to put into requests."""

    texts: Sequence[str]
    blobs: Sequence[bytes]
    values: Sequence[Json]


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that comes. `whole` unless it breaks off; `source` is whose credential it bears."""

    door: str
    raw: bytes
    body: bytes
    client: str
    whole: bool = True
    source: str = ""
    cut: int | None = None


class Chance(random.Random):
    """The smaller choices of one case."""

    spice: Spice

    def one_in(self, number: int) -> bool:
        return self.randrange(number) == 0

    def uuid(self) -> UUID:
        return UUID(int=self.getrandbits(128), version=4)

    def text(self) -> str:
        return self.choice(self.spice.texts)

    def blob(self) -> bytes:
        return self.choice(self.spice.blobs)

    def plain(self) -> str:
        """A text that UTF-8 can hold."""
        return self.text().encode("utf-8", "replace").decode()


def mutated(body: bytes, chance: Chance) -> bytes:
    """The body as it is, or with one to four things wrong."""
    for _ in range(chance.choice((0, 0, 0, 1, 1, 2, 4))):
        body = chance.choice(_WRONG)(body, chance)
    return body


def _flipped(body: bytes, chance: Chance) -> bytes:
    at = chance.randrange(len(body) + 1)
    return body[:at] + bytes([chance.randrange(256)]) + body[at + 1 :]


def _cut(body: bytes, chance: Chance) -> bytes:
    return body[: chance.randrange(len(body) + 1)]


def _put(what: Callable[[Chance], bytes]) -> Callable[[bytes, Chance], bytes]:
    def put(body: bytes, chance: Chance) -> bytes:
        at = chance.randrange(len(body) + 1)
        return body[:at] + what(chance) + body[at:]

    return put


def _doubled(body: bytes, chance: Chance) -> bytes:
    start = chance.randrange(len(body) + 1)
    return body + body[start : start + chance.randrange(400)]


def _first_value_is(what: Callable[[Chance], bytes]) -> Callable[[bytes, Chance], bytes]:
    """Some value of a JSON text becomes this."""

    def replaced(body: bytes, chance: Chance) -> bytes:
        places = [at for at in range(len(body)) if body[at : at + 1] == b":"][:60]
        if not places:
            return what(chance)
        at = chance.choice(places) + 1
        ends = [end for end in (body.find(b",", at), body.find(b"}", at)) if end > 0]
        return body[:at] + what(chance) + body[min(ends, default=len(body)) :]

    return replaced


def _recoded(body: bytes, chance: Chance) -> bytes:
    return body.decode("utf-8", "replace").encode(chance.choice(("utf-16", "utf-8-sig", "utf-7", "utf-32")), "replace")


def _twice(body: bytes, chance: Chance) -> bytes:
    """A key that stands twice."""
    name = chance.choice((b"id", b"type", b"MessageId", b"signature", b"specversion", b"RecordType", b"data"))
    return body.replace(b"{", b'{"' + name + b'":' + json.dumps(chance.text()).encode() + b",", 1)


_ODD_VALUES = (
    b"1e999",
    b"-" + b"9" * 400,
    b'"\\u0000"',
    b'"\\ud800"',
    b"[" * 3000,
    b"{}",
    b"null",
    b'""',
    b"NaN",
    b"[]" * 9,
)
_WRONG = (
    _flipped, _flipped, _cut, _put(lambda chance: chance.blob()), _put(lambda _: b"\0"), _doubled, _recoded, _twice,
    _first_value_is(lambda chance: chance.choice(_ODD_VALUES)),
    _first_value_is(lambda chance: json.dumps(chance.choice(chance.spice.values)).encode()),
)  # fmt: skip


def spiced(value: Json, chance: Chance) -> Json:
    """A JSON value, some leaf of which may be an odd one."""
    if isinstance(value, dict):
        made = {name: spiced(each, chance) for name, each in value.items()}
        if chance.one_in(30):
            made[chance.text()] = chance.choice(chance.spice.values)
        if made and chance.one_in(40):
            del made[chance.choice(list(made))]
        return made
    if isinstance(value, list):
        return [spiced(each, chance) for each in value] * chance.choice((1,) * 20 + (0, 2))
    return chance.choice(chance.spice.values) if chance.one_in(25) else value
