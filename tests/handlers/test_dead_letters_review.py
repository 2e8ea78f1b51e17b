"""Dead letters against those who mean ill: what is locked stays locked, and nothing that comes is lost."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from services.kernel.domain.persons import same_person
from services.kernel.runtime.dead_letters import edits
from services.kernel.runtime.fault import Fault
from tests.handlers.bench import IDS, Bench
from tests.handlers.dead_letter_bench import LEWIS, Letters, letters_on
from tests.rig.system import fee_outstanding

REQUESTED = "notice.requested.v1"


@pytest.fixture
async def letters(bench: Bench) -> AsyncIterator[Letters]:
    async with letters_on(bench) as made:
        yield made


# --- what is locked ---------------------------------------------------------------------------------------------------


def request_of(**changes: Any) -> dict[str, Any]:
    asked = {"specversion": "1.0", "id": "e-1", **fee_outstanding("n")}
    return {**asked, "data": {**asked["data"], **changes}}


def test_a_name_with_a_dot_hides_no_change_of_a_locked_field() -> None:
    before = request_of()
    after = {**request_of(matter="another"), "data.matter": before["data"].get("matter")}
    found = edits.diff(json.dumps(before).encode(), json.dumps(after).encode(), REQUESTED)
    assert any(each.locked and each.path == "data.matter" and each.after == '"another"' for each in found), found


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"period": {"days": 20}}, {"period": ["days"]}), ({"matter": ["x"]}, {"matter": {"0": "x"}}),
        ({"matter": 1}, {"matter": 1.0}), ({"matter": "1"}, {"matter": 1}),
        ({"matter": "e\u0301"}, {"matter": "\u00e9"}),
        ({"period": {}}, {}), ({}, {"matter": None}),
        ({"period": {"days": 20, "reason": "r"}}, {"period": {"days": 20.5}}),
    ],
)  # fmt: skip
def test_another_form_of_a_locked_value_is_a_change_of_it(before: dict[str, Any], after: dict[str, Any]) -> None:
    found = edits.diff(json.dumps({"data": before}).encode(), json.dumps({"data": after}).encode(), REQUESTED)
    assert any(each.locked for each in found), found


async def test_an_edit_that_says_one_thing_twice_is_refused(letters: Letters) -> None:
    [failed_id] = await letters.die(request_of())
    twice = json.dumps(request_of(language="cy")).replace('"language"', '"language": "en", "language"').encode()
    with pytest.raises(Fault, match="language stands twice"):
        await edits.propose(letters.desk, IDS, failed_id, twice, LEWIS)


async def test_a_body_that_can_be_read_is_checked_whatever_it_is_proposed_as(letters: Letters) -> None:
    failed_id = await torn(letters)
    for body in (json.dumps({**request_of(), "source": "elsewhere"}).encode(), json.dumps(request_of()).encode()):
        with pytest.raises(Fault, match="can be read, so that"):
            await edits.propose(letters.desk, IDS, failed_id, body, LEWIS, raw=True)
    assert (await edits.propose(letters.desk, IDS, failed_id, b"torn still", LEWIS, raw=True)).raw


async def torn(letters: Letters) -> UUID:
    [failed_id] = await letters.die(request_of(), reason="not JSON")
    query = "UPDATE failed_item SET body = 'torn', event_id = 'sha256:x' WHERE failed_id = $1 RETURNING failed_id"
    found: UUID = await letters.bench.value(query, failed_id)
    return found


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("A. Lewis", "A.  Lewis ", True), ("A. Lewis", "A.\u00a0Lewis", True), ("A. Lewis", "A. Lew\u200bis", True),
        ("Zo\u00eb", "Zoe\u0308", True), ("\uff21. Lewis", "A. Lewis", True), ("Ann Price [a7c1]", "a7c1", True),
        ("a7c1", "Ann Price [a7c1]", True), ("Ann Price [a7c1]", "Ann Price [b2]", False),
        ("\u200b", "A. Lewis", True), ("A. Lewis", "B. Moore", False),
    ],
)  # fmt: skip
def test_a_person_is_the_same_however_the_name_is_written(one: str, other: str, same: bool) -> None:
    assert same_person(one, other) is same
