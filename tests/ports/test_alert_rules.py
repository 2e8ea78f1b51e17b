"""Prometheus' own judges: the alert rules are sound, each is raised by its cause alone, and reaches somebody."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from tests.rig.promtool import amtool, promtool

OBSERVABILITY = Path(__file__).parents[2] / "deploy" / "observability"
RULES, TESTS = OBSERVABILITY / "alerts.yaml", OBSERVABILITY / "alerts_test.yaml"
ROUTES = OBSERVABILITY / "alertmanager.yaml"


def test_the_rules_are_sound() -> None:
    checked = promtool("check", "rules", "--lint=all", "--lint-fatal", RULES)
    assert checked.returncode == 0, checked.stderr
    assert f"{RULES.read_text(encoding='utf-8').count('- alert:')} rules found" in checked.stdout


def test_each_alert_is_raised_by_its_cause_and_ends_with_it() -> None:
    tried = promtool("test", "rules", TESTS)
    assert tried.returncode == 0, tried.stdout + tried.stderr


def test_a_rule_that_is_wrong_fails_its_test(tmp_path: Path) -> None:
    wrong, changes = re.subn(r"(what=\"holds\"\}\)) > 432000", r"\1 > 864000", RULES.read_text(encoding="utf-8"))
    assert changes == 1
    (tmp_path / RULES.name).write_text(wrong, encoding="utf-8")
    document = yaml.safe_load(TESTS.read_text(encoding="utf-8"))
    document["tests"] = [test for test in document["tests"] if "a hold is told" in test["name"]]
    assert len(document["tests"]) == 1
    (tmp_path / TESTS.name).write_text(json.dumps(document), encoding="utf-8")  # JSON is YAML
    tried = promtool("test", "rules", tmp_path / TESTS.name)
    assert tried.returncode != 0
    assert "HoldsOld" in tried.stdout + tried.stderr


def test_every_question_of_the_dashboard_can_be_read(tmp_path: Path) -> None:
    panels = json.loads((OBSERVABILITY / "dashboard.json").read_text(encoding="utf-8"))["panels"]
    asked = [target["expr"] for panel in panels for target in panel.get("targets", [])]
    rules = [{"record": f"asked:{number}", "expr": expr} for number, expr in enumerate(asked)]
    path = tmp_path / "asked.json"
    path.write_text(json.dumps({"groups": [{"name": "asked", "rules": rules}]}), encoding="utf-8")
    checked = promtool("check", "rules", path)
    assert checked.returncode == 0, checked.stderr


def test_the_routes_are_sound() -> None:
    checked = amtool("check-config", ROUTES)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize(
    ("severity", "receiver"), [("page", "pager"), ("ticket", "tickets"), ("unheard-of", "tickets")]
)
def test_no_alert_goes_to_nobody(severity: str, receiver: str) -> None:
    routed = amtool("config", "routes", "test", f"--config.file={ROUTES}", f"severity={severity}", "alertname=x")
    assert (routed.returncode, routed.stdout.strip()) == (0, receiver), routed.stderr
