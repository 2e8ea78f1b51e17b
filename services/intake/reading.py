"""From an HTTP request to events, as CloudEvents over HTTP says: structured, binary, or a batch.

Standards: CloudEvents 1.0 with its JSON format, JSON batch format and HTTP protocol binding.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote

from pydantic import JsonValue
from pydantic_core import from_json

from schemas.cloudevents import CONTENT_TYPE
from schemas.resources import Wrong
from services.intake.problems import FAULTY_EVENTS, NO_SUCH_FORM, NOT_READABLE, TOO_LONG, Refusal

BATCH = "application/cloudevents-batch+json"
BINARY = "application/json"
REQUIRED = ("specversion", "id", "source", "type")
FORMS = (CONTENT_TYPE, BATCH, BINARY)
_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


def read_events(content_type: str, headers: Iterable[tuple[str, str]], body: bytes, most: int) -> list[JsonValue]:
    """The events of a request in structured form, not judged yet; `most` of them at most.

    Raises:
        Refusal: the form is unknown, or the request cannot be read in it.
    """
    form = content_type.partition(";")[0].strip().lower()
    if form not in FORMS:
        said = f"{form!r}" if form.isprintable() and form else "no content type"
        raise Refusal(NO_SUCH_FORM, f"{said[:120]} is not read here", headers={"accept": ", ".join(FORMS)})
    value = _json(body)
    if form == CONTENT_TYPE:
        return [value]
    if form == BINARY:
        return [{**_attributes(headers), "data": value}]
    if not isinstance(value, list):
        raise Refusal(NOT_READABLE, "a batch is a JSON array of events", [Wrong(pointer="", detail="not an array")])
    if len(value) > most:
        raise Refusal(TOO_LONG, f"{len(value)} events at once, and {most} are taken")
    return value


def _json(body: bytes) -> JsonValue:
    try:
        value: JsonValue = from_json(body, allow_inf_nan=False)
    except ValueError as fault:
        raise Refusal(NOT_READABLE, f"the body is not JSON: {fault}") from fault
    return value


def _attributes(headers: Iterable[tuple[str, str]]) -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = {"datacontenttype": "application/json"}
    wrong: list[Wrong] = []
    for name, value in headers:
        attribute = name.removeprefix("ce-")
        if attribute == name or attribute in ("data", "datacontenttype"):
            continue
        try:
            text = _decoded(value)
        except ValueError as fault:
            wrong.append(Wrong(pointer=f"/{attribute}"[:100], detail=str(fault)))
            continue
        if found.setdefault(attribute, text) != text:
            wrong.append(Wrong(pointer=f"/{attribute}"[:100], detail="stands in two headers that differ"))
    if wrong:
        raise Refusal(NOT_READABLE, "the attributes in the headers cannot be read", wrong)
    if "specversion" not in found:  # then nothing says that it is an event at all
        missing = [Wrong(pointer=f"/{name}", detail=f"no header ce-{name}") for name in REQUIRED if name not in found]
        raise Refusal(FAULTY_EVENTS, f"a request as {BINARY} carries its attributes in headers", missing)
    if found.get("trial") in ("true", "false"):
        found["trial"] = found["trial"] == "true"
    return found


def _decoded(value: str) -> str:
    """One header value: unquoted, then percent-decoded once (HTTP protocol binding, section 3.1.3.2).

    Raises:
        ValueError: it is no percent-encoded UTF-8.
    """
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = re.sub(r"\\(.)", r"\1", value[1:-1])
    if not value.isascii() or _PERCENT.search(value):
        raise ValueError("not percent-encoded as CloudEvents over HTTP asks")
    try:
        return unquote(value, errors="strict")
    except UnicodeDecodeError:
        raise ValueError("not UTF-8 behind the percent signs") from None
