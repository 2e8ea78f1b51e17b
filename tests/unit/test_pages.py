"""The kit writes what it is given, escaped, in the forms that each language has, and nothing by guess."""

from __future__ import annotations

import re
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from jinja2 import TemplateSyntaxError, UndefinedError
from markupsafe import Markup
from starlette.applications import Starlette
from starlette.testclient import TestClient

from services.kernel.adapters.pages import Pages
from services.kernel.adapters.pages.pages import KIT
from services.kernel.adapters.pages.words import WordsFault

LONDON = ZoneInfo("Europe/London")
WORDS = {
    "en": 'site: {name: Site}\nhello: "Hello {name}"\ndays: {one: "{count} day", other: "{count} days"}\n',
    "cy": 'site: {name: Safle}\nhello: "Helo {name}"\ndays: {zero: "{count} diwrnod", one: "{count} diwrnod", '
    'two: "{count} ddiwrnod", few: "{count} diwrnod", many: "{count} diwrnod", other: "{count} diwrnod"}\n',
}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    for folder in ("templates", "words"):
        (tmp_path / folder).mkdir()
    for language, words in WORDS.items():
        (tmp_path / "words" / f"{language}.yaml").write_text(words)
    return tmp_path


def written(site: Path, template: str, language: str = "en", **values: object) -> str:
    (site / "templates" / "page.html").write_text(template)
    answer = Pages(site / "templates", site / "words").write("page.html", language, **values)
    return bytes(answer.body).decode()


def test_values_are_escaped_in_pages_and_in_words(site: Path) -> None:
    assert written(site, "{{ who }} {{ t('hello', name=who) }}", who="<b>") == "&lt;b&gt; Hello &lt;b&gt;"


def test_what_a_filter_makes_of_a_constant_is_in_the_pages_own_language(site: Path) -> None:
    assert [written(site, "{{ 640 | size }}", language) for language in ("en", "cy")] == ["640 bytes", "640 beit"]


def test_markup_goes_into_words_as_it_is(site: Path) -> None:
    assert written(site, "{{ t('hello', name=who) }}", who=Markup("<b>A</b>")) == "Hello <b>A</b>"


def test_braces_of_a_value_are_text(site: Path) -> None:
    assert written(site, "{{ t('hello', name=who) }}", who="{count} {0.__class__}") == "Hello {count} {0.__class__}"


@pytest.mark.parametrize(("count", "form"), [(0, "0 days"), (1, "1 day"), (2, "2 days")])
def test_english_has_two_forms(site: Path, count: int, form: str) -> None:
    assert written(site, "{{ t('days', count=n) }}", n=count) == form


@pytest.mark.parametrize(("count", "form"), [(1, "1 diwrnod"), (2, "2 ddiwrnod"), (3, "3 diwrnod"), (21, "21 diwrnod")])
def test_welsh_mutates_after_two(site: Path, count: int, form: str) -> None:
    assert written(site, "{{ t('days', count=n) }}", "cy", n=count) == form


@pytest.mark.parametrize("template", ["{{ nobody }}", "{{ who.nothing }}"])
def test_name_that_is_not_there_is_an_error(site: Path, template: str) -> None:
    with pytest.raises(UndefinedError):
        written(site, template, who="Ann")


@pytest.mark.parametrize("template", ["{{ t('nothing') }}", "{{ t('hello', other=1) }}", "{{ t('days', n=1) }}"])
def test_words_that_are_not_there_are_an_error(site: Path, template: str) -> None:
    with pytest.raises(KeyError):
        written(site, template)


def test_template_that_is_none_stops_the_site_at_its_start(site: Path) -> None:
    with pytest.raises(TemplateSyntaxError):
        written(site, "{{ half")


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ("days: {other: days}", "days: a text, or the plural forms one, other"),
        ("hello: ''", "hello: a text"),
        ("hello: 3", "hello: a text"),
        ("frame: {skip: again}", "frame.skip: there are words of this key already"),
        ("hello: [", "en.yaml"),
    ],
)
def test_faulty_words_are_refused_with_file_and_key(site: Path, words: str, fault: str) -> None:
    (site / "words" / "en.yaml").write_text(words)
    with pytest.raises(WordsFault, match=fault):
        Pages(site / "templates", site / "words")


def test_language_without_a_plural_rule_is_refused(site: Path) -> None:
    (site / "words" / "xx.yaml").write_text(WORDS["en"])
    with pytest.raises(WordsFault, match="no plural rule is known for xx"):
        Pages(site / "templates", site / "words")


@pytest.mark.parametrize(("language", "month"), [("en", "November"), ("cy", "Tachwedd")])
def test_days_are_written_in_words(site: Path, language: str, month: str) -> None:
    text = written(site, "{{ day | day }}", language, day=date(2026, 11, 2))
    assert text == f'<time datetime="2026-11-02">2 {month} 2026</time>'


@pytest.mark.parametrize(
    ("language", "instant", "text"),
    [
        ("en", datetime(2026, 11, 22, 23, 59, tzinfo=LONDON), "11.59pm on 22 November 2026 (GMT)"),
        ("cy", datetime(2026, 11, 22, 23, 59, tzinfo=LONDON), "11.59pm ar 22 Tachwedd 2026 (GMT)"),
        ("en", datetime(2026, 7, 1, 0, 5, tzinfo=LONDON), "12.05am on 1 July 2026 (BST)"),
        ("en", datetime(2026, 7, 1, 12, 0, tzinfo=LONDON), "12.00pm on 1 July 2026 (BST)"),
    ],
)
def test_moments_are_local_and_name_their_zone(site: Path, language: str, instant: datetime, text: str) -> None:
    page = written(site, "{{ at | moment }}", language, at=instant)
    assert page == f'<time datetime="{instant.isoformat(timespec="seconds")}">{text}</time>'


def test_receipts_are_written_to_the_second(site: Path) -> None:
    at = datetime(2026, 11, 22, 14, 3, 7, 999_999, tzinfo=LONDON)
    assert "14:03:07 on 22 November 2026 (GMT)" in written(site, "{{ at | second }}", at=at)


def test_end_of_the_day_before_a_clock_change_keeps_its_own_zone(site: Path) -> None:
    over = datetime(2026, 10, 25, 0, 0, tzinfo=LONDON)
    assert "11.59pm on 24 October 2026 (BST)" in written(site, "{{ at | before | moment }}", at=over)


def test_instant_without_a_zone_is_refused(site: Path) -> None:
    with pytest.raises(ValueError, match="without a zone"):
        written(site, "{{ at | moment }}", at=datetime(2026, 11, 22))  # noqa: DTZ001 - the fault


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (310_400, "310 KB"), (999_999, "1 MB"), (2_418_000, "2.4 MB")],
)
def test_sizes_are_written_as_people_read_them(site: Path, size: int, text: str) -> None:
    assert written(site, "{{ n | size }}", n=size) == text


def test_assets_are_served_under_their_hash_for_good(site: Path) -> None:
    pages = Pages(site / "templates", site / "words")
    (site / "templates" / "page.html").write_text("{{ asset('duly.css') }}")
    address = bytes(Pages(site / "templates", site / "words").write("page.html", "en").body).decode()
    client = TestClient(Starlette(routes=[pages.static]))
    answer = client.get(address)
    assert answer.content == (KIT / "static" / "duly.css").read_bytes()
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert [client.get(f"/static/{name}").status_code for name in ("duly.css", "..%2Fpages.py")] == [404, 404]
    assert client.post(address).status_code == 405


def test_page_says_its_language_and_the_authority(site: Path) -> None:
    (site / "templates" / "page.html").write_text("{% extends 'duly/frame.html' %}{% set title = 'T' %}")
    pages = Pages(site / "templates", site / "words", authority="Awdurdod <A>")
    answer = pages.write("page.html", "cy", 404)
    body = bytes(answer.body).decode()
    assert (answer.status_code, answer.headers["content-language"]) == (404, "cy")
    assert '<html lang="cy">' in body
    assert "<title>T · Safle · Awdurdod &lt;A&gt;</title>" in body


def test_stylesheet_stays_small() -> None:
    assert (KIT / "static" / "duly.css").stat().st_size < 20_480


def test_readme_shows_every_macro_and_every_tone() -> None:
    readme = (KIT / "README.md").read_text()
    templates = "".join(file.read_text() for file in (KIT / "templates" / "duly").glob("*.html"))
    macros = set(re.findall(r"{% macro ([a-z]\w*)\(", templates))
    assert {name for name in macros if f"`{name}`" not in readme} == set()
    assert set(re.findall(r"\.(\w+) { --tone", (KIT / "static" / "duly.css").read_text())) == {
        "plain", "good", "wait", "bad", "quiet"
    }  # fmt: skip
