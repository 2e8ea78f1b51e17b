"""Texts of notices: an approved template, prepared once, and the values of one notice put into it.

No Markdown is read when a notice is rendered; a value is escaped for the part that it goes into and is text there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from services.kernel.adapters.library.markdown import Segments, prepare_markdown, segments
from services.kernel.domain.content import content_hash
from services.kernel.domain.template import PlaceholderKind, Template

_MONTHS = {
    "en": (
        *("January", "February", "March", "April", "May", "June"),
        *("July", "August", "September", "October", "November", "December"),
    ),
    "cy": (
        *("Ionawr", "Chwefror", "Mawrth", "Ebrill", "Mai", "Mehefin"),
        *("Gorffennaf", "Awst", "Medi", "Hydref", "Tachwedd", "Rhagfyr"),
    ),
}


@dataclass(frozen=True, slots=True)
class Rendered:
    """The content of one notice: a subject line, plain text, an HTML fragment, and the SHA-256 over the three."""

    subject: str
    text: str
    html: str
    content_hash: bytes


@dataclass(frozen=True, slots=True)
class PreparedText:
    """One language of one template version, ready for values."""

    template: Template
    language: str
    _subject: Segments
    _text: Segments
    _html: Segments
    _kinds: tuple[tuple[str, PlaceholderKind], ...]

    def render(self, values: Mapping[str, str]) -> Rendered:
        """Put in the values, those of the upstream and those that Duly gives.

        Raises:
            KeyError: a value is missing.
            ValueError: a date or an amount is none; the judgement of the request finds both beforehand.
        """
        written = {name: _written(values[name], kind, self.language) for name, kind in self._kinds}
        subject = self._subject.filled(written)
        text = self._text.filled(written)
        html = self._html.filled({name: _escaped(value) for name, value in written.items()})
        return Rendered(subject, text, html, content_hash(subject, text, html))


def prepare(template: Template, language: str) -> PreparedText:
    """Read the Markdown of one language of a template, once.

    Raises:
        KeyError: the template has no wording in this language.
    """
    wording = template.wordings[language]
    body = prepare_markdown(wording.body)
    kinds = tuple((name, each.kind) for name, each in template.placeholders.items())
    return PreparedText(template, language, segments(wording.subject), body.text, body.html, kinds)


def _written(value: str, kind: PlaceholderKind, language: str) -> str:
    if kind is PlaceholderKind.DATE:
        day = date.fromisoformat(value)
        return f"{day.day} {_MONTHS[language][day.month - 1]} {day.year}"
    if kind is PlaceholderKind.MONEY:
        amount = Decimal(value)
        return f"£{amount:,.2f}".removesuffix(".00")
    return value


def _escaped(value: str) -> str:
    # html.escape with quotes costs twice as much when nothing needs escaping, which is nearly always.
    if value.isalnum():
        return value
    escaped = value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace('"', "&quot;").replace("'", "&#x27;")
