"""Every fault that a request can have, alone or beside another, and what Duly must say to each."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from tests.rig.system import fee_outstanding

Change = Callable[[dict[str, Any]], None]
KNOWN = "known-before"
"""A reference under which a sound notice was requested before the faulty ones."""


@dataclass(frozen=True)
class Fault:
    """One fault: what it does to a sound request's data, and what each reason for it contains.

    Faults that touch the same `field` cannot be had at once.
    """

    name: str
    field: str
    change: Change
    says: tuple[str, ...]


def _set(name: str, value: object) -> Change:
    return lambda data: data.update({name: value})


def _value(name: str, value: object) -> Change:
    return lambda data: data["values"].update({name: value})


def _without(*names: str) -> Change:
    return lambda data: [data["values"].pop(name, None) for name in names] and None


FAULTS = (
    Fault("unknown notice type", "notice_type", _set("notice_type", "fee-imagined"), ("unknown notice type",)),
    Fault("unknown regime", "regime", _set("regime", "tax"), ("unknown regime",)),
    Fault(
        "missing placeholders", "values.missing", _without("fee_amount", "fee_due_on"),
        ("values.fee_amount: missing", "values.fee_due_on: missing"),
    ),
    Fault(
        "surplus placeholders", "values.surplus", lambda data: data["values"].update(colour="red", shape="round"),
        ("values.colour: the text has no such placeholder", "values.shape: the text has no such placeholder"),
    ),
    Fault("invalid address", "address", _set("address", "harbour at business.example"), ("address: the address",)),
    Fault(
        "line break in an address", "address", _set("address", "a@business.example\r\nBcc: b@elsewhere.example"),
        ("address: Value error, control character U+000D",),
    ),
    Fault(
        "line break in a value", "values.business_name", _value("business_name", "Harbour\r\nBcc: b@elsewhere.example"),
        ("values.business_name: Value error, control character U+000D",),
    ),
    Fault(
        "text turned round in a matter", "matter", _set("matter", "fees/\u202egnp.exe"),
        ("matter: Value error, control character U+202E",),
    ),
    Fault(
        "control character in a name", "business_id", _set("business_id", "B\x00-1"), ("business_id: ",),
    ),
    Fault("too early a fixed date", "respond_by", _set("respond_by", "2026-01-05"), ("respond_by: ",)),
    Fault("a field that nobody knows", "colour", _set("colour", "red"), ("colour: Extra inputs",)),
    Fault("manual by nobody", "origin", _set("origin", "manual"), ("requested_by: a manual notice names",)),
    Fault(
        "known reference, other data", "source_ref", _set("source_ref", KNOWN),
        ("this source_ref is known with other data",),
    ),
)  # fmt: skip
_UNJUDGED = {"unknown notice type", "unknown regime"}
SILENCED_BY = {
    "missing placeholders": _UNJUDGED,
    "surplus placeholders": _UNJUDGED,
    "too early a fixed date": _UNJUDGED,
    "unknown notice type": {"unknown regime"},
}
"""Faults that nobody can see beside another: there is no text and no period of a type that is not known."""


@dataclass(frozen=True)
class Faulty:
    """A request with one fault or two, as it goes on the wire."""

    faults: tuple[Fault, ...]

    @property
    def name(self) -> str:
        return " + ".join(fault.name for fault in self.faults)

    @property
    def event_id(self) -> str:
        return f"faulty: {self.name}"

    def body(self) -> bytes:
        request = fee_outstanding(f"faulty: {self.name}", business_id="B-faulty", address="harbour@business.example")
        for fault in self.faults:
            fault.change(request["data"])
        return json.dumps({**request, "specversion": "1.0", "id": self.event_id}).encode()

    def expected(self) -> list[str]:
        """What the reasons must contain, all at once."""
        names = {fault.name for fault in self.faults}
        told = [fault for fault in self.faults if not SILENCED_BY.get(fault.name, set()) & names]
        return [text for fault in told for text in fault.says]


def singles() -> list[Faulty]:
    return [Faulty((fault,)) for fault in FAULTS]


def pairs() -> list[Faulty]:
    """Every two faults that one request can have."""
    return [Faulty(two) for two in combinations(FAULTS, 2) if two[0].field != two[1].field]


# --- faults of the message itself, which cannot be had at once --------------------------------------------------------


@dataclass(frozen=True)
class Broken:
    """A message that is no request at all: it ends as a dead letter whose reason contains this."""

    name: str
    body: bytes
    says: str
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "application/cloudevents+json"


def _event(name: str, **changes: object) -> bytes:
    return json.dumps(
        {**fee_outstanding(f"broken: {name}"), "specversion": "1.0", "id": f"broken: {name}", **changes}
    ).encode()


BROKEN = (
    Broken("empty", b"", "Invalid JSON"),
    Broken("not JSON", b"{no json", "Invalid JSON"),
    Broken("not UTF-8", b'{"specversion":"1.0","id":"\xff\xfe"}', "Invalid JSON"),
    Broken("no object", b'["a list"]', "should be an object"),
    Broken("deep as a well", b"[" * 50_000, "recursion limit"),
    Broken("no CloudEvent", b'{"type":"notice.requested.v1"}', "source: Field required"),
    Broken("another CloudEvents", _event("another CloudEvents", specversion="0.3"), "specversion"),
    Broken("not a number", _event("not a number").replace(b'"300.00"', b"NaN"), "not finite"),
    Broken("no data", _event("no data", data={}), "source_ref: Field required"),
    Broken("oversized", _event("oversized", subject="x" * 70_000), "bytes are more than this type may have"),
    Broken("unknown type", _event("unknown type", type="notice.imagined.v1"), "'notice.imagined.v1' is unknown"),
    Broken("unknown version", _event("unknown version", type="notice.requested.v9"), "requested.v9' is unknown"),
    Broken("another worker's type", _event("another worker's type", type="mark.sent.v1"), "not for renderer"),
    Broken(
        "binary mode without an id", b"{}", "id: Field required",
        (("ce-specversion", "1.0"), ("ce-type", "notice.requested.v1"), ("ce-source", "fees")), "application/json",
    ),
)  # fmt: skip
