"""What a request asks for, as far as it can be read: so that a request with one fault is judged on all the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from pydantic import JsonValue, TypeAdapter, ValidationError

from schemas.messages.requests import NoticeRequestedV1, ShorterPeriod

_DAY: TypeAdapter[date | None] = TypeAdapter(date | None)


@dataclass(frozen=True, slots=True)
class Asked:
    """The fields of a request that decide whether it is refused; None where a field is absent or cannot be read.

    `unread_values` are the names of values that the schema has found fault with already.
    """

    regime: str | None = None
    notice_type: str | None = None
    channel: str | None = None
    origin: str | None = None
    language: str | None = None
    address: str | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    unread_values: frozenset[str] = frozenset()
    period: ShorterPeriod | None = None
    respond_by: date | None = None


def of_request(request: NoticeRequestedV1) -> Asked:
    """All of a request that keeps to the schema."""
    return Asked(
        request.regime, request.notice_type, request.channel, request.origin, request.language, request.address,
        request.values, frozenset(), request.period, request.respond_by,
    )  # fmt: skip


def of_data(data: Mapping[str, JsonValue]) -> Asked:
    """What can be read of data that breaks the schema somewhere."""
    faults = _places_of_faults(data)
    unread = {str(place[1]) for place in faults if place[:1] == ("values",) and len(place) > 1}
    whole = {place[0] for place in faults if place and (place[0] != "values" or len(place) == 1)}
    sound = {name: value for name, value in data.items() if name not in whole}
    values, period = sound.get("values"), sound.get("period")
    return Asked(
        regime=_text(sound.get("regime")),
        notice_type=_text(sound.get("notice_type")),
        channel=_text(sound.get("channel", None if "channel" in whole else "secure_comm")),
        origin=_text(sound.get("origin")),
        language=_text(sound.get("language", None if "language" in whole else "en")),
        address=_text(sound.get("address")),
        values={name: str(value) for name, value in values.items()} if isinstance(values, dict) else {},
        unread_values=frozenset(unread),
        period=ShorterPeriod.model_validate(period) if period else None,
        respond_by=_DAY.validate_python(sound.get("respond_by")),
    )


def _places_of_faults(data: Mapping[str, JsonValue]) -> list[tuple[int | str, ...]]:
    try:
        NoticeRequestedV1.model_validate(data)
    except ValidationError as error:
        return [fault["loc"] for fault in error.errors(include_url=False, include_input=False)]
    return []


def _text(value: JsonValue) -> str | None:
    return value if isinstance(value, str) else None
