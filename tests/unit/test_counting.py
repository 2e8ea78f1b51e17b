"""Every call at an HTTP door is counted once, by what became of it."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from services.kernel.adapters.web.counting import OUTCOMES, Counted
from services.kernel.runtime.measures import Measures

CALL = {"type": "http"}


async def nothing() -> MutableMapping[str, Any]:
    return {"type": "http.disconnect"}


async def into_the_void(_message: MutableMapping[str, Any]) -> None:
    """What the caller would see."""


def counted(measures: Measures) -> dict[str, float]:
    return {
        sample.labels["outcome"]: sample.value
        for metric in measures.registry.collect()
        for sample in metric.samples
        if sample.name == "duly_door_calls_total" and sample.labels["door"] == "inbox" and sample.value
    }


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, "answered"), (303, "answered"), (400, "refused"), (404, "refused"), (429, "limited"), (500, "failed"),
        (502, "failed"), (503, "away"), (599, "failed"),
    ],
)  # fmt: skip
async def test_a_call_counts_by_its_answer(status: int, outcome: str) -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": status})
        await send({"type": "http.response.body", "body": b""})

    measures = Measures()
    await Counted(app, measures, "inbox")(CALL, nothing, into_the_void)
    assert counted(measures) == {outcome: 1.0}


async def test_a_caller_who_leaves_before_the_answer_counts_as_broken() -> None:
    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        await receive()

    measures = Measures()
    await Counted(app, measures, "inbox")(CALL, nothing, into_the_void)
    assert counted(measures) == {"broken": 1.0}


async def test_a_fault_counts_even_after_the_answer_began_and_is_passed_on() -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        raise ZeroDivisionError

    measures = Measures()
    with pytest.raises(ZeroDivisionError):
        await Counted(app, measures, "inbox")(CALL, nothing, into_the_void)
    assert counted(measures) == {"failed": 1.0}


def test_every_outcome_is_told_before_there_is_any() -> None:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None: ...

    measures = Measures()
    Counted(app, measures, "inbox")
    told = [
        measures.registry.get_sample_value("duly_door_calls_total", {"door": "inbox", "outcome": each})
        for each in OUTCOMES
    ]
    assert told == [0.0] * len(OUTCOMES)


async def test_what_is_no_call_is_not_counted() -> None:
    seen: list[str] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope["type"])

    measures = Measures()
    await Counted(app, measures, "inbox")({"type": "lifespan"}, nothing, into_the_void)
    assert seen == ["lifespan"]
    assert counted(measures) == {}
