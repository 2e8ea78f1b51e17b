"""Values in texts: they stay letters whatever they look like, and every fault of theirs is told at once."""

from __future__ import annotations

import html
import re
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.adapters.library import load_library
from services.kernel.domain.content import content_hash
from services.kernel.domain.template import GivenBy, Placeholder, PlaceholderKind, Template, Wording
from services.kernel.runtime.judgement.values import check_values
from services.renderer.texts import prepare

SHIPPED = Path(__file__).parents[2] / "services" / "renderer" / "library"
BODY = """\
To: **((name))**

Pay ((amount)) by ((day)), *((name))*.

## Steps

- One for ((name))
  1. inner ((ref))
  2. last
- Two: [guide](https://guide.example/pay)

> ((name)) said

End of ((name))\\
line two, ((days)) days ((name))((ref))
"""
HOSTILE = [
    "((ref))",
    "((name))",
    "<script>alert(1)</script>",
    "**bold** _em_ `code`",
    "{{ 7*7 }} {% raw %}",
    "&amp; &lt;b&gt; &#60;",
    "[x](https://evil.example)",
    "![x](https://evil.example/p.png)",
    "https://evil.example",
    "# Heading",
    "- item",
    "\" onload='x' >",
    "\ue000ref\ue001",
    "\\((ref))\\",
    r"\1 \g<0> %s {0} $name",
]


def placeholder(name: str, kind: PlaceholderKind, given_by: GivenBy = GivenBy.UPSTREAM) -> Placeholder:
    return Placeholder(name, kind, 80, given_by)


TEMPLATE = Template(
    regime="r",
    name="t",
    version="1",
    content_hash=b"\0" * 32,
    wordings={"en": Wording("About ((name)): ((ref))", BODY), "cy": Wording("Am ((name))", "((day)) ((amount))")},
    placeholders={
        each.name: each
        for each in (
            placeholder("name", PlaceholderKind.TEXT),
            placeholder("amount", PlaceholderKind.MONEY),
            placeholder("day", PlaceholderKind.DATE),
            placeholder("ref", PlaceholderKind.REFERENCE),
            placeholder("days", PlaceholderKind.NUMBER, GivenBy.DULY),
        )
    },
    approved_by="A",
    approved_on=date(2026, 11, 2),
)
ENGLISH = prepare(TEMPLATE, "en")
GOOD = {"name": "Acme Ltd", "amount": "1300.50", "day": "2026-11-03", "ref": "AB-12"}


def with_name(name: str) -> dict[str, str]:
    return {**GOOD, "name": name, "days": "21"}


class Seen(HTMLParser):
    """What a browser makes of it: the tags, and the letters between them."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, tuple[tuple[str, str | None], ...]]] = []
        self.letters = ""
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(attrs)))

    def handle_data(self, data: str) -> None:
        self.letters += data


PLAIN = ENGLISH.render(with_name("Acme Ltd"))
PLAIN_SEEN = Seen(PLAIN.html)


def test_the_plain_text_part_keeps_the_shape_of_the_markdown() -> None:
    assert PLAIN.subject == "About Acme Ltd: AB-12"
    assert PLAIN.text == (
        "To: Acme Ltd\n\nPay £1,300.50 by 3 November 2026, Acme Ltd.\n\nSteps\n\n- One for Acme Ltd\n  1. inner AB-12\n"
        "  2. last\n\n- Two: guide (https://guide.example/pay)\n\n> Acme Ltd said\n\nEnd of Acme Ltd\n"
        "line two, 21 days Acme LtdAB-12\n"
    )


def test_the_html_part_is_a_fragment_with_the_marks_of_the_template_only() -> None:
    assert "<p>To: <strong>Acme Ltd</strong></p>" in PLAIN.html
    assert "<h2>Steps</h2>" in PLAIN.html
    assert [attrs for tag, attrs in PLAIN_SEEN.tags if tag == "a"] == [(("href", "https://guide.example/pay"),)]
    assert not re.search(r"<(html|body|script|img)", PLAIN.html)


def test_dates_and_amounts_are_written_in_the_language_of_the_text() -> None:
    rendered = prepare(TEMPLATE, "cy").render({**with_name("Cwmni"), "amount": "12000"})
    assert rendered.text == "3 Tachwedd 2026 £12,000\n"
    assert rendered.subject == "Am Cwmni"


@pytest.mark.parametrize("value", HOSTILE)
def test_a_value_that_looks_like_markup_stays_its_letters(value: str) -> None:
    rendered = ENGLISH.render(with_name(value))
    seen = Seen(rendered.html)
    assert rendered.text == PLAIN.text.replace("Acme Ltd", value)
    assert rendered.subject == PLAIN.subject.replace("Acme Ltd", value)
    assert seen.tags == PLAIN_SEEN.tags
    assert seen.letters == PLAIN_SEEN.letters.replace("Acme Ltd", value)


@given(st.text(alphabet=st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=60))
def test_no_value_can_become_anything_but_text(value: str) -> None:
    rendered = ENGLISH.render(with_name(value))
    assert rendered.text == PLAIN.text.replace("Acme Ltd", value)
    assert rendered.html == PLAIN.html.replace("Acme Ltd", html.escape(value, quote=True))
    assert Seen(rendered.html).tags == PLAIN_SEEN.tags


@given(st.lists(st.sampled_from([*HOSTILE, "(", "((", "))", "<", "&", "*", "`", "]("]), max_size=6).map("".join))
def test_no_mixture_of_marks_in_a_value_can_become_anything_but_text(value: str) -> None:
    rendered = ENGLISH.render(with_name(value))
    assert rendered.text == PLAIN.text.replace("Acme Ltd", value)
    assert Seen(rendered.html).tags == PLAIN_SEEN.tags


def test_the_content_hash_covers_each_part_and_where_it_ends() -> None:
    assert PLAIN.content_hash == content_hash(PLAIN.subject, PLAIN.text, PLAIN.html)
    assert PLAIN.content_hash == ENGLISH.render(with_name("Acme Ltd")).content_hash
    assert len({content_hash(*parts) for parts in (("ab", "c", ""), ("a", "bc", ""), ("a", "b", "c"))}) == 3
    assert ENGLISH.render(with_name("Acme Ltd.")).content_hash != PLAIN.content_hash


def test_good_values_have_no_fault_and_those_that_duly_gives_are_not_asked_for() -> None:
    assert check_values(TEMPLATE, GOOD) == []
    assert check_values(TEMPLATE, {**GOOD, "days": "99"}) == ["days: the text has no such placeholder"]


def test_every_fault_is_listed_at_once_by_name_and_never_by_value() -> None:
    values = {
        "name": "Secret\r\nBcc: x",
        "amount": "£secret",
        "ref": "secret!" * 20,
        "shoe": "secret",
        "No Such\n": "secret",
    }
    faults = check_values(TEMPLATE, values)
    assert faults == [
        "day: missing",
        "shoe: the text has no such placeholder",
        "1 value(s) whose names could be no placeholder's",
        "amount: must be pounds and pence such as 300.00",
        "name: has a line break, a control character or one that turns the reading direction",
        "ref: longer than 80 characters",
        "ref: must be letters, digits and . / _ -",
    ]
    assert "secret" not in " ".join(faults).lower()


@pytest.mark.parametrize("code", [0x00, 0x09, 0x0A, 0x0D, 0x1B, 0x7F, 0x85, 0x2028, 0x2029, 0xD800, 0xFFFE])
def test_control_characters_and_line_breaks_are_refused(code: int) -> None:
    assert check_values(TEMPLATE, {**GOOD, "name": f"a{chr(code)}b"}) != []


@pytest.mark.parametrize("code", [*range(0x202A, 0x202F), *range(0x2066, 0x206A)])
def test_bidirectional_overrides_are_refused(code: int) -> None:
    assert check_values(TEMPLATE, {**GOOD, "name": f"a{chr(code)}b"}) != []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("amount", value) for value in ("-1", "1.5", "1,000", "1e3", "\u0663", "", "1" * 10)),
        *(("day", value) for value in ("2026-02-30", "03/11/2026", "20261103", "2026-11-03T00:00", "\u0662026-11-03")),
        *(("ref", value) for value in ("-x", "a<b", "a((b))", "é")),
        *(("name", value) for value in ("", "   ", "x" * 81)),
    ],
)
def test_a_value_without_the_form_of_its_kind_is_refused(name: str, value: str) -> None:
    faults = check_values(TEMPLATE, {**GOOD, name: value})
    assert len(faults) == 1
    assert faults[0].startswith(f"{name}: ")


@given(st.dictionaries(st.sampled_from([*GOOD, "x"]), st.text(max_size=90)))
def test_values_without_fault_always_render(values: dict[str, str]) -> None:
    if not check_values(TEMPLATE, values):
        ENGLISH.render({**values, "days": "21"})


def test_every_shipped_text_renders_in_both_languages_without_a_placeholder_left() -> None:
    library = load_library(SHIPPED)
    samples = {
        PlaceholderKind.TEXT: "O'Brien & Sons <Ltd>",
        PlaceholderKind.DATE: "2028-02-29",
        PlaceholderKind.MONEY: "300.00",
        PlaceholderKind.REFERENCE: "XA/2026-1",
        PlaceholderKind.NUMBER: "21",
    }
    for versions in library.templates.values():
        for template in versions.values():
            values = {name: samples[each.kind] for name, each in template.placeholders.items()}
            asked = {name: values[name] for name in template.asked_of_upstream}
            assert check_values(template, asked) == []
            for language in ("en", "cy"):
                rendered = prepare(template, language).render(values)
                assert "((" not in rendered.text + rendered.html + rendered.subject
                assert "O'Brien & Sons <Ltd>" in rendered.text
                assert "O&#x27;Brien &amp; Sons &lt;Ltd&gt;" in rendered.html
