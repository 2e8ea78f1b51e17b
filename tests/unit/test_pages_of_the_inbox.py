"""The inbox's pages and words: whole in both languages, without script or style of their own, and true to the law."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from markupsafe import Markup

from services.inbox.views import Stage
from services.kernel.adapters.pages import Pages
from services.kernel.adapters.pages.pages import KIT
from services.kernel.adapters.pages.words import FORMS, Words, read_words
from tests.web import gallery

WORDS = {"kit": KIT / "words", "inbox": gallery.INBOX / "words", "gallery": gallery.KIT / "words"}
LIBRARY = Path(__file__).parents[2] / "services" / "renderer" / "library"
SAID_WHERE_THEY_ARISE = ("age.", "faults.", "problem.", "kind.", "month.")
"""Words whose keys come from the program, not from a template: the gallery does not show all of them."""
EXHIBITS = [each for language in ("en", "cy") for each in gallery.exhibits(language)]


@pytest.fixture(scope="module")
def pages() -> Pages:
    return gallery.inbox_pages()


def leaves(node: object, path: str = "") -> Iterator[tuple[str, str | Mapping[str, str]]]:
    """Each key with its text or its plural forms, as the file has them."""
    assert isinstance(node, dict)
    for name, child in node.items():
        key = f"{path}{name}"
        if isinstance(child, str) or "other" in child:
            yield key, child
        else:
            yield from leaves(child, f"{key}.")


def texts_of(folder: Path, language: str) -> dict[str, str | Mapping[str, str]]:
    return dict(leaves(yaml.safe_load((folder / f"{language}.yaml").read_text())))


def placeholders(text: str | Mapping[str, str]) -> set[str]:
    forms = [text] if isinstance(text, str) else list(text.values())
    return {name for form in forms for name in re.findall(r"{(\w+)}", form)}


@pytest.mark.parametrize("site", WORDS)
def test_both_languages_have_the_same_words_with_the_same_placeholders(site: str) -> None:
    english, welsh = texts_of(WORDS[site], "en"), texts_of(WORDS[site], "cy")
    assert english.keys() == welsh.keys()
    assert {key: placeholders(text) for key, text in english.items()} == {
        key: placeholders(text) for key, text in welsh.items()
    }
    assert {key for key, text in english.items() if not isinstance(text, str)} == {
        key for key, text in welsh.items() if not isinstance(text, str)
    }


def test_welsh_is_welsh() -> None:
    english, welsh = texts_of(WORDS["inbox"], "en"), texts_of(WORDS["inbox"], "cy")
    same = {key for key, text in english.items() if text == welsh[key]}
    assert same == {"message.digest", "given.digest"}


def test_every_plural_rule_answers_with_a_form_of_its_language() -> None:
    for forms, rule in FORMS.values():
        assert {rule(count) for count in range(201)} == forms


@pytest.mark.parametrize("exhibit", EXHIBITS, ids=lambda each: f"{each.language}-{each.name}")
def test_page_has_no_script_and_no_style_of_its_own(pages: Pages, exhibit: gallery.Exhibit) -> None:
    answer = pages.write(exhibit.template, exhibit.language, exhibit.status, **exhibit.values)
    parts = Parts()
    parts.feed(bytes(answer.body).decode())
    assert parts.open == []
    assert not parts.tags & {"script", "style", "iframe", "object", "embed", "base"}
    assert not {name for name in parts.attributes if name == "style" or name.startswith("on")}
    assert len(parts.ids) == len(set(parts.ids))
    assert parts.pointed <= set(parts.ids)
    assert answer.status_code == exhibit.status


@pytest.mark.parametrize("exhibit", EXHIBITS, ids=lambda each: f"{each.language}-{each.name}")
def test_every_form_of_a_reader_brings_their_token_first(pages: Pages, exhibit: gallery.Exhibit) -> None:
    body = bytes(pages.write(exhibit.template, exhibit.language, **exhibit.values).body).decode()
    forms = re.findall(r"<form\b[^>]*>\s*(<[^>]*>)", body)
    if exhibit.values.get("reader"):
        token = '<input type="hidden" name="csrf" value="00000000000000000000000000000000">'
        assert forms == [token] * body.count("<form")


def test_every_word_is_said_somewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    said: set[str] = set()
    text = Words.text

    def heard(self: Words, key: str, /, **values: object) -> Markup:
        said.add(key)
        return text(self, key, **values)

    monkeypatch.setattr(Words, "text", heard)
    pages, kit = gallery.inbox_pages(), gallery.kit_pages()
    for each in EXHIBITS:
        pages.write(each.template, each.language, **each.values)
    kit.write("kit.html", "en", reader=gallery.reader("en"), day=gallery.TODAY)
    known = read_words(WORDS["kit"], WORDS["inbox"])["en"].texts.keys()
    assert {key for key in known - said if not key.startswith(SAID_WHERE_THEY_ARISE)} == set()


def test_every_stage_and_every_sanction_of_the_library_has_words() -> None:
    words = read_words(WORDS["kit"], WORDS["inbox"])["en"]
    sanctions = {
        name
        for regime in LIBRARY.glob("*/regime.yaml")
        for name in yaml.safe_load(regime.read_text()).get("sanctions", {})
    }
    asked = {f"{when}.{sanction}" for when in ("follows", "now", "happened") for sanction in sanctions}
    asked |= {f"stage.{stage}.{part}" for stage in Stage for part in ("tag", "title", "about")}
    assert sanctions
    assert asked - words.texts.keys() == set()


def test_every_problem_and_fault_that_the_program_tells_has_words() -> None:
    program = "".join(file.read_text() for file in sorted(gallery.INBOX.glob("*.py")))
    problems = set(re.findall(r'Problem\([\w. ]+, "(\w+)"', program))
    faults = set(re.findall(r'_fault\("\w+", "(\w+)"', program))
    known = read_words(WORDS["kit"], WORDS["inbox"])["en"].texts.keys()
    assert "not_found" in problems
    assert "kind_missing" in faults
    assert {f"problem.{key}.{part}" for key in problems for part in ("title", "about")} - known == set()
    assert {f"faults.{key}" for key in faults} - known == set()


def page_of(pages: Pages, name: str, language: str = "en") -> str:
    each = next(each for each in gallery.exhibits(language) if each.name == name)
    body = bytes(pages.write(each.template, language, **each.values).body).decode()
    return " ".join(re.sub(r"<[^>]*>", " ", body).split())


def test_open_notice_says_when_its_time_ends_and_what_follows(pages: Pages) -> None:
    page = page_of(pages, "notice-open")
    assert "Answer by 13 December 2026" in page
    assert "21 days left" in page
    assert "by 11.59pm on 13 December 2026 (GMT)" in page
    assert "your registration can be cancelled" in page


def test_notice_that_asks_for_a_payment_says_pay_and_that_it_cannot_be_paid_here(pages: Pages) -> None:
    page = page_of(pages, "notice-fee")
    assert "Pay by 13 December 2026" in page
    assert "You cannot pay here" in page


@pytest.mark.parametrize("stage", [Stage.ANSWERED, Stage.CLOSED, Stage.NOT_SERVED, Stage.WITHDRAWN])
def test_notice_that_is_over_threatens_nothing_and_asks_for_nothing(pages: Pages, stage: Stage) -> None:
    page = page_of(pages, f"notice-{stage}")
    assert "cancelled" not in page
    assert "Answer this notice" not in page


def test_receipt_says_the_second_and_that_it_is_safe(pages: Pages) -> None:
    page = page_of(pages, "received")
    assert "Received at 09:12:41 on 22 November 2026 (GMT)" in page
    assert "stored safely" in page
    assert "it was received in time" in page


def test_a_consequence_that_is_doubted_or_undone_is_not_told_as_if_it_stood(pages: Pages) -> None:
    doubted = page_of(pages, "notice-reversal")
    assert "Your registration was cancelled" in doubted
    assert "It stands until a person has decided" in doubted
    undone = page_of(pages, "notice-undone")
    assert "has been taken back" in undone
    assert "was cancelled" not in undone


def test_the_form_says_how_long_one_may_write_and_never_that_more_can_follow(pages: Pages) -> None:
    page = page_of(pages, "answer")
    assert "within 30 minutes" in page
    assert "once we have what the notice asks for, nothing more can be sent here" in page


def test_who_was_signed_out_is_told_that_the_answer_was_not_received(pages: Pages) -> None:
    assert "What you sent just now was not received" in page_of(pages, "problem-session_ended")


def test_question_is_said_to_move_no_deadline(pages: Pages) -> None:
    page = page_of(pages, "received-question")
    assert "A person looks at it before anything follows" in page
    assert "The deadline stays where it is: 11.59pm on 13 December 2026 (GMT)" in page


def test_late_answer_is_never_said_to_be_in_time(pages: Pages) -> None:
    page = page_of(pages, "received-late")
    assert "after the deadline" in page
    assert "in time" not in page


def test_message_in_the_other_language_says_so_and_carries_its_own(pages: Pages) -> None:
    each = next(each for each in gallery.exhibits("en") if each.name == "notice-other-language")
    body = bytes(pages.write(each.template, "en", **each.values).body).decode()
    assert '<div class="served-body" lang="cy">' in body
    assert '<h1 lang="cy">' in body
    assert "It was served in Welsh." in body


class Parts(HTMLParser):
    """What a page is made of: its elements, closed in order; ids; what points at ids."""

    VOID = frozenset({"meta", "link", "input", "path", "rect", "polyline", "br", "hr", "img"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.ids: list[str] = []
        self.pointed: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attrs:
            self._see(name, value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def _see(self, name: str, value: str) -> None:
        self.attributes.add(name)
        if name == "id":
            self.ids.append(value)
        elif name in {"for", "aria-describedby", "aria-labelledby"}:
            self.pointed |= set(value.split())
        elif name == "href" and value.startswith("#"):
            self.pointed.add(value[1:])
