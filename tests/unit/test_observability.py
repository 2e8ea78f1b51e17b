"""Rules, dashboard, runbooks and the page of metrics say what the code measures, and what `duly` can do."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cyclopts import CycloptsError

from services.cli.app import app
from services.cli.run import workers
from services.kernel.adapters.web.counting import OUTCOMES
from services.kernel.domain.impact import Impact
from services.kernel.ledger import Figure
from services.kernel.runtime.measures import FIGURES, Measures

CHECKOUT = Path(__file__).parents[2]
OBSERVABILITY = CHECKOUT / "deploy" / "observability"
RUNBOOKS = sorted((CHECKOUT / "deploy" / "runbooks").glob("*.md"))
PAGE = (OBSERVABILITY / "METRICS.md").read_text(encoding="utf-8")
HEADINGS = ["What it means", "See it", "Do", "Do not", "Over when"]
OF_PROMETHEUS = {"up": {"job", "instance"}}
OF_THE_SCRAPE = {"job", "instance", "le"}


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((OBSERVABILITY / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    read: dict[str, Any] = json.loads((OBSERVABILITY / "dashboard.json").read_text(encoding="utf-8"))
    return read


def measured() -> dict[str, set[str]]:
    """Every family of metrics that a process registers, with its labels; a counter by the name that it is asked by."""
    found = {}
    for collector in vars(Measures()).values():
        for gauge in collector.values() if isinstance(collector, dict) else [collector]:
            if hasattr(gauge, "_labelnames"):
                (family,) = gauge.describe()
                name = f"{family.name}_total" if family.type == "counter" else family.name
                found[name] = set(gauge._labelnames)
    return found


def queries() -> list[str]:
    """Every question put to Prometheus, by a rule or by the dashboard."""
    asked = [target["expr"] for panel in dashboard()["panels"] for target in panel.get("targets", [])]
    return [rule["expr"] for rule in rules()] + asked


def selectors(query: str) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """The metrics that a query names, each with its labels and what they must be."""
    for name, _, matchers in re.findall(r"\b(duly_[a-z_]+|up)\b(\{([^}]*)\})?", query):
        yield name, re.findall(r'(\w+)\s*[!=]~?\s*"([^"]*)"', matchers)


def family(name: str) -> str:
    """A histogram is asked by its buckets, its sum and its count."""
    return re.sub(r"_(bucket|sum|count)$", "", name)


def documented() -> dict[str, set[str]]:
    rows = re.findall(r"^\| `(duly_\w+)` \| (.+?) \|", PAGE, re.MULTILINE)
    return {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows}


def values(heading: str) -> set[str]:
    """The first column of the page's table that has this heading."""
    table = PAGE.partition(f"| {heading} |")[2].partition("\n\n")[0]
    return set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE))


def outcomes() -> set[str]:
    """What the doors' code counts a call as."""
    texts = [path.read_text(encoding="utf-8") for path in (CHECKOUT / "services" / "callbacks").rglob("*.py")]
    named = r'(?:return |Refused\(\d+, |outcome, body = \(|else \()"([a-z]+)",'
    return set(OUTCOMES) | {word for text in texts for word in re.findall(named, text)}


# --- metrics ----------------------------------------------------------------------------------------------------------


def test_every_metric_of_the_code_is_on_the_page_with_its_labels_and_no_other() -> None:
    assert documented() == measured()
    assert {f"duly_{name}" for name in FIGURES} <= documented().keys()


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_that_the_database_names_no_more_is_forgotten(name: str) -> None:
    measures = Measures()
    label = {FIGURES[name][1]: "x"}
    measures.stand("relay", [Figure(name, "x", 3.0)])
    assert measures.registry.get_sample_value(f"duly_{name}", label) == 3.0
    measures.stand("relay", [])
    assert measures.registry.get_sample_value(f"duly_{name}", label) is None


def test_every_impact_of_a_dead_letter_is_on_the_page_and_no_other() -> None:
    assert values("`impact` of dead letters") == set(Impact)


def test_every_outcome_at_a_door_is_on_the_page_and_no_other() -> None:
    assert values("`outcome`") == outcomes()


@pytest.mark.parametrize("query", queries())
def test_every_query_asks_for_metrics_and_labels_that_there_are(query: str) -> None:
    known = measured() | OF_PROMETHEUS
    found = list(selectors(query))
    assert found, "it asks for nothing of ours"
    for name, matchers in found:
        assert {label for label, _ in matchers} <= known[family(name)] | OF_THE_SCRAPE
    grouped = {label.strip() for inner in re.findall(r"\b(?:by|on)\s*\(([^)]*)\)", query) for label in inner.split(",")}
    assert grouped - {""} <= OF_THE_SCRAPE.union(*(known[family(name)] for name, _ in found))


@pytest.mark.parametrize("query", queries())
def test_every_value_that_a_query_looks_for_may_be_there(query: str) -> None:
    gate = (CHECKOUT / "services" / "kernel" / "domain" / "gate.py").read_text(encoding="utf-8")
    may_be = {
        ("duly_waiting", "what"): values("`what` waits"),
        ("duly_oldest_seconds", "what"): values("`what` waits"),
        ("duly_silence_seconds", "what"): values("`what` is silent"),
        ("duly_stopped", "what"): {"mail"},
        ("duly_gate_waiting", "reason"): set(re.findall(r'Reason\(\s*"(\w+)"', gate)),
        ("duly_door_calls_total", "outcome"): outcomes(),
        ("duly_worker_started_timestamp_seconds", "worker"): {*workers(), "up"},
        ("duly_dead_letters_impact", "impact"): values("`impact` of dead letters"),
        ("up", "job"): {"duly"},
    }
    for name, matchers in selectors(query):
        for label, value in matchers:
            assert set(value.split("|")) <= may_be[(name, label)]


def test_every_metric_is_on_the_dashboard() -> None:
    shown = {family(name) for panel in dashboard()["panels"] for target in panel.get("targets", [])
             for name, _ in selectors(target["expr"])}  # fmt: skip
    assert shown - OF_PROMETHEUS.keys() == measured().keys()


def test_panels_do_not_overlap_and_each_says_what_it_shows() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        assert panel["title"]
        assert panel["type"] == "row" or panel["description"]
        taken |= cells
    ids = [panel["id"] for panel in dashboard()["panels"]]
    assert len(set(ids)) == len(ids)


# --- alerts and runbooks ----------------------------------------------------------------------------------------------


def test_every_alert_has_its_runbook_and_every_runbook_its_alert() -> None:
    named = {CHECKOUT / rule["annotations"]["runbook"] for rule in rules()}
    assert named == set(RUNBOOKS)
    for rule in rules():
        path = CHECKOUT / rule["annotations"]["runbook"]
        assert path.stem == re.sub(r"(?<!^)([A-Z])", r"-\1", rule["alert"]).lower()
        assert path.read_text(encoding="utf-8").startswith(f"# {rule['alert']}\n")


def test_every_alert_says_how_urgent_it_is_and_what_is_wrong() -> None:
    for rule in rules():
        assert rule["labels"]["severity"] in {"page", "ticket"}, rule["alert"]
        assert rule["annotations"]["summary"]
    assert len({rule["alert"] for rule in rules()}) == len(rules())


def test_every_alert_is_tried_both_ways() -> None:
    tests = yaml.safe_load((OBSERVABILITY / "alerts_test.yaml").read_text(encoding="utf-8"))["tests"]
    tried = [each for test in tests for each in test["alert_rule_test"]]
    for rule in rules():
        told = [bool(each.get("exp_alerts")) for each in tried if each["alertname"] == rule["alert"]]
        assert set(told) == {True, False}, rule["alert"]


def test_every_alert_is_repeated_until_its_cause_is_gone_and_its_end_is_told() -> None:
    settings = yaml.safe_load((OBSERVABILITY / "alertmanager.yaml").read_text(encoding="utf-8"))
    routes = {route["matchers"][0]: route for route in settings["route"]["routes"]}
    assert set(routes) == {'severity="page"', 'severity="ticket"'}
    assert all(route["repeat_interval"] in {"1h", "24h"} for route in routes.values())
    receivers = {receiver["name"]: receiver for receiver in settings["receivers"]}
    for route in [settings["route"], *routes.values()]:
        (hook,) = receivers[route["receiver"]]["webhook_configs"]
        assert hook["send_resolved"] is True


@pytest.mark.parametrize("path", RUNBOOKS, ids=lambda path: path.stem)
def test_a_runbook_answers_what_a_person_asks_at_night(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == HEADINGS
    assert commands(text), "it shows nothing to look with"
    for link in re.findall(r"\]\(([^)]+)\)", text):
        assert (path.parent / link).exists()


def commands(text: str) -> list[str]:
    """What a runbook tells a person to type."""
    return re.findall(r"^(duly .+)$", text, re.MULTILINE) + re.findall(r"`(duly [^`]+)`", text)


@pytest.mark.parametrize("path", RUNBOOKS, ids=lambda path: path.stem)
def test_every_command_of_a_runbook_is_one_with_these_options_and_values(path: Path) -> None:
    for command in commands(path.read_text(encoding="utf-8")):
        words = shlex.split(command)[1:]
        chain, _, _ = app.parse_commands(words)
        assert chain, command
        try:
            app.parse_args(words, exit_on_error=False, print_error=False)
        except CycloptsError as fault:
            pytest.fail(f"{command}: {fault}")


@pytest.mark.parametrize("path", RUNBOOKS, ids=lambda path: path.stem)
def test_every_setting_metric_and_worker_that_a_runbook_names_is_one(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    settings = {
        name
        for code in (CHECKOUT / "services").rglob("*.py")
        for name in re.findall(r'validation_alias="(DULY_[A-Z_]+)"', code.read_text(encoding="utf-8"))
    }
    assert set(re.findall(r"DULY_[A-Z_]+", text)) <= settings
    assert {family(name) for name in re.findall(r"duly_[a-z_]+", text)} <= measured().keys()
    assert set(re.findall(r"duly run ([a-z]+)", text)) <= set(workers())
