"""Texts of notices: an approved template, prepared once, and the values of one notice put into it.

No Markdown is read when a notice is rendered; a value is escaped for the part that it goes into and is text there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from hashlib import sha256

from services.kernel.adapters.library.markdown import Segments, prepare_markdown, segments
from services.kernel.domain.template import Placeholder, PlaceholderKind, Template

# Line breaks and controls (also Unicode's), bidirectional overrides and isolates, lone surrogates, non-characters.
_UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
_SHOWABLE_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)
_FORMS = {
    PlaceholderKind.MONEY: (re.compile(r"[0-9]{1,9}(?:\.[0-9]{2})?", re.ASCII), "pounds and pence such as 300.00"),
    PlaceholderKind.REFERENCE: (re.compile(r"[A-Za-z0-9][A-Za-z0-9 ./_-]*", re.ASCII), "letters, digits and . / _ -"),
    PlaceholderKind.NUMBER: (re.compile(r"[0-9]{1,9}", re.ASCII), "a whole number"),
    PlaceholderKind.DATE: (re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII), "a date such as 2026-11-22"),
}
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
            ValueError: a date or an amount is none; `check_values` finds both beforehand.
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


def check_values(template: Template, values: Mapping[str, str]) -> list[str]:
    """List every fault of the values that a request brings, by name and never by value, so that it may be logged."""
    asked = template.asked_of_upstream
    faults = [f"{name}: missing" for name in sorted(asked - values.keys())]
    surplus = values.keys() - asked
    faults += [f"{name}: the text has no such placeholder" for name in sorted(filter(_showable, surplus))]
    if hidden := sum(not _showable(name) for name in surplus):
        faults.append(f"{hidden} value(s) whose names could be no placeholder's")
    for name in sorted(asked & values.keys()):
        faults += [f"{name}: {fault}" for fault in _value_faults(template.placeholders[name], values[name])]
    return faults


def content_hash(subject: str, text: str, html: str) -> bytes:
    """Hash the parts of a content, each led by its length in bytes, so that no two contents hash alike."""
    digest = sha256()
    for part in (subject, text, html):
        raw = part.encode()
        digest.update(len(raw).to_bytes(8, "big"))
        digest.update(raw)
    return digest.digest()


def _value_faults(asked: Placeholder, value: str) -> list[str]:
    if not value.strip():
        return ["empty"]
    faults = [f"longer than {asked.longest} characters"] if len(value) > asked.longest else []
    if _UNFIT.search(value):
        faults.append("has a line break, a control character or one that turns the reading direction")
    elif not _has_form(asked.kind, value):
        faults.append(f"must be {_FORMS[asked.kind][1]}")
    return faults


def _has_form(kind: PlaceholderKind, value: str) -> bool:
    if kind is PlaceholderKind.TEXT:
        return True
    if not _FORMS[kind][0].fullmatch(value):
        return False
    return kind is not PlaceholderKind.DATE or _is_date(value)


def _is_date(value: str) -> bool:
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


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


def _showable(name: str) -> bool:
    return _SHOWABLE_NAME.fullmatch(name) is not None
