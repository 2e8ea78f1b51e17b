"""The sample day, played as `make run` plays it; and what the law makes of it when an ingredient is another."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.rig.house import duly, empty_folder, python_for_others

SAMPLE = Path(__file__).parents[2] / "deploy" / "samples" / "day.yaml"
SOMEBODY = 65534
KEYS = {"story", "notice_id", "expected", "state", "sanction", "ok"}


@pytest.fixture
def folder() -> Iterator[Path]:
    with empty_folder() as made:
        yield made


def told(stdout: str) -> dict[str, dict[str, Any]]:
    stories = [json.loads(line) for line in stdout.splitlines()]
    assert all(story.keys() >= KEYS for story in stories)
    return {story["story"]: story for story in stories}


def swapped(*names: str) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The sample with these stories alone, and the stories by name, to be changed."""
    day = yaml.safe_load(SAMPLE.read_text())
    day["stories"] = [story for story in day["stories"] if story["story"] in names]
    return day, {story["story"]: story for story in day["stories"]}


def test_the_sample_day_ends_as_the_law_says_twice_on_the_same_data(folder: Path) -> None:
    runs = [duly(folder, "trial", "--once", "--json") for _ in range(2)]
    for run in runs:
        assert run.returncode == 0, run.stdout + run.stderr
        stories = told(run.stdout)
        assert len(stories) >= 9
        assert all(story["ok"] for story in stories.values())
        assert stories["alert-bounced"]["state"] == "unserved"
        assert stories["alert-bounced"]["sanction"] is None
        assert stories["out-of-scope"]["notice_id"] is None
        assert stories["bounced-after-sanction"]["sanction"] == "reversal_required"
    first, second = (told(run.stdout) for run in runs)
    assert first["fee-paid-in-time"]["notice_id"] != second["fee-paid-in-time"]["notice_id"]


def test_another_ingredient_makes_another_end_for_another_user_too(folder: Path) -> None:
    """Played as an ordinary user, and with addresses in the environment that a trial must not touch."""
    day, stories = swapped("fee-paid-in-time", "alert-bounced", "registration-updated")
    stories["fee-paid-in-time"]["acts"] = [{"day": 5, "act": "question"}]
    stories["alert-bounced"]["mail"] = "delay"
    file = folder / "day.yaml"
    file.write_text(yaml.safe_dump(day, sort_keys=False))
    folder.chmod(0o755)
    uid = SOMEBODY if os.geteuid() == 0 and python_for_others() else None
    if uid is not None:
        os.chown(folder, uid, uid)
    elsewhere = {"DULY_SMTP_URL": "smtp://mail.example:25", "DULY_BROKER_URL": "amqp://broker.example"}

    run = duly(folder, "trial", str(file), "--once", "--json", uid=uid, **elsewhere)

    assert run.returncode == 1, run.stdout + run.stderr
    ended = told(run.stdout)
    assert (ended["fee-paid-in-time"]["state"], ended["fee-paid-in-time"]["hold"]) == ("lapsed", "contested")
    assert (ended["alert-bounced"]["state"], ended["alert-bounced"]["sanction"]) == ("sanctioned", "fired")
    assert {name: story["ok"] for name, story in ended.items()} == {
        "fee-paid-in-time": False, "alert-bounced": False, "registration-updated": True,
    }  # fmt: skip


def test_every_fault_of_a_day_is_told_with_file_line_and_field(tmp_path: Path) -> None:
    day, stories = swapped("fee-paid-in-time", "payment-garbled")
    stories["fee-paid-in-time"]["acts"] = [{"day": 90, "act": "pay"}]
    stories["payment-garbled"]["acts"] = [{"day": 3, "act": "mend_and_replay"}]
    stories["payment-garbled"]["request"]["address"] = stories["fee-paid-in-time"]["request"]["address"]
    file = tmp_path / "day.yaml"
    file.write_text(yaml.safe_dump(day, sort_keys=False))

    run = duly(tmp_path, "trial", str(file))

    assert run.returncode == 2
    line = file.read_text().splitlines().index("  - day: 90") + 1
    assert f"{file}:{line}: stories.0.acts.0.day: the clock moves 40 days only" in run.stderr
    assert "stories.1.acts.0.act: nothing was spoilt before that could be mended" in run.stderr
    assert "stories.1.request.address: two stories have this address" in run.stderr


def test_an_unknown_field_and_an_unknown_treatment_are_faults(tmp_path: Path) -> None:
    day, stories = swapped("fee-paid-in-time")
    stories["fee-paid-in-time"]["mail"] = "vanish"
    stories["fee-paid-in-time"]["request"]["colour"] = "red"
    file = tmp_path / "day.yaml"
    file.write_text(yaml.safe_dump(day, sort_keys=False))

    run = duly(tmp_path, "trial", str(file))

    assert run.returncode == 2
    assert "stories.0.request.colour: " in run.stderr
    assert "unknown behaviour 'vanish'" in run.stderr
