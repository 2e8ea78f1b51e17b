"""CloudEvents 1.0, structured JSON, as Duly reads and writes it; binary mode is accepted at the doors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import isfinite
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, ValidationError, field_validator
from pydantic_core import from_json, to_json

from schemas.messages.fields import Instant, OneLine

_TRACE = r"^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"
_NO_TRACE = re.compile(r"ff|..-0{32}|..-.{32}-0{16}")
"""What has the form, and is invalid all the same (W3C Trace Context, sections 3.2.2.1 to 3.2.2.4)."""

CONTENT_TYPE = "application/cloudevents+json"


class EnvelopeRefused(ValueError):
    """The bytes are no CloudEvent that Duly can read; the message says what is wrong and where."""


class Envelope(BaseModel):
    """One CloudEvent. `sequence` numbers what upstream sees of one notice; `trial` marks a trial database's events."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    specversion: Literal["1.0"] = "1.0"
    id: Annotated[str, StringConstraints(min_length=1, max_length=200), OneLine]
    source: Annotated[str, StringConstraints(min_length=1, max_length=100), OneLine]
    type: Annotated[str, StringConstraints(min_length=1, max_length=100), OneLine]
    time: Instant | None = None
    subject: Annotated[str, StringConstraints(max_length=200), OneLine] | None = None
    datacontenttype: Literal["application/json"] = "application/json"
    sequence: Annotated[str, StringConstraints(max_length=20), OneLine] | None = None
    traceparent: Annotated[str, StringConstraints(pattern=_TRACE)] | None = None
    trial: bool = False
    data: dict[str, JsonValue] = Field(default_factory=dict)

    @field_validator("traceparent", mode="wrap")
    @classmethod
    def _broken_trace_is_no_trace(cls, value: object, handler: object) -> str | None:
        try:
            trace = handler(value) if callable(handler) else None
        except ValueError:  # tracing must never refuse a notice
            return None
        return trace if isinstance(trace, str) and not _NO_TRACE.match(trace) else None

    @field_validator("data")
    @classmethod
    def _json_has_no_infinity(cls, data: dict[str, JsonValue]) -> dict[str, JsonValue]:
        if not _finite(data):
            raise ValueError("a number is not finite (NaN or Infinity), which JSON does not know")
        return data

    def wire(self) -> bytes:
        """The structured JSON form."""
        return to_json(self.model_dump(mode="json", exclude_none=True, exclude_defaults=False))


def _finite(value: JsonValue) -> bool:
    if isinstance(value, float):
        return isfinite(value)
    if isinstance(value, dict):
        return all(map(_finite, value.values()))
    return all(map(_finite, value)) if isinstance(value, list) else True


def read(body: bytes, content_type: str, headers: Mapping[str, str]) -> Envelope:
    """Read structured or binary mode (headers `ce-*`, or AMQP's `cloudEvents:*`).

    Raises:
        EnvelopeRefused: not JSON, not CloudEvents 1.0, or an attribute is missing or wrong; every fault is named.
    """
    binary = _attributes(headers)
    try:
        if binary and not content_type.startswith(CONTENT_TYPE):
            return Envelope.model_validate({**binary, "data": from_json(body)})
        return Envelope.model_validate_json(body)
    except ValidationError as error:
        raise EnvelopeRefused("; ".join(faults(error))) from error
    except ValueError as error:
        raise EnvelopeRefused(f"not JSON: {error}") from error


def _attributes(headers: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in headers.items():
        lower = name.lower()
        for prefix in ("ce-", "cloudevents:", "cloudevents_"):
            if lower.startswith(prefix):
                found[lower.removeprefix(prefix)] = value
    return found


def faults(error: ValidationError) -> list[str]:
    """Every fault of a validation in words: field, what is wrong. Never the value, which may be content."""
    return [
        f"{'.'.join(_plain(part) for part in fault['loc']) or 'message'}: {fault['msg']}"
        for fault in error.errors(include_url=False, include_input=False, include_context=False)
    ]


def _plain(part: int | str) -> str:
    """A sender may name fields as it likes: shown on one line, 100 characters at most."""
    shown = str(part)[:100]
    return shown if shown.isprintable() else "".join(mark if mark.isprintable() else "\ufffd" for mark in shown)
