"""The sample day, played as `make run` plays it; and what the law makes of it when an ingredient is another."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from services.kernel.adapters.embedded.postgres import EmbeddedPostgres
from tests.rig.house import duly, empty_folder, environment, python_for_others

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
        assert (stories["question-asked"]["hold"], stories["waiting-for-you"]["state"]) == ("contested", "served")
    first, second = (told(run.stdout) for run in runs)
    assert first["fee-paid-in-time"]["notice_id"] != second["fee-paid-in-time"]["notice_id"]


def test_another_ingredient_makes_another_end_for_another_user_too(folder: Path) -> None:
    """Played as an ordinary user, and with addresses in the environment that a trial must not touch."""
    day, stories = swapped("fee-paid-in-time", "alert-bounced", "registration-updated")
    stories["fee-paid-in-time"]["acts"] = [{"day": 5, "act": "question"}]
    stories["alert-bounced"]["mail"] = "delay"
    file = played(folder, day)
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


def test_in_a_terminal_inbox_console_and_mailbox_stay_open_until_ctrl_c(folder: Path) -> None:
    file = played(folder, swapped("waiting-for-you")[0])
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "services.cli", "trial", str(file)], cwd=folder, env=environment(TERM="xterm"),
        stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True,
    )  # fmt: skip
    os.close(terminal)
    try:
        said = read_until(controller, "to stop")
        inbox, console, mailbox = re.findall(r"http://127\.0\.0\.1:\d+", said)
        assert "all as expected" in said
        assert re.search(r"to answer +Lantern Bank Street\r", said)
        assert "acts for Lantern Bank Street" in httpx2.get(f"{inbox}/sign-in").text
        assert "compliance@lantern-bank.example" in httpx2.get(mailbox).text
        with httpx2.Client(base_url=console, follow_redirects=True) as officer:
            assert "Decision maker" in officer.get("/").text
            overview = officer.post("/sign-in", data={"person": "trial:decision_maker"}).text
            assert all(f"<td>{worker}</td>" in overview for worker in ("renderer", "relay", "inbox", "console"))
        process.send_signal(signal.SIGINT)
        read_until(controller, "closing")
        assert process.wait(30) == 0
    finally:
        process.kill()
        os.close(controller)
    for address in (inbox, console, mailbox):
        with pytest.raises(httpx2.ConnectError):
            httpx2.get(address)
    assert EmbeddedPostgres(folder / "var" / "trial" / "postgres").find() is None


def played(folder: Path, day: dict[str, Any]) -> Path:
    """The file of this day."""
    file = folder / "day.yaml"
    file.write_text(yaml.safe_dump(day, sort_keys=False))
    return file


def read_until(terminal: int, wanted: str) -> str:
    """What a terminal shows until these words."""
    said = ""
    while wanted not in said:
        ready, _, _ = select.select([terminal], [], [], 60)
        assert ready, said
        said += os.read(terminal, 65536).decode()
    return said


def test_what_a_business_does_in_its_inbox_is_refused_where_the_page_has_none(folder: Path) -> None:
    day, stories = swapped("registration-updated")
    stories["registration-updated"]["acts"] = [{"day": 1, "act": "inbox_answer"}]

    run = duly(folder, "trial", str(played(folder, day)), "--once")

    assert run.returncode == 2
    assert "registration-updated, day 1: inbox_answer cannot be done: the inbox takes no answer" in run.stderr


def test_every_fault_of_a_day_is_told_with_file_line_and_field(tmp_path: Path) -> None:
    day, stories = swapped("fee-paid-in-time", "payment-garbled", "waiting-for-you")
    stories["waiting-for-you"]["acts"] = [{"day": 3, "act": "inbox_read"}]
    stories["fee-paid-in-time"]["acts"] = [{"day": 90, "act": "pay"}]
    stories["payment-garbled"]["acts"] = [{"day": 3, "act": "mend_and_replay"}]
    stories["payment-garbled"]["request"]["address"] = stories["fee-paid-in-time"]["request"]["address"]
    file = played(tmp_path, day)

    run = duly(tmp_path, "trial", str(file))

    assert run.returncode == 2
    line = file.read_text().splitlines().index("  - day: 90") + 1
    assert f"{file}:{line}: stories.0.acts.0.day: the clock moves 40 days only" in run.stderr
    assert "stories.1.acts.0.act: nothing was spoilt before that could be mended" in run.stderr
    assert "stories.2.acts.0.day: upstream asks on day 35 only" in run.stderr
    assert "stories.1.request.address: two stories have this address" in run.stderr


def test_an_unknown_field_and_an_unknown_treatment_are_faults(tmp_path: Path) -> None:
    day, stories = swapped("fee-paid-in-time")
    stories["fee-paid-in-time"]["mail"] = "vanish"
    stories["fee-paid-in-time"]["request"]["colour"] = "red"
    file = played(tmp_path, day)

    run = duly(tmp_path, "trial", str(file))

    assert run.returncode == 2
    assert "stories.0.request.colour: " in run.stderr
    assert "unknown behaviour 'vanish'" in run.stderr
