"""The values that a request brings for a text's placeholders, checked by form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date

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


def _showable(name: str) -> bool:
    return _SHOWABLE_NAME.fullmatch(name) is not None
