"""How the built-in mailbox treats each recipient: rules by address or domain pattern."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path


class Behaviour(StrEnum):
    """What the mailbox does with a mail."""

    ACCEPT = "accept"
    REFUSE = "refuse"
    TEMPFAIL = "tempfail"
    DEFER_THEN_ACCEPT = "defer_then_accept"
    BOUNCE = "bounce"
    DELAY = "delay"
    AUTO_REPLY = "auto_reply"


_SAYS = {
    Behaviour.ACCEPT: "250 2.1.5 ok",
    Behaviour.REFUSE: "550 5.1.1 no such user here",
    Behaviour.TEMPFAIL: "451 4.3.0 try again later",
    Behaviour.DEFER_THEN_ACCEPT: "451 4.7.1 greylisted, try again",
    Behaviour.BOUNCE: "550 5.1.1 no such user here",
    Behaviour.DELAY: "451 4.4.1 no answer from host",
    Behaviour.AUTO_REPLY: "I am away and will read your message when I return.",
}


@dataclass(frozen=True, slots=True)
class Treatment:
    """A behaviour and what it says: the SMTP reply of a refusal or in a report, or the text of an automatic reply."""

    behaviour: Behaviour
    says: str

    @classmethod
    def parse(cls, text: str) -> Treatment:
        """Read `bounce` or, with words of its own, `bounce 550 5.2.2 mailbox full`.

        Raises:
            ValueError: with the behaviours that there are.
        """
        name, _, says = text.strip().partition(" ")
        try:
            behaviour = Behaviour(name)
        except ValueError:
            raise ValueError(f"unknown behaviour {name!r}: use one of {', '.join(Behaviour)}") from None
        return cls(behaviour, says.strip() or _SAYS[behaviour])

    @property
    def status(self) -> str:
        """The RFC 3463 status within what it says, or the general one of its kind."""
        words = self.says.split()
        if len(words) > 1 and words[1].count(".") == 2:  # noqa: PLR2004 -- class.subject.detail
            return words[1]
        return "4.0.0" if self.behaviour is Behaviour.DELAY else "5.0.0"


ACCEPT = Treatment(Behaviour.ACCEPT, _SAYS[Behaviour.ACCEPT])


class Rules:
    """The first pattern that fits holds (`nobody@*`, `trader.example`); none: accept.

    `rules` is a mapping of pattern to treatment, or a JSON file of one. The file is read again when it has changed, so
    that another process can change the weather; while it is unreadable the last rules hold.
    """

    def __init__(self, rules: Mapping[str, str] | Path) -> None:
        self._file = rules if isinstance(rules, Path) else None
        self._seen: tuple[int, int] | None = None
        self._rules = {} if isinstance(rules, Path) else _parse(rules)

    def treatment(self, recipient: str) -> Treatment:
        """How to treat mail for this address."""
        self._refresh()
        address = recipient.lower()
        domain = address.rpartition("@")[2]
        for pattern, treatment in self._rules.items():
            if fnmatchcase(address if "@" in pattern else domain, pattern):
                return treatment
        return ACCEPT

    def _refresh(self) -> None:
        if self._file is None:
            return
        try:
            stat = self._file.stat()
            if (stat.st_mtime_ns, stat.st_size) == self._seen:
                return
            self._rules = _parse(json.loads(self._file.read_text(encoding="utf-8")))
            self._seen = (stat.st_mtime_ns, stat.st_size)
        except FileNotFoundError:
            self._rules, self._seen = {}, None
        except ValueError:
            return  # half-written: the next mail looks again


def _parse(rules: Mapping[str, str]) -> dict[str, Treatment]:
    return {pattern.lower(): Treatment.parse(text) for pattern, text in rules.items()}
