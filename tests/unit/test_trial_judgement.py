"""When a story of a trial counts as ended as expected."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from services.cli.trial.day import load_day
from services.cli.trial.play import Outcome

SAMPLE = Path(__file__).parents[2] / "deploy" / "samples" / "day.yaml"
STORIES = {story.story: story for story in load_day(SAMPLE).stories}
HELD = Outcome(STORIES["question-asked"], "id", "lapsed", "proposed", "contested")


def test_the_sample_has_at_least_nine_stories() -> None:
    assert len(STORIES) >= 9


def test_state_sanction_and_hold_must_all_be_as_expected() -> None:
    assert HELD.ok
    assert not replace(HELD, state="served").ok
    assert not replace(HELD, sanction="fired").ok
    assert not replace(HELD, sanction=None).ok
    assert not replace(HELD, hold=None).ok


def test_a_chain_that_does_not_verify_is_never_as_expected() -> None:
    assert not replace(HELD, broken=("fact 2: was altered: its digest does not match",)).ok


@pytest.mark.parametrize("state", [None, "served"])
def test_a_refusal_is_expected_as_one(state: str | None) -> None:
    refused = Outcome(STORIES["out-of-scope"], None, "refused", None, None)
    assert refused.ok
    assert not replace(refused, state=state).ok
