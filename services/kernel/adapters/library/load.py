"""Reads the library folder whole, checks it whole, and lists every fault at once."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.kernel.adapters.library.calendars import calendar_of, place_fault
from services.kernel.adapters.library.documents import Document, Fault, LibraryFault, read_document, shaped
from services.kernel.adapters.library.shapes import (
    NoticeTypeFile,
    PeriodShape,
    RegimeFile,
    RetentionShape,
    SpanShape,
)
from services.kernel.adapters.library.sources import load_sources
from services.kernel.adapters.library.wordings import load_versions, visible
from services.kernel.domain.deadline import Period
from services.kernel.domain.library import Library
from services.kernel.domain.regime import NoticeType, Regime, Satisfier
from services.kernel.domain.retention import Policy, Span
from services.kernel.domain.service_rules import SERVICE_RULES
from services.kernel.domain.template import Template

_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}", re.ASCII)


@dataclass(slots=True)
class _Shelves:
    regimes: dict[str, Regime] = field(default_factory=dict)
    notice_types: dict[tuple[str, str], NoticeType] = field(default_factory=dict)
    templates: dict[tuple[str, str], MappingProxyType[str, Template]] = field(default_factory=dict)
    caps: dict[tuple[str, str], int] = field(default_factory=dict)


def load_library(path: Path) -> Library:
    """Load `sources.yaml` and one folder a regime: `regime.yaml`, `notice-types/*.yaml`, `texts/<name>/<version>/`.

    Raises:
        LibraryFault: something is wrong; lists everything that is, with file, line and field.
    """
    faults: list[Fault] = []
    shelves = _Shelves()
    folders = [each for each in visible(path) if each.is_dir()]
    if not folders:
        faults.append(Fault(path, 1, "", "the library has no regime: one folder a regime is expected"))
    for folder in folders:
        _load_regime(folder, shelves, faults)
    sources = load_sources(path / "sources.yaml", frozenset(each.name for each in folders), faults)
    if faults:
        raise LibraryFault(faults)
    return Library(
        regimes=MappingProxyType(shelves.regimes),
        notice_types=MappingProxyType(shelves.notice_types),
        templates=MappingProxyType(shelves.templates),
        sources=MappingProxyType(sources),
        caps_an_hour=MappingProxyType(shelves.caps),
        calendar_of=calendar_of,
    )


def _load_regime(folder: Path, shelves: _Shelves, faults: list[Fault]) -> None:
    if not _NAME.fullmatch(folder.name):
        faults.append(Fault(folder, 1, "", "a regime's folder is named in lower case, digits and hyphens"))
    document = read_document(folder / "regime.yaml", faults)
    shape = shaped(document, RegimeFile, faults)
    if shape is None or document is None:
        return
    faults += _regime_faults(document, shape)
    for text in visible(folder / "texts"):
        versions = load_versions(text, folder.name, shape.languages, faults)
        shelves.templates[folder.name, text.name] = MappingProxyType(versions)
    for file in visible(folder / "notice-types"):
        _load_notice_type(file, shape, shelves, faults)
    shelves.regimes[folder.name] = _regime(folder.name, shape)
    for kind, sanction in shape.sanctions.items():
        shelves.caps[folder.name, kind] = sanction.cap_an_hour


def _regime_faults(document: Document, shape: RegimeFile) -> list[Fault]:
    faults = [
        document.fault(f"not a service rule; known: {', '.join(SERVICE_RULES)}", "service_rules", channel.value)
        for channel, rule in shape.service_rules.items()
        if rule not in SERVICE_RULES
    ]
    if fault := place_fault(shape.country, shape.subdivision):
        faults.append(document.fault(fault, "subdivision" if shape.subdivision else "country"))
    if not _is_zone(shape.zone):
        faults.append(document.fault("no such IANA time zone", "zone"))
    if shape.fallback_channel is not None and shape.fallback_channel not in shape.service_rules:
        faults.append(document.fault("the fallback channel has no service rule", "fallback_channel"))
    return faults


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _regime(name: str, shape: RegimeFile) -> Regime:
    return Regime(
        name=name,
        zone=shape.zone,
        country=shape.country,
        subdivision=shape.subdivision,
        purposes=frozenset(shape.purposes),
        service_rule=MappingProxyType(dict(shape.service_rules)),
        default_period=_period(shape.default_period),
        safety_delay=timedelta(hours=shape.safety_delay_hours),
        minimum_after_hold=timedelta(days=shape.minimum_after_hold_days),
        objection_window=timedelta(hours=shape.objection_window_hours),
        smtp_give_up_after=timedelta(hours=shape.smtp_give_up_after_hours),
        fallback_channel=shape.fallback_channel,
        languages=tuple(shape.languages),
        retention=_policy(shape.retention),
    )


def _period(shape: PeriodShape) -> Period:
    return Period(shape.days, shape.unit, shape.roll_to_working_day)


def _policy(shape: RetentionShape | None) -> Policy | None:
    if shape is None:
        return None
    least = None if shape.least is None else _span(shape.least)
    return Policy(_span(shape.content), _span(shape.appeal), shape.citation, least)


def _span(shape: SpanShape) -> Span:
    return Span(shape.years or 0, shape.days or 0)


def _load_notice_type(file: Path, regime: RegimeFile, shelves: _Shelves, faults: list[Fault]) -> None:
    name, regime_name = file.stem, file.parent.parent.name
    if file.suffix != ".yaml" or not _NAME.fullmatch(name):
        faults.append(Fault(file, 1, "", "not a notice type: a lower-case name ending in .yaml is expected"))
        return
    document = read_document(file, faults)
    shape = shaped(document, NoticeTypeFile, faults)
    if shape is None or document is None:
        return
    text = (regime_name, shape.template or name)
    faults += _notice_type_faults(document, shape, regime, has_text=text in shelves.templates)
    shelves.notice_types[regime_name, name] = _notice_type(name, shape, regime, shelves.templates.get(text, {}))


def _notice_type_faults(
    document: Document, shape: NoticeTypeFile, regime: RegimeFile, *, has_text: bool
) -> list[Fault]:
    faults = []
    # A type out of scope is listed so that it can be refused by name; it is never rendered and needs no text.
    if shape.purpose in regime.purposes and not has_text:
        faults.append(document.fault("there is no such text in the regime's texts folder", "template"))
    if shape.sanction is not None and shape.sanction not in regime.sanctions:
        faults.append(document.fault("the regime has no such sanction", "sanction"))
    if Satisfier.NOTHING in shape.satisfied_by:
        if len(shape.satisfied_by) > 1:
            faults.append(document.fault("nothing stands alone", "satisfied_by"))
        faults += [
            document.fault("a notice that asks for nothing has none", name)
            for name, value in (("sanction", shape.sanction), ("period", shape.period))
            if value is not None
        ]
    return faults


def _notice_type(
    name: str,
    shape: NoticeTypeFile,
    regime: RegimeFile,
    versions: MappingProxyType[str, Template] | dict[str, Template],
) -> NoticeType:
    sanction = None if shape.sanction is None else regime.sanctions.get(shape.sanction)
    newest = versions[max(versions, key=int)] if versions else None
    return NoticeType(
        name=name,
        purpose=shape.purpose,
        channels=frozenset(shape.channels),
        origins=frozenset(shape.origins),
        satisfied_by=frozenset(shape.satisfied_by),
        sanction=shape.sanction,
        sanction_automatic=sanction is not None and sanction.automatic,
        template=shape.template or name,
        placeholders=frozenset() if newest is None else newest.asked_of_upstream,
        period=None if shape.period is None else _period(shape.period),
        retention=_policy(shape.retention),
    )
