"""The HTTP door for upstreams as one OpenAPI 3.1 document: its frame, around the schemas of messages and resources."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import JsonValue
from pydantic.json_schema import models_json_schema

from schemas.catalogue import CATALOGUE, Entry
from schemas.cloudevents import CONTENT_TYPE, Envelope
from schemas.resources import EvidenceRoot, NoticeStatus, Problem, Taken

Node = dict[str, JsonValue]

BATCH = "application/cloudevents-batch+json"
_PROBLEM = "application/problem+json"
_EXAMPLES = Path(__file__).parent / "examples"
_ABOUT = """\
For upstream systems that do not speak AMQP. Events are CloudEvents 1.0, one at a time (structured or binary) or in a
batch; a request is taken in whole or not at all, and answered when it is committed. Send the same event again, with the
same id, whenever no answer came: it counts once, and gets the same answer. An answer of 202 to `notice.requested` means
that the request is durable; `notice.accepted` or `notice.refused` says what came of it.

Every refusal is a problem in the form of RFC 9457, with all its faults at once. Answers of 429 and 503 carry
`Retry-After`.
"""
_REFUSALS: dict[str, str] = {
    "400": "The request cannot be read",
    "401": "No API key or bearer token, or none that holds",
    "403": "Not for this source",
    "404": "No such thing, or another source's",
    "409": "An id or a reference is known with other data; the errors say how it differs",
    "413": "Longer, or more events, than the door takes",
    "415": "None of the forms that the door reads",
    "422": "Faults in the events, all of them; nothing was taken in",
    "429": "Too many requests",
    "503": "The door cannot work now; send the same again",
}


def document() -> Node:
    """The whole document. The same classes give the same document, in the same order."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Duly for upstream systems", "version": "1", "description": _ABOUT, "license": _LICENCE},
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}, {"apiKey": []}],
        "paths": {
            "/v1/events": {"post": _take()},
            "/v1/notices": {"get": _status("noticeByReference", "by your own reference", _SOURCE_REF)},
            "/v1/notices/{notice_id}": {"get": _status("notice", "by its id", _NOTICE_ID)},
            "/v1/evidence-roots/{day}": {"get": _root()},
        },
        "components": {
            "schemas": _schemas(),
            "responses": {status: _refusal(status, words) for status, words in _REFUSALS.items()},
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An OAuth 2.0 access token (JWT) of the issuer that Duly believes, or an API key.",
                },
                "apiKey": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "X-API-Key",
                    "description": "`duly_<id>_<secret>`",
                },
            },
        },
    }


_LICENCE: Node = {"name": "MIT", "identifier": "MIT"}
_NOTICE_ID: Node = {"name": "notice_id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}
_SOURCE_REF: Node = {
    "name": "source_ref", "in": "query", "required": True,
    "schema": {"type": "string", "minLength": 1, "maxLength": 200},
}  # fmt: skip
_DAY: Node = {"name": "day", "in": "path", "required": True, "schema": {"type": "string", "format": "date"}}


def _upstream() -> list[Entry]:
    return [entry for entry in CATALOGUE.values() if entry.producer == "upstream"]


def _schemas() -> Node:
    """The messages as they are read, the resources as they are written, and one shape an event."""
    read = [(model, "validation") for model in (Envelope, *(entry.model for entry in _upstream()))]
    written = [(model, "serialization") for model in (Taken, NoticeStatus, EvidenceRoot, Problem)]
    _, made = models_json_schema([*read, *written], ref_template="#/components/schemas/{model}")  # type: ignore[list-item]
    schemas: Node = made["$defs"]
    _loosen(schemas)
    events: Node = {entry.type: _event(entry) for entry in _upstream()}
    return {"Event": {"oneOf": [_ref(f"schemas/{name}") for name in events]}, **events, **schemas}


def _loosen(schemas: Node) -> None:
    """A trace that is broken is dropped, whatever it is: it refuses no event."""
    envelope = schemas["Envelope"]
    if isinstance(envelope, dict) and isinstance(properties := envelope["properties"], dict):
        properties["traceparent"] = {"title": "Traceparent", "description": "W3C Trace Context; dropped if broken."}


def _event(entry: Entry) -> Node:
    own: Node = {
        "type": "object",
        "required": ["type", "data"],
        "properties": {"type": {"const": entry.type}, "data": _ref(f"schemas/{entry.model.__name__}")},
    }
    return {"title": entry.type, "description": entry.summary, "allOf": [_ref("schemas/Envelope"), own]}


def _take() -> Node:
    one = _examples()
    batch: Node = {"two": {"value": [each["value"] for each in list(one.values())[:2] if isinstance(each, dict)]}}
    return {
        "operationId": "takeEvents",
        "summary": "Send events",
        "description": "All are committed, in their order, or none.",
        "parameters": [*_attributes()],
        "requestBody": {
            "required": True,
            "content": {
                CONTENT_TYPE: {"schema": _ref("schemas/Event"), "examples": one},
                BATCH: {"schema": {"type": "array", "items": _ref("schemas/Event")}, "examples": batch},
                "application/json": {
                    "schema": {"type": "object", "description": "Binary mode: `data`; the attributes are headers."}
                },
            },
        },
        "responses": {
            "202": _answer("All are committed", "Taken"),
            **_refusals("400", "401", "403", "409", "413", "415", "422", "429", "503"),
        },
    }


def _examples() -> Node:
    """The golden events of the types that upstream sends."""
    paths = [path for entry in _upstream() for path in sorted((_EXAMPLES / entry.type).glob("*.json"))]
    return {path.stem: {"value": json.loads(path.read_text(encoding="utf-8"))} for path in paths}


def _attributes() -> list[JsonValue]:
    """The attributes as binary mode carries them, percent-encoded; structured events have them inside."""
    names = ("ce-specversion", "ce-id", "ce-source", "ce-type", "ce-time", "ce-subject", "traceparent")
    return [{"name": name, "in": "header", "required": False, "schema": {"type": "string"}} for name in names]


def _status(operation: str, by: str, parameter: Node) -> Node:
    return {
        "operationId": operation,
        "summary": f"Where a notice stands, {by}",
        "parameters": [parameter, _if_none_match()],
        "responses": {
            "200": _tagged("Where it stands", "NoticeStatus"),
            "304": {"description": "As the ETag says that you know it"},
            **_refusals("400", "401", "403", "404", "429", "503"),
        },
    }


def _root() -> Node:
    return {
        "operationId": "evidenceRoot",
        "summary": "The root of the evidence chains that moved on one UTC day",
        "parameters": [_DAY, _if_none_match()],
        "responses": {
            "200": _tagged("The root", "EvidenceRoot"),
            "304": {"description": "As the ETag says that you know it"},
            **_refusals("400", "401", "403", "404", "429", "503"),
        },
    }


def _if_none_match() -> Node:
    return {"name": "If-None-Match", "in": "header", "required": False, "schema": {"type": "string"}}


def _tagged(words: str, schema: str) -> Node:
    return {**_answer(words, schema), "headers": {"ETag": {"required": True, "schema": {"type": "string"}}}}


def _answer(words: str, schema: str) -> Node:
    return {"description": words, "content": {"application/json": {"schema": _ref(f"schemas/{schema}")}}}


def _refusal(status: str, words: str) -> Node:
    refusal: Node = {"description": words, "content": {_PROBLEM: {"schema": _ref("schemas/Problem")}}}
    header = {"401": "WWW-Authenticate", "415": "Accept", "429": "Retry-After", "503": "Retry-After"}.get(status)
    return {**refusal, "headers": {header: {"schema": {"type": "string"}}}} if header else refusal


def _refusals(*statuses: str) -> Node:
    return {status: _ref(f"responses/{status}") for status in statuses}


def _ref(name: str) -> Node:
    return {"$ref": f"#/components/{name}"}
