"""The console's pages and words: every word that is said is there, and nothing is run or styled within a page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from services.console.app import PAGES
from services.console.roles import Act, Role
from services.kernel.adapters.pages import Pages
from services.kernel.adapters.pages.pages import KIT
from services.kernel.adapters.pages.words import read_words

CONSOLE = Path(__file__).parents[2] / "services" / "console"
TEMPLATES = sorted((CONSOLE / "templates").rglob("*.html"))
WORDS = read_words(KIT / "words", CONSOLE / "words")
_SAID = re.compile(r"\bt\('([a-z_]+(?:\.[a-z_]+)+)'[,)]")
_ASKED = re.compile(r"\b(?:may|there)\('([^']+)'\)")


def test_it_speaks_english_only_from_a_folder_of_files() -> None:
    assert set(WORDS) == {"en"}
    assert Pages(CONSOLE / "templates", CONSOLE / "words").languages == ("en",)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda each: each.name)
def test_every_word_of_a_template_is_there(template: Path) -> None:
    assert set(_SAID.findall(template.read_text())) - WORDS["en"].texts.keys() == set()


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda each: each.name)
def test_no_template_has_style_or_script_within(template: Path) -> None:
    text = template.read_text()
    assert re.findall(r"<style|\sstyle=|\son[a-z]+=|javascript:|\|\s*safe\b", text) == []
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", text))


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda each: each.name)
def test_templates_ask_for_acts_and_paths_that_exist(template: Path) -> None:
    known = {act.value for act in Act} | {page.path for page in PAGES if page.method == "GET"}
    assert set(_ASKED.findall(template.read_text())) <= known


def test_every_role_and_every_place_of_the_menu_has_its_words() -> None:
    said = WORDS["en"].texts.keys()
    assert {f"role.{role}.{what}" for role in Role for what in ("name", "about")} <= said
    assert {f"menu.{page.menu}" for page in PAGES if page.menu} <= said


def test_every_form_that_is_sent_brings_the_token() -> None:
    for template in TEMPLATES:
        text = template.read_text()
        if template.name == "sign_in.html":  # nobody is signed in yet
            continue
        forms = re.findall(r'<form[^>]*method="post".*?</form>', text, re.DOTALL)
        assert [form for form in forms if "csrf" not in form] == [], template.name
