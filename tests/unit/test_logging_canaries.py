"""No secret and no content reaches a log, whichever way it is pushed at it."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator
from enum import StrEnum
from uuid import UUID

import pytest
import structlog

from services.kernel.runtime.fault import Fault
from services.kernel.runtime.logging import LOGGABLE, WITHHELD, configure, logger

CANARIES = (
    "canary.person@example.org",
    "Dear Ms Canary, your fee is outstanding",
    "amqp://duly:canary-password@broker.example/",
    "k1:63616e617279",
    "line\nbreak: canary",
)
NOTICE = UUID("01890a5d-ac96-774b-bcce-b302099a8057")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


@pytest.fixture(params=[io.StringIO, Terminal], ids=["json", "terminal"])
def out(request: pytest.FixtureRequest) -> io.StringIO:
    stream: io.StringIO = request.param()
    configure("notifier", "debug", stream)
    return stream


@pytest.fixture
def lines() -> io.StringIO:
    stream = io.StringIO()
    configure("notifier", "info", stream)
    return stream


def last(lines: io.StringIO) -> dict[str, object]:
    told: dict[str, object] = json.loads(lines.getvalue().splitlines()[-1])
    return told


def raise_with(text: str, kind: type[Exception] = ValueError) -> None:
    raise kind(text)  # `text` is a local too: a renderer that shows locals would show it


@pytest.mark.parametrize("canary", CANARIES)
def test_canary_never_reaches_a_log(out: io.StringIO, canary: str) -> None:
    log = logger()
    log.info(canary)
    log.info("alert.send", address=canary, content=canary, password=canary, token=canary, body=canary.encode())
    log.info("alert.send", error=canary, exception=canary, message=canary, frames=[canary], worker=canary, level=canary)
    log.info("alert.send", data={"name": canary}, reasons={canary: 1}, **{canary: 1})
    log.info("alert.send %s", canary)
    structlog.contextvars.bind_contextvars(recipient=canary)
    log.bind(subject=canary).warning("alert.send")
    try:
        raise_with(canary)
    except ValueError:
        log.exception("alert.fail")
    logging.getLogger("kombu").error("lost %s", canary)
    logging.getLogger("asyncio").error(canary, exc_info=ValueError(canary))
    assert out.getvalue()
    for part in (canary, "canary.person", "Ms Canary", "canary-password", "63616e617279", "break: canary"):
        assert part not in out.getvalue()


@pytest.mark.parametrize("canary", [canary for canary in CANARIES if not re.fullmatch(r"[\w.:/+-]+", canary)])
@pytest.mark.parametrize("key", sorted(LOGGABLE))
def test_content_under_a_permitted_key_is_withheld(lines: io.StringIO, key: str, canary: str) -> None:
    logger().info("batch.settle", **{key: canary})
    assert last(lines)[key] == WITHHELD
    logger().info("batch.settle", **{key: [canary]})
    assert last(lines)[key] == [WITHHELD]


def test_one_line_an_event_with_utc_time_worker_and_facts(lines: io.StringIO) -> None:
    class State(StrEnum):
        SERVED = "served"

    logger().info("notice.serve", notice_id=NOTICE, state=State.SERVED, seconds=0.25, items=3)
    logger().info("batch.settle", reasons=("smtp.550", "5.1.1"))
    first, second = lines.getvalue().splitlines()
    told = json.loads(first)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", told.pop("timestamp"))
    assert told == {
        "event": "notice.serve",
        "notice_id": str(NOTICE),
        "state": "served",
        "seconds": 0.25,
        "items": 3,
        "level": "info",
        "worker": "notifier",
    }
    assert json.loads(second)["reasons"] == ["smtp.550", "5.1.1"]


def test_unlisted_key_is_named_and_its_value_withheld(lines: io.StringIO) -> None:
    logger().info("notice.serve", colour="red")
    assert last(lines)["colour"] == WITHHELD


def test_exception_is_told_by_class_cause_and_place(lines: io.StringIO) -> None:
    try:
        try:
            raise_with("Key (address)=(canary@example.org)", KeyError)
        except KeyError as error:
            raise RuntimeError("canary") from error
    except RuntimeError:
        logger().exception("batch.fail")
    told = last(lines)
    assert told["error"] == "builtins.RuntimeError"
    assert told["causes"] == ["builtins.KeyError"]
    assert isinstance(told["frames"], list)
    assert re.fullmatch(r"tests/unit/test_logging_canaries\.py:\d+ test_exception_is\w+", told["frames"][-1])
    assert "message" not in told


def test_message_of_our_own_fault_is_told(lines: io.StringIO) -> None:
    try:
        raise_with("the broker is away", Fault)
    except Fault:
        logger().exception("broker.lose")
    assert last(lines)["message"] == "the broker is away"


def test_less_than_the_level_is_not_written(lines: io.StringIO) -> None:
    logger().debug("batch.take", items=1)
    assert lines.getvalue() == ""


def test_exception_passed_as_a_fact_is_told_in_words_only_if_it_is_ours(lines: io.StringIO) -> None:
    logger().error("worker.refuse", fault=Fault("no broker", "127.0.0.1:5672"))
    assert last(lines)["fault"] == "no broker -- 127.0.0.1:5672"
    logger().error("worker.refuse", fault=ConnectionError("amqp://duly:canary@broker"))
    assert last(lines)["fault"] == "builtins.ConnectionError"


def test_a_line_may_name_the_worker_it_is_about(lines: io.StringIO) -> None:
    logger().info("batch.settle", worker="bounces")
    assert last(lines)["worker"] == "bounces"
