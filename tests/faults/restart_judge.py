"""The judge of the rolling restart: pure functions over what everybody saw, each finding named by what it is about.

Upstream hears everything at least once: the broker and webhooks may bring an event again, and whoever listens counts
each id once, as `schemas/README.md` asks of them. What must never be is a number without its event, two events of one
number, or a second sanction in a matter.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from services.kernel.domain import verp
from services.kernel.domain.notice import State
from services.kernel.domain.proof import check_notice
from tests.faults.judge import BOUNCE_DOMAIN, KEYRING, MOST_MAILS
from tests.faults.restart_load import BY_WEBHOOK, END, Fate, fate_of
from tests.faults.restart_seen import Event, Seen

LEASE = 20.0
"""Seconds: what a process had not written down when it was killed is at most a lease old."""
SINK_BEHIND = 0.5
"""Seconds for which the mail system may still take what a dead process had handed to it."""
MOST_IN_HAND = 25
"""Mails between the final dot and the commit that one kill may find: five dialogues, and their replies in settling."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that must not be."""

    what: str
    ref: str
    told: str = ""


def judge(seen: Seen) -> list[Finding]:
    """Everything that is lost, doubled or wrong; empty if all is as it must be."""
    return [
        *_ends(seen), *_evidence(seen), *_sanctions(seen), *_mails(seen),
        *_told("by AMQP", seen.by_amqp, seen, set(seen.refs)), *_in_order("by AMQP", seen.by_amqp),
        *_told("by webhook", seen.by_webhook, seen, _told_by_webhook(seen)), *_in_order("by webhook", seen.by_webhook),
    ]  # fmt: skip


def _ends(seen: Seen) -> Iterator[Finding]:
    """Every request became one notice, and each is where its fate leads."""
    for ref in {*seen.refs} ^ {*seen.notices}:
        yield Finding("lost" if ref in seen.refs else "from nowhere", ref)
    for ref, rows in seen.notices.items():
        if len(rows) != 1:
            yield Finding("noticed twice", ref)
        fate, notice = fate_of(ref), rows[0]
        if notice["state"] != END[fate]:
            yield Finding("wrong end", ref, f"{notice['state']}, should be {END[fate]}")
        if seen.holds[notice["notice_id"]] != (fate is Fate.ASKED):
            yield Finding("holds", ref, f"{seen.holds[notice['notice_id']]} are open")
        if seen.reversals[notice["notice_id"]] != (fate is Fate.LATE):
            yield Finding("reversals", ref, f"{seen.reversals[notice['notice_id']]} were demanded")


def _evidence(seen: Seen) -> Iterator[Finding]:
    for ref, (notice, *_) in seen.notices.items():
        facts = seen.facts.get(notice["notice_id"], [])
        if problems := check_notice(facts, notice["chain_head"], State(notice["state"])):
            yield Finding("evidence", ref, "; ".join(problems))


def _told_by_webhook(seen: Seen) -> set[str]:
    return {ref for ref, rows in seen.notices.items() if rows[0]["source"] == BY_WEBHOOK}


def _told(how: str, events: list[Event], seen: Seen, whom: set[str]) -> Iterator[Finding]:
    """Once each id is counted once: numbers without gap, one event a number, as many as the notice knows of."""
    heard: dict[str, dict[str, Event]] = defaultdict(dict)
    for event in events:
        heard[event["data"]["source_ref"]].setdefault(event["id"], event)
    for ref in {*heard} - whom:
        yield Finding(f"{how}: not theirs", ref)
    for ref in whom & {*seen.notices}:
        numbers = [int(event["sequence"]) for event in heard[ref].values()]
        wanted = range(1, seen.notices[ref][0]["told"] + 1)
        if missing := {*wanted} - {*numbers}:
            yield Finding(f"{how}: never told", ref, str(sorted(missing)))
        if len(numbers) != len(set(numbers)) or {*numbers} - {*wanted}:
            yield Finding(f"{how}: told twice", ref, str(numbers))


def _in_order(how: str, events: list[Event]) -> Iterator[Finding]:
    """What came for the first time came in order of its numbers, notice by notice."""
    last: Counter[str] = Counter()
    known: set[str] = set()
    for event in events:
        if event["id"] in known:
            continue
        ref, number = event["data"]["source_ref"], int(event["sequence"])
        if number < last[ref]:
            yield Finding(f"{how}: out of order", ref, f"{number} after {last[ref]}")
        last[ref] = number
        known.add(event["id"])


def _sanctions(seen: Seen) -> Iterator[Finding]:
    """One sanction in a matter, fired where it must be, and the one of which upstream was told."""
    told: dict[str, set[str]] = defaultdict(set)
    for event in seen.by_amqp:
        if event["type"] == "sanction.fired.v1":
            told[event["data"]["matter"]].add(event["data"]["sanction_id"])
    for ref, (notice, *_) in seen.notices.items():
        fired = {
            str(row["sanction_id"])
            for row in seen.sanctions.get(notice["notice_id"], ())
            if row["fired_at"] is not None
        }
        if told[notice["matter"]] != fired or len(fired) != (END[fate_of(ref)] == "sanctioned"):
            yield Finding("sanctions", ref, f"{len(fired)} fired, {len(told[notice['matter']])} told")


def _mails(seen: Seen) -> Iterator[Finding]:
    """One mail a notice, and another only where a killed notifier had not yet written down what was taken."""
    for ref, (notice, *_) in seen.notices.items():
        mails = seen.mails.get(notice["address"], [])
        named = [verp.read(mail["sender"], KEYRING, BOUNCE_DOMAIN) for mail in mails]
        states = Counter(seen.attempts[each]["state"] for each in named)
        if not mails:
            yield Finding("no mail", ref)
        elif states["accepted"] != 1 or len(mails) > MOST_MAILS:
            yield Finding("mails", ref, str(dict(states)))
        if {mail["message_id"] for mail in mails} - {f"<{notice['notice_id'].hex}@authority.example>"}:
            yield Finding("Message-ID", ref)
        for mail, attempt in zip(mails, named, strict=True):
            is_extra = seen.attempts[attempt]["state"] != "accepted" or named.count(attempt) > 1
            before = [kill - mail["at"] for kill in seen.kills]
            if is_extra and not any(-SINK_BEHIND <= seconds <= LEASE for seconds in before):
                yield Finding("mailed twice", ref, f"seconds from mail to kill: {before}")
    extra = sum(map(len, seen.mails.values())) - len(seen.mails)
    if extra > MOST_IN_HAND * len(seen.kills):
        yield Finding("mailed twice", "", f"{extra} mails more than notices")
