"""Judging a request: everything that stands against it, all at once."""

from __future__ import annotations

import json
from dataclasses import dataclass

from schemas.messages.requests import NoticeRequestedV1
from services.kernel.domain.addresses import address_fault
from services.kernel.domain.deadline import ShorterPeriodRefused, shorten
from services.kernel.domain.library import Library, NotInLibrary
from services.kernel.domain.notice import Channel
from services.kernel.domain.regime import NoticeType, OutOfScope, Regime, Source, check_scope
from services.kernel.domain.template import Template
from services.renderer.texts import check_values

_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Terms:
    """What a request that may be served is served by."""

    regime: Regime
    notice_type: NoticeType
    template: Template


def judge(library: Library, source_name: str, user: str | None, request: NoticeRequestedV1) -> Terms | list[str]:
    """The terms of a sound request, or every reason why it is refused. The words name fields, never their content."""
    try:
        source = library.source(source_name)
        regime = library.regime(request.regime)
        notice_type = library.notice_type(request.regime, request.notice_type)
        template = library.template(request.regime, notice_type.template)
    except NotInLibrary as missing:
        return [missing.reason]
    reasons = [
        *_source_faults(source, user, regime),
        *_scope_faults(regime, notice_type, request),
        *([f"address: {fault}"] if (fault := address_fault(request.address)) else []),
        *(f"values.{fault}" for fault in check_values(template, request.values)),
        *_period_faults(source, notice_type, regime, request),
    ]
    return reasons or Terms(regime, notice_type, template)


def _source_faults(source: Source, user: str | None, regime: Regime) -> list[str]:
    if not source.speaks_as(user):
        return [f"source: the broker user {user!r} does not speak for {source.name}"]
    if regime.name not in source.regimes:
        return [f"source: {source.name} may not serve notices under {regime.name}"]
    return []


def _scope_faults(regime: Regime, notice_type: NoticeType, request: NoticeRequestedV1) -> list[str]:
    try:
        check_scope(regime, notice_type, Channel(request.channel))
    except OutOfScope as refused:
        return [f"scope: {refused.reason}"]
    reasons = []
    if request.origin not in notice_type.origins:
        reasons.append(f"origin: {notice_type.name} may not be {request.origin}")
    if request.language not in regime.languages:
        reasons.append(f"language: {regime.name} has no texts in {request.language}")
    return reasons


def _period_faults(source: Source, notice_type: NoticeType, regime: Regime, request: NoticeRequestedV1) -> list[str]:
    if (request.period or request.respond_by) and notice_type.asks_for_nothing:
        return [f"period: {notice_type.name} asks for nothing, so no time runs"]
    if request.period and request.respond_by:
        return ["period: give a period or a fixed date, not both"]
    if request.period:
        asked = request.period
        approved = notice_type.period_under(regime)
        try:
            shorten(approved, asked.days, reason=asked.reason, approver=asked.approver, may_name=source.may_name)
        except ShorterPeriodRefused as refused:
            return [f"period: {refused}"]
    return []


def difference(known: str, asked: str) -> str:
    """Which fields of two requests (JSON objects) differ, for the source that sent both."""
    before, now = json.loads(known), json.loads(asked)
    fields = sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
    shown = (f"{name} was {_shown(before.get(name))}, now {_shown(now.get(name))}" for name in fields)
    return f"this source_ref is known with other data: {'; '.join(shown)}"[:1000]


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
