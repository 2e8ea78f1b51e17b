"""The golden examples: every published version stays readable, and reads back as it was."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from schemas.catalogue import CATALOGUE
from schemas.cloudevents import CONTENT_TYPE, Envelope, read
from schemas.generate import ROOT

EXAMPLES = sorted((ROOT / "examples").glob("*/*.json"))
each = pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")


def canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def test_every_type_has_an_example_and_every_folder_is_a_type() -> None:
    assert {path.parent.name for path in EXAMPLES} == set(CATALOGUE)


def test_a_request_is_shown_as_a_trigger_and_as_a_caseworker_makes_it() -> None:
    requests = [json.loads(path.read_text())["data"] for path in EXAMPLES if path.parent.name == "notice.requested.v1"]
    assert {request["origin"] for request in requests} == {"automatic", "manual"}
    assert any("period" in request for request in requests)


@each
def test_example_is_an_event_of_its_folder_s_type(path: Path) -> None:
    event = read(path.read_bytes(), CONTENT_TYPE, {})
    assert event.type == path.parent.name
    assert len(event.wire()) <= CATALOGUE[event.type].most_bytes


@each
def test_example_envelope_round_trips(path: Path) -> None:
    event = read(path.read_bytes(), CONTENT_TYPE, {})
    assert canonical(json.loads(event.wire())) == canonical(json.loads(path.read_bytes()))
    assert Envelope.model_validate_json(event.wire()) == event


@each
def test_example_data_round_trips_through_its_model(path: Path) -> None:
    data = json.loads(path.read_bytes())["data"]
    message = CATALOGUE[path.parent.name].model.model_validate_json(json.dumps(data))
    assert canonical(message.model_dump(mode="json", exclude_unset=True)) == canonical(data)
    assert type(message).model_validate_json(message.model_dump_json()) == message


@each
def test_example_names_only_example_domains(path: Path) -> None:
    domains = re.findall(r"@([a-z0-9.-]+)", path.read_text())
    assert all(domain.endswith((".example", "example.com", "example.org", "example.net")) for domain in domains)
