"""What README says of settings, workers, states and commands is what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from services.cli.run import workers
from services.kernel.domain.notice import State

CHECKOUT = Path(__file__).parents[2]
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")


def test_every_setting_of_the_code_is_in_readme_and_no_other() -> None:
    named = re.compile(r"validation_alias=\"(DULY_[A-Z_]+)\"")
    real = {name for path in (CHECKOUT / "services").rglob("*.py") for name in named.findall(path.read_text())}
    pages = [CHECKOUT / "README.md", *(CHECKOUT / "services").glob("*/README.md")]
    assert {name for page in pages for name in re.findall(r"DULY_[A-Z_]+", page.read_text())} == real


def test_every_worker_is_in_readme() -> None:
    assert set(re.findall(r"^\| `([a-z]+)` \|", README, re.MULTILINE)) == set(workers())


@pytest.mark.parametrize("state", State)
def test_every_state_is_in_the_diagram(state: State) -> None:
    diagram = README.partition("## The states of a notice")[2].partition("## The workers")[0]
    assert state.value in diagram


def test_every_group_of_commands_that_readme_names_is_one() -> None:
    app = (CHECKOUT / "services" / "cli" / "app.py").read_text()
    registered = set(re.findall(r'name="([a-z-]+)", group=', app))
    assert set(re.findall(r"(?:^|`)duly ([a-z][a-z-]+)\b", README, re.MULTILINE)) <= registered


@pytest.mark.parametrize("link", re.findall(r"\]\(([a-z][^)]*)\)", README))
def test_every_link_leads_somewhere(link: str) -> None:
    assert (CHECKOUT / link).exists()
