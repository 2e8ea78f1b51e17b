"""The kinds of field that messages are made of, each with its limit."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, PlainSerializer, StringConstraints

# C0 and C1 controls, line and paragraph separators, and the bidirectional overrides that make a text read otherwise.
_FORBIDDEN = {*range(0x20), 0x7F, *range(0x80, 0xA0), 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A)}


def _one_line(text: str) -> str:
    """Refuse what could break a header, a log line or a reader's eye."""
    if text.isascii() and text.isprintable():
        return text
    for position, character in enumerate(text):
        if ord(character) in _FORBIDDEN:
            raise ValueError(f"control character U+{ord(character):04X} at position {position}: give one plain line")
    return text


def _plain_lines(text: str) -> str:
    for position, character in enumerate(text):
        if ord(character) in _FORBIDDEN and character not in "\n\t":
            raise ValueError(f"control character U+{ord(character):04X} at position {position}")
    return text


def _in_utc(instant: datetime) -> datetime:
    return instant.astimezone(UTC)


def _iso(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


OneLine = AfterValidator(_one_line)
PlainLines = AfterValidator(_plain_lines)

Name = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@+ -]*$")]
"""An identifier of ours or of upstream's: letters, digits and a few marks, 100 characters at most."""

Reference = Annotated[str, StringConstraints(min_length=1, max_length=200), OneLine]
"""Upstream's own reference, one line, 200 characters at most."""

Person = Annotated[str, StringConstraints(min_length=1, max_length=200), OneLine]
"""A named person, as upstream's directory knows them."""

Reason = Annotated[str, StringConstraints(min_length=1, max_length=1000), PlainLines]
"""A reason in plain words, 1,000 characters at most."""

Value = Annotated[str, StringConstraints(max_length=2000), OneLine]
"""What stands for a placeholder: one line of literal text; markup in it stays text."""

Address = Annotated[str, StringConstraints(min_length=3, max_length=254), OneLine]
"""An e-mail address; whether it can be written to is judged where the notice is rendered."""

Instant = Annotated[AwareDatetime, AfterValidator(_in_utc), PlainSerializer(_iso, return_type=str, when_used="json")]
"""An instant with its offset, kept in UTC (RFC 3339)."""

Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""A SHA-256 in hexadecimal."""


class Message(BaseModel):
    """What every message's data keeps to: frozen, and nothing that the class does not name."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        str_strip_whitespace=False,
        ser_json_timedelta="iso8601",
        hide_input_in_errors=True,  # an error's text reaches stacks and logs; content must not
    )
