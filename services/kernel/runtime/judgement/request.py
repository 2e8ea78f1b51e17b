"""Judging a request: everything that stands against it, all at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TypeVar

from pydantic import JsonValue

from schemas.messages.requests import NoticeRequestedV1
from services.kernel.domain.addresses import address_fault
from services.kernel.domain.deadline import FixedDateRefused, ShorterPeriodRefused, fix_deadline, shorten
from services.kernel.domain.library import Library, NotInLibrary
from services.kernel.domain.notice import Channel
from services.kernel.domain.regime import NoticeType, OutOfScope, Regime, Source, check_scope
from services.kernel.domain.service_rules import SERVICE_RULES, deemed_on
from services.kernel.domain.template import Template
from services.kernel.runtime.judgement.asked import Asked, of_data, of_request
from services.kernel.runtime.judgement.values import check_values

_SHOWN = 60
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Terms:
    """What a request that may be served is served by."""

    regime: Regime
    notice_type: NoticeType
    template: Template


@dataclass(frozen=True, slots=True)
class Sender:
    """Who asks: the source that the event names, and the broker user that it came by."""

    source: str
    user: str | None


def judge(library: Library, sender: Sender, request: NoticeRequestedV1, now: datetime) -> Terms | list[str]:
    """The terms of a sound request, or every reason why it is refused. The words name fields, never their content.

    `now` is legal time: a fixed date that would leave too little, were the notice served now, is refused at the door.
    """
    if reasons := _reasons(library, sender, of_request(request), now):
        return reasons
    regime, kind = library.regime(request.regime), library.notice_type(request.regime, request.notice_type)
    return Terms(regime, kind, library.template(regime.name, kind.template))


def judge_unread(
    library: Library, sender: Sender, data: Mapping[str, JsonValue], found: Sequence[str], now: datetime
) -> list[str]:
    """What stands against a request besides the faults that the schema found, as far as it can be read."""
    reasons = _reasons(library, sender, of_data(data), now)
    if data.get("origin") == "manual" and not data.get("requested_by") and not any("requested_by" in f for f in found):
        reasons.append("requested_by: a manual notice names the caseworker who asks for it")
    return reasons


def is_stranger(library: Library, sender: Sender) -> bool:
    """Whether the source is unknown, or the broker user does not speak for it: it is shown nothing that we know."""
    try:
        return not library.source(sender.source).speaks_as(sender.user)
    except NotInLibrary:
        return True


def _reasons(library: Library, sender: Sender, asked: Asked, now: datetime) -> list[str]:
    found: list[str] = []
    source = _known(found, library.source, sender.source)
    regime = _known(found, library.regime, asked.regime)
    kind = _known(found, partial(library.notice_type, regime.name), asked.notice_type) if regime else None
    if source:
        found += _source_faults(source, sender.user, regime)
    if asked.address and (fault := address_fault(asked.address)):
        found.append(f"address: {fault}")
    if regime and kind:
        found += _scope_faults(regime, kind, asked)
        if kind.purpose in regime.purposes:
            found += _value_faults(library, regime, kind, asked)
        found += _period_faults(source, kind, regime, asked)
        found += _date_faults(library, kind, regime, asked, now)
    return found


def _known(found: list[str], look: Callable[[str], T], name: str | None) -> T | None:
    if name is None:
        return None
    try:
        return look(name)
    except NotInLibrary as missing:
        found.append(missing.reason)
        return None


def _source_faults(source: Source, user: str | None, regime: Regime | None) -> list[str]:
    if not source.speaks_as(user):
        return [f"source: the broker user {user!r} does not speak for {source.name}"]
    if regime and regime.name not in source.regimes:
        return [f"source: {source.name} may not serve notices under {regime.name}"]
    return []


def _scope_faults(regime: Regime, notice_type: NoticeType, asked: Asked) -> list[str]:
    reasons = []
    if asked.channel:
        try:
            check_scope(regime, notice_type, Channel(asked.channel))
        except OutOfScope as refused:
            reasons.append(f"scope: {refused.reason}")
    if asked.origin and asked.origin not in notice_type.origins:
        reasons.append(f"origin: {notice_type.name} may not be {asked.origin}")
    if asked.language and asked.language not in regime.languages:
        reasons.append(f"language: {regime.name} has no texts in {asked.language}")
    return reasons


def _value_faults(library: Library, regime: Regime, notice_type: NoticeType, asked: Asked) -> list[str]:
    found: list[str] = []
    template = _known(found, partial(library.template, regime.name), notice_type.template)
    if template:
        told = tuple(f"{name}:" for name in asked.unread_values)
        found += [f"values.{fault}" for fault in check_values(template, asked.values) if not fault.startswith(told)]
    return found


def _period_faults(source: Source | None, notice_type: NoticeType, regime: Regime, asked: Asked) -> list[str]:
    period = asked.period
    if (period or asked.respond_by) and notice_type.asks_for_nothing:
        return [f"period: {notice_type.name} asks for nothing, so no time runs"]
    if period and asked.respond_by:
        return ["period: give a period or a fixed date, not both"]
    if period:
        approved = notice_type.period_under(regime)
        named = source.may_name if source else _nobody
        try:
            shorten(approved, period.days, reason=period.reason, approver=period.approver, may_name=named)
        except ShorterPeriodRefused as refused:
            return [f"period: {refused}"]
    return []


def _nobody(_approver: str) -> bool:
    return False


def _date_faults(library: Library, notice_type: NoticeType, regime: Regime, asked: Asked, now: datetime) -> list[str]:
    """A fixed date must leave the approved period after the date on which service now would be deemed."""
    fixed = asked.respond_by
    rule = SERVICE_RULES.get(regime.service_rule.get(Channel(asked.channel), "")) if asked.channel else None
    if fixed is None or rule is None or notice_type.asks_for_nothing:
        return []
    calendar = library.calendar(regime.name)
    if fixed > calendar.last:
        return [f"respond_by: {fixed} is beyond the calendar, which ends on {calendar.last}"]
    try:
        fix_deadline(1, deemed_on(rule, now, calendar), fixed, notice_type.period_under(regime), calendar, rule="")
    except FixedDateRefused as refused:
        return [f"respond_by: {refused}"]
    return []


def difference(known: str, asked: str, what: str = "source_ref") -> str:
    """Which fields of two requests or facts (JSON objects) differ, for the source that sent both; one line."""
    before, now = json.loads(known), json.loads(asked)
    if not before:  # no request and no fact is empty
        return f"this {what} is known with other data, which were erased when their time was over; use a new one"
    fields = sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
    shown = (f"{name} was {_shown(before.get(name))}, now {_shown(now.get(name))}" for name in fields)
    return _printable(f"this {what} is known with other data: {'; '.join(shown)}")[:1000]


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _printable(text: str) -> str:
    """What is refused for its control characters must not carry them back to upstream."""
    return text if text.isprintable() else "".join(mark if mark.isprintable() else "\ufffd" for mark in text)
