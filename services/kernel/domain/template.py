"""The approved text of a notice: one version of a template, in its languages, with the values that it asks for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

PLACEHOLDER = re.compile(r"\(\(([a-z][a-z0-9_]*)\)\)", re.ASCII)
# Reads as a placeholder to a person and is none to us: "((Fee))", "(( fee ))".
MISWRITTEN = re.compile(r"\(\((?![a-z][a-z0-9_]*\)\))[^()\n]*\)\)", re.ASCII)


class PlaceholderKind(StrEnum):
    """What a value is: how it is checked, and how it is written in each language."""

    TEXT = "text"
    DATE = "date"
    MONEY = "money"
    REFERENCE = "reference"
    NUMBER = "number"


class GivenBy(StrEnum):
    """Who gives a value: the upstream with its request, or Duly itself from what it knows."""

    UPSTREAM = "upstream"
    DULY = "duly"


@dataclass(frozen=True, slots=True)
class Placeholder:
    """One value that a template asks for; `longest` counts characters as given."""

    name: str
    kind: PlaceholderKind
    longest: int
    given_by: GivenBy = GivenBy.UPSTREAM


@dataclass(frozen=True, slots=True)
class Wording:
    """One language of a template: a one-line subject and a body in Markdown, both with `((placeholders))`."""

    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class Template:
    """One approved version of a text; `content_hash` is the SHA-256 that every notice made from it is pinned to."""

    regime: str
    name: str
    version: str
    content_hash: bytes
    wordings: dict[str, Wording]
    placeholders: dict[str, Placeholder]
    approved_by: str
    approved_on: date

    @property
    def asked_of_upstream(self) -> frozenset[str]:
        """Names of the values that a request must bring, all of them and no other."""
        return frozenset(name for name, each in self.placeholders.items() if each.given_by is GivenBy.UPSTREAM)


def placeholder_faults(text: str, declared: frozenset[str]) -> list[str]:
    """List what is wrong with the placeholders of one text: miswritten ones, and those that nothing declares."""
    miswritten = [f"{found.group(0)} is miswritten: ((lower_case_name))" for found in MISWRITTEN.finditer(text)]
    unknown = [f"(({name})) is not declared" for name in sorted(set(PLACEHOLDER.findall(text)) - declared)]
    return miswritten + unknown
