"""Faults planted into what a sound run has shown: the judge must find every one of them, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from tests.faults.restart_load import Fate, fate_of
from tests.faults.restart_seen import Seen

Wanted = set[tuple[str, str]]


def planted(sound: Seen) -> tuple[Seen, Wanted]:
    """A copy with one fault of each kind, every one in a notice of its own; and what must be found, with references."""
    seen = replace(sound, **{name: copy(value) for name, value in vars(sound).items()})
    fresh = {fate: iter([ref for ref in seen.refs if fate_of(ref) is fate]) for fate in Fate}
    wanted: Wanted = set()
    for plant in (_in_notices, _in_evidence, _in_what_is_told, _in_sanctions, _in_mails):
        wanted |= set(plant(seen, fresh))
    return seen, wanted


def _id(seen: Seen, ref: str) -> UUID:
    found: UUID = seen.notices[ref][0]["notice_id"]
    return found


def _in_notices(seen: Seen, fresh: dict[Fate, Iterator[str]]) -> Iterator[tuple[str, str]]:
    del seen.notices[ref := next(fresh[Fate.PAID])]
    yield "lost", ref
    ref = next(fresh[Fate.PAID])
    seen.notices[ref] = seen.notices[ref] * 2
    yield "noticed twice", ref
    ref = next(fresh[Fate.PAID])
    seen.notices[ref] = [{**seen.notices[ref][0], "state": "lapsed"}]
    yield from (("wrong end", ref), ("evidence", ref))
    seen.holds[_id(seen, ref := next(fresh[Fate.ASKED]))] = 0
    yield "holds", ref
    seen.reversals[_id(seen, ref := next(fresh[Fate.LATE]))] += 1
    yield "reversals", ref


def _in_evidence(seen: Seen, fresh: dict[Fate, Iterator[str]]) -> Iterator[tuple[str, str]]:
    facts = seen.facts[key := _id(seen, ref := next(fresh[Fate.BOUNCED]))]
    seen.facts[key] = [replace(facts[0], at=facts[0].at - timedelta(seconds=1)), *facts[1:]]
    yield "evidence", ref


def _in_what_is_told(seen: Seen, fresh: dict[Fate, Iterator[str]]) -> Iterator[tuple[str, str]]:
    def first(events: list[Any], ref: str) -> Any:
        return next(event for event in events if event["data"]["source_ref"] == ref)

    for how, events, fate in (
        ("by AMQP", seen.by_amqp, Fate.SILENT), ("by webhook", seen.by_webhook, Fate.ANSWERED),
    ):  # fmt: skip
        lost = first(events, ref := next(fresh[fate]))["id"]
        events[:] = [event for event in events if event["id"] != lost]
        yield f"{how}: never told", ref
        again = first(events[::-1], ref := next(fresh[fate]))
        events.append({**again, "id": str(uuid4())})
        yield f"{how}: told twice", ref
        moved = first(events, ref := next(fresh[fate]))
        events[:] = [*(event for event in events if event["id"] != moved["id"]), moved]
        yield f"{how}: out of order", ref
    seen.by_webhook.append(first(seen.by_amqp, ref := next(fresh[Fate.PAID])))
    yield "by webhook: not theirs", ref


def _in_sanctions(seen: Seen, fresh: dict[Fate, Iterator[str]]) -> Iterator[tuple[str, str]]:
    ref = next(fresh[Fate.SILENT])
    fired = next(
        event for event in seen.by_amqp if event["type"] == "sanction.fired.v1" and event["data"]["source_ref"] == ref
    )
    seen.by_amqp.append({**fired, "data": {**fired["data"], "sanction_id": str(uuid4())}})
    yield "sanctions", ref
    del seen.sanctions[_id(seen, ref := next(fresh[Fate.SILENT]))]
    yield "sanctions", ref


def _in_mails(seen: Seen, fresh: dict[Fate, Iterator[str]]) -> Iterator[tuple[str, str]]:
    def address(ref: str) -> str:
        return f"{ref}@business.example"

    del seen.mails[address(ref := next(fresh[Fate.PAID]))]
    yield "no mail", ref
    mail = seen.mails[address(ref := next(fresh[Fate.PAID]))][0]
    seen.mails[address(ref)] = [mail, {**mail, "at": 0.0}]
    yield from (("mails", ref), ("mailed twice", ref))
    mail = seen.mails[address(ref := next(fresh[Fate.PAID]))][0]
    seen.mails[address(ref)] = [{**mail, "message_id": "<other@authority.example>"}]
    yield "Message-ID", ref
