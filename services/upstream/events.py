"""From what an upstream system has at hand to events that Duly's doors will read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from pydantic import ValidationError
from pydantic_core import to_json, to_jsonable_python

from schemas.catalogue import CATALOGUE, Entry
from schemas.cloudevents import Envelope, faults
from services.kernel.ports import Ids

Event = Envelope | Mapping[str, object]
"""A CloudEvent, or a mapping of its attributes: `type` and `data`, and if wanted `id`, `source`, `time`, `subject`."""

_PRODUCER = "upstream"


class EventsRefused(ValueError):
    """Some of the events would be refused; none was sent. `faults` names every one of them, never a value."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(self.faults))


def prepare(events: Iterable[Event], *, ids: Ids, source: str | None = None) -> tuple[Envelope, ...]:
    """Check all events against the catalogue and give each that has none an id, once.

    `source` stands where an event names none. Prepared events may be stored and published later, or again.

    Raises:
        EventsRefused: with every fault of every event.
    """
    prepared, found = [], []
    for position, event in enumerate(events):
        try:
            envelope = _envelope(event, ids, source)
            wrong = _faults(envelope)
        except ValidationError as error:
            wrong = faults(error)
        except ValueError as error:
            wrong = [f"data: {error}"]
        else:
            prepared.append(envelope)
        found += [f"event {position}: {fault}" for fault in wrong]
    found += _repeated(prepared)
    if found:
        raise EventsRefused(found)
    return tuple(prepared)


def _envelope(event: Event, ids: Ids, source: str | None) -> Envelope:
    if isinstance(event, Envelope):
        return event
    attributes: dict[str, object] = {"id": str(ids.uuid7()), "source": source, **event}
    return Envelope.model_validate({**attributes, "data": to_jsonable_python(event.get("data", {}))})


def _faults(envelope: Envelope) -> list[str]:
    entry = CATALOGUE.get(envelope.type)
    if entry is None:
        known = ", ".join(row.type for row in CATALOGUE.values() if row.producer == _PRODUCER)
        return [f"type: not in the catalogue; upstream sends {known}"]
    if entry.producer != _PRODUCER:
        return [f"type: {entry.type} is sent by {entry.producer}, not by upstream"]
    return _size_faults(envelope, entry) + _data_faults(envelope, entry)


def _size_faults(envelope: Envelope, entry: Entry) -> list[str]:
    size = len(envelope.wire())
    return [f"message: {size} bytes, and {entry.most_bytes} are allowed"] if size > entry.most_bytes else []


def _data_faults(envelope: Envelope, entry: Entry) -> list[str]:
    try:
        entry.model.model_validate_json(to_json(envelope.data))  # as JSON, which is how the worker will read it
    except ValidationError as error:
        return [f"data.{fault}" for fault in faults(error)]
    return []


def _repeated(prepared: Iterable[Envelope]) -> list[str]:
    counted = Counter((envelope.source, envelope.id) for envelope in prepared)
    surplus = sum(count > 1 for count in counted.values())
    return [f"events: {surplus} ids stand on more than one event of a source"] if surplus else []
