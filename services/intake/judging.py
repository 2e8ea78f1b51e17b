"""Judging what came over HTTP: every fault of every event at once, those of policy too, or events that may be taken in.

A request for a notice is judged here as the renderer will judge it, so that a person sees at once what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar, cast

from pydantic import BaseModel, JsonValue, ValidationError
from pydantic_core import ErrorDetails, to_json

from schemas.catalogue import CATALOGUE, Entry
from schemas.cloudevents import Envelope
from schemas.messages.fields import Message
from schemas.messages.requests import AboutNotice, NoticeRequestedV1
from schemas.resources import Wrong
from services.kernel.domain.chain import Json, NotCanonical, data_hash
from services.kernel.domain.library import Library
from services.kernel.domain.regime import Source
from services.kernel.runtime.judgement.request import Sender, judge, judge_unread

_Model = TypeVar("_Model", bound=BaseModel)
UPSTREAM = tuple(entry.type for entry in CATALOGUE.values() if entry.producer == "upstream")
REQUESTED = "notice.requested.v1"
_SHOWN = 100
_PLACE = re.compile(r"([a-z_ ]+)(?:\.([a-z][a-z0-9_]*))?: ", re.ASCII)
_FIELD_OF = {
    "scope": "notice_type",
    "source": "regime",
    "unknown regime": "regime",
    "unknown notice type": "notice_type",
}
"""Where a judgement of policy points, if it does not begin with the field's own name."""


@dataclass(frozen=True, slots=True)
class Sound:
    """An event that may be taken in: `body` is its structured form, `hashed` is over its data."""

    envelope: Envelope
    data: Message
    hashed: bytes
    body: bytes

    @property
    def is_request(self) -> bool:
        """Whether it asks for a notice; anything else is a fact about one."""
        return isinstance(self.data, NoticeRequestedV1)

    @property
    def about(self) -> AboutNotice | None:
        """The notice that it speaks of, if it is a fact."""
        return self.data if isinstance(self.data, AboutNotice) else None


@dataclass(slots=True)
class Verdict:
    """What came of a judgement. `foreign`: some event speaks for another source than the caller's."""

    sound: list[Sound] = field(default_factory=list)
    wrong: list[Wrong] = field(default_factory=list)
    foreign: bool = False


class Judge:
    """Judges the events of one source. `traceparent`: the request's own, for events that bring none."""

    def __init__(self, library: Library, source: Source, now: datetime, traceparent: str | None) -> None:
        self._library, self._source, self._now, self._traceparent = library, source, now, traceparent
        self._verdict = Verdict()

    def judge(self, events: Sequence[JsonValue], *, batch: bool) -> Verdict:
        """Judge all; pointers of a batch begin with the event's position."""
        for position, event in enumerate(events):
            self._one(event, f"/{position}" if batch else "")
        return self._verdict

    def _one(self, event: JsonValue, at: str) -> None:
        if self._traceparent and isinstance(event, dict):
            event = {"traceparent": self._traceparent, **event}
        envelope = self._read(Envelope, event, at)
        if envelope is None:
            self._data_of_unread(event, at)
            return
        if envelope.source != self._source.name:
            self._verdict.foreign = True
            self._add(f"{at}/source", f"you speak for {self._source.name} alone")
            return
        entry = CATALOGUE.get(envelope.type)
        if entry is None or entry.producer != "upstream":
            self._add(f"{at}/type", f"no type that upstream sends: {', '.join(UPSTREAM)}")
            return
        self._data(envelope, entry, at)

    def _data(self, envelope: Envelope, entry: Entry, at: str) -> None:
        before = len(self._verdict.wrong)
        data = self._read(entry.model, envelope.data, f"{at}/data")
        if entry.type == REQUESTED:
            self._policy(envelope.data, data, [each.detail for each in self._verdict.wrong[before:]], f"{at}/data")
        hashed = self._hashed(envelope, at)
        body = envelope.wire()
        if len(body) > entry.most_bytes:
            self._add(at, f"{len(body)} bytes, and {entry.most_bytes} are taken")
        if data is not None and len(self._verdict.wrong) == before:
            self._verdict.sound.append(Sound(envelope, data, hashed, body))

    def _data_of_unread(self, event: JsonValue, at: str) -> None:
        """The data of an event whose attributes have faults is looked at all the same, if its type can be read."""
        if not isinstance(event, dict) or not isinstance(data := event.get("data"), dict):
            return
        entry = CATALOGUE.get(str(event.get("type")))
        if entry is not None and entry.producer == "upstream":
            self._read(entry.model, data, f"{at}/data")

    def _policy(self, raw: dict[str, JsonValue], data: BaseModel | None, found: Sequence[str], at: str) -> None:
        sender = Sender(self._source.name, None)
        if isinstance(data, NoticeRequestedV1):
            judged = judge(self._library, sender, data, self._now)
            reasons = judged if isinstance(judged, list) else []
        else:
            reasons = judge_unread(self._library, sender, raw, found, self._now)
        for reason in reasons:
            self._add(f"{at}{_pointer(reason)}", reason)

    def _hashed(self, envelope: Envelope, at: str) -> bytes:
        try:
            return data_hash(cast("dict[str, Json]", envelope.data))
        except NotCanonical as fault:
            self._add(f"{at}/data", str(fault))
            return b""

    def _read(self, model: type[_Model], value: JsonValue, at: str) -> _Model | None:
        """Strictly, as the published schema says: a number is no text and no date."""
        try:
            return model.model_validate_json(to_json(value), strict=True)
        except ValidationError as error:
            for fault in error.errors(include_url=False, include_input=False, include_context=False):
                self._add(f"{at}{_path(fault)}", fault["msg"].removeprefix("Value error, "))
            return None

    def _add(self, pointer: str, detail: str) -> None:
        self._verdict.wrong.append(Wrong(pointer=pointer, detail=detail))


def _path(fault: ErrorDetails) -> str:
    """Where a fault is, as a JSON pointer; names of the sender's own choosing are cut and made printable."""
    return "".join(f"/{_step(str(part))}" for part in fault["loc"])


def _step(part: str) -> str:
    shown = "".join(mark if mark.isprintable() else "\ufffd" for mark in part[:_SHOWN])
    return shown.replace("~", "~0").replace("/", "~1")


def _pointer(reason: str) -> str:
    """Where a reason of policy points: its words begin with the field, `values.fee_amount: …`."""
    found = _PLACE.match(reason)
    if found is None:
        return "/values" if reason.startswith("values.") else ""
    name = _FIELD_OF.get(found[1], found[1])
    if name not in NoticeRequestedV1.model_fields:
        return ""
    return f"/{name}/{found[2]}" if found[2] else f"/{name}"


def asks_for_a_notice(events: Sequence[JsonValue]) -> bool:
    """Whether any of these asks for a notice, which is judged by the legal clock."""
    return any(isinstance(event, dict) and event.get("type") == REQUESTED for event in events)
