"""Every example in schemas/README.md does what it says."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

import pytest

from schemas.catalogue import CATALOGUE
from schemas.cloudevents import CONTENT_TYPE, read
from schemas.generate import ROOT
from services.kernel.ports import Outgoing

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"^```python\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
JSON = [json.loads(block) for block in re.findall(r"^```json\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)]


class Confirming:
    """Takes everything, and keeps it to be looked at."""

    def __init__(self) -> None:
        self.sent: list[Outgoing] = []

    async def publish(self, messages: Sequence[Outgoing]) -> set[int]:
        self.sent += messages
        return {message.key for message in messages}

    async def close(self) -> None: ...


@pytest.mark.parametrize("block", PYTHON, ids=range(len(PYTHON)))
def test_python_example_publishes_a_message_that_duly_reads(block: str, monkeypatch: pytest.MonkeyPatch) -> None:
    broker = Confirming()
    monkeypatch.setattr("services.upstream.publisher.open_broker", lambda *_: broker)
    exec(block, {})
    (message,) = broker.sent
    event = read(message.body, message.content_type, message.headers)
    CATALOGUE[event.type].model.model_validate(event.data)
    assert (message.routing_key, message.message_id, message.user_id) == (event.type, event.id, "fees")
    assert (message.content_type, message.mandatory, event.source) == (CONTENT_TYPE, True, "fees")


def test_wire_examples_in_both_modes_are_the_same_event() -> None:
    structured, binary = JSON
    event = read(json.dumps(structured).encode(), CONTENT_TYPE, {})
    assert event == read(json.dumps(binary["body"]).encode(), "application/json", binary["headers"])
    CATALOGUE[event.type].model.model_validate(event.data)


def test_readme_names_the_routing_key_and_content_type_that_count() -> None:
    assert f"`{CONTENT_TYPE}`" in TEXT
    assert "`obligation.satisfied.v1`" in TEXT
