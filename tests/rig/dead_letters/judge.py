"""What replaying a dead letter came to, judged by the database alone: by what is in it before and after."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from services.kernel.adapters.postgres.ledger import PostgresLedger
from services.kernel.domain.notice import TERMINAL
from services.kernel.domain.verdict import Verdict

BOOKS = frozenset({"failed_item", "failed_item_action", "replay_run", "replay_item", "processed"})
"""Tables that keep account of failing and replaying themselves: no fact about a notice is in them."""
_SETTLED = {"processed", "refused", "cleared"}
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
_SUBJECTS = """
SELECT f.failed_id, f.worker, f.type, f.state, f.source, f.event_id, f.subject, f.evidence_id, f.routing_key,
       n.state AS notice_state, n.deadline_version, e.state AS evidence_state, encode(f.body, 'escape') AS body,
       (SELECT p.outcome FROM processed p WHERE p.consumer = f.worker AND p.source = f.source
        AND p.event_id = f.event_id AND p.subject = f.subject) AS done
FROM failed_item f LEFT JOIN notice n ON n.notice_id = coalesce(f.notice_id, f.subject)
LEFT JOIN raw_evidence e ON e.evidence_id = f.subject WHERE f.failed_id = $1
"""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The database at one moment: rows and a hash of each table, notices by state, how far the outbox reaches."""

    tables: dict[str, tuple[int, int]]
    notices: dict[str, int]
    outbox: int

    def differs_from(self, other: Snapshot, but: frozenset[str] = frozenset()) -> list[str]:
        """The tables that are not the same, some left out."""
        return sorted(name for name, now in self.tables.items() if other.tables[name] != now and name not in but)


async def snapshot(ledger: PostgresLedger, *, whole: bool = False) -> Snapshot:
    """Hash every table: `whole` by what its rows hold, else by the newest transaction that wrote to it, which is as
    sure of a change (a row that goes leaves one less) and much quicker."""
    row = "sum(hashtextextended(t::text, 0))" if whole else "max(t.xmin::text::bigint)"
    names = [found[0] for found in await ledger.pool.fetch(_TABLES)]
    each = " UNION ALL ".join(f"SELECT '{name}', count(*), coalesce({row}, 0)::text FROM {name} t" for name in names)
    tables = {found[0]: (found[1], int(found[2])) for found in await ledger.pool.fetch(each)}
    notices = dict(await ledger.pool.fetch("SELECT state, count(*) FROM notice GROUP BY 1"))
    return Snapshot(tables, notices, await ledger.pool.fetchval("SELECT coalesce(max(outbox_id), 0) FROM outbox"))


@dataclass(frozen=True, slots=True)
class Judged:
    """What it came to, why, and what is new: rows by table, and what the outbox tells."""

    verdict: Verdict
    why: str
    new: Counter[str]
    told: Counter[tuple[str, str | None]]
    is_kept: bool
    """Whether its event is there as raw evidence, by whatever door."""


async def subject(ledger: PostgresLedger, failed_id: UUID) -> Any:
    """The dead letter with its notice, its evidence and its processed key, as they stand."""
    return await ledger.pool.fetchrow(_SUBJECTS, failed_id)


async def judge(ledger: PostgresLedger, was: Any, before: Snapshot, after: Snapshot) -> Judged:
    """Say what became of it. `was`: the dead letter as it stood before."""
    now = await subject(ledger, was["failed_id"])
    rows = await ledger.pool.fetch(
        "SELECT type, source, body FROM outbox WHERE outbox_id > $1 ORDER BY outbox_id", before.outbox
    )
    told = Counter((row["type"], row["source"]) for row in rows)
    new = Counter({name: after.tables[name][0] - before.tables[name][0] for name in after.tables})
    verdict, why = _verdict(was, now, after.differs_from(before, BOOKS), [json.loads(row["body"]) for row in rows])
    kept = "SELECT EXISTS (SELECT FROM raw_evidence WHERE source = $1 AND event_id = $2)"
    is_kept = await ledger.pool.fetchval(kept, was["source"], was["event_id"])
    return Judged(verdict, why, +new, told, is_kept)


def _verdict(was: Any, now: Any, changed: list[str], told: list[dict[str, Any]]) -> tuple[Verdict, str]:
    if now["state"] == "dead":
        return Verdict.UNSAFE, "it is dead again"
    assert now["state"] == "resolved", f"after a replay it is {now['state']}"
    if was["done"] is not None:
        assert _only_closes(was, changed), f"it was done before, and yet changed {changed}"
        return Verdict.ALREADY_DONE, "its processed key was there"
    if now["done"] != "done":  # a stranger's refusal leaves no processed key
        return _refused(was, _reasons(told))
    if changed:
        return Verdict.SAFE, ", ".join(changed)
    return _nothing_followed(was)


def _only_closes(was: Any, changed: list[str]) -> bool:
    """Undecodable evidence that a dead letter carries is cleared with it."""
    return not changed or (changed == ["raw_evidence"] and was["evidence_id"] is not None)


def _reasons(told: list[dict[str, Any]]) -> list[str]:
    """The reasons that upstream is told for a refusal; a mark that is none of ours is refused in silence."""
    for each in told:
        if each["type"] == "notice.refused.v1":
            return list(each["data"]["reasons"])
        if each["type"] == "evidence.refused.v1":
            return [each["data"]["reason"]]
    return []


def _refused(was: Any, reasons: list[str]) -> tuple[Verdict, str]:
    """Refused for its time alone: a date that comes too soon by now, or a notice that did not come in time."""
    text = "; ".join(reasons)
    too_soon = was["worker"] == "renderer" and reasons and all(each.startswith("respond_by: ") for each in reasons)
    too_late = was["worker"] == "responses" and text == "no such notice"
    return (Verdict.EXPIRED if too_soon or too_late else Verdict.UNSAFE), f"refused: {text}"


def _nothing_followed(was: Any) -> tuple[Verdict, str]:
    """It is resolved, and no table knows more than before: was it done by another way, or is it too late?"""
    if was["evidence_state"] in _SETTLED:
        return Verdict.ALREADY_DONE, f"its evidence was {was['evidence_state']}"
    if was["notice_state"] in TERMINAL:
        return Verdict.EXPIRED, f"its notice was {was['notice_state']}"
    if was["worker"] == "notifier":
        return Verdict.ALREADY_DONE, f"its notice was {was['notice_state']}, and its alert under way or accepted"
    if was["worker"] == "webhooks":
        return Verdict.ALREADY_DONE, "nothing was owed, or another process was telling it"
    return Verdict.EXPIRED, "nothing follows from it any more"


def said_falsely(effects: tuple[str, ...], judged: Judged, before: Snapshot, after: Snapshot) -> list[str]:
    """Of the effects that a rehearsal named, those that the database knows nothing of; and what it kept to itself."""
    found = [each for each in effects if not _is_so(each, judged, before, after)]
    if judged.verdict is Verdict.UNSAFE and not effects:
        return found  # it fails again: that its failing is told again is no effect of a replay
    told = {f"{source or 'workers'} {'is' if source else 'are'} told {kind}" for kind, source in judged.told}
    return found + [f"not said: {each}" for each in sorted(told - set(effects))]


def _is_so(effect: str, judged: Judged, before: Snapshot, after: Snapshot) -> bool:
    tables = {
        "a notice is issued": "notice", "an alert e-mail is sent": "attempt", "a hold is placed": "hold",
        "a deadline is set": "deadline", "a sanction is proposed": "sanction", "evidence is stored": "raw_evidence",
        "a timed mark is committed": "mark", "a person must decide whether": "reversal",
        "its evidence gains the fact": "notice_event",
    }  # fmt: skip
    for words, table in tables.items():
        if effect.startswith(words):
            return judged.new[table] > 0 or (table == "raw_evidence" and judged.is_kept)
    if effect.startswith("its notice goes from "):
        was, _, now = effect.removeprefix("its notice goes from ").partition(" to ")
        return (
            after.notices.get(now, 0) > before.notices.get(now, 0) and after.notices.get(was, 0) < before.notices[was]
        )
    if " told " in effect:
        who, _, kind = effect.partition(" told ")
        who = who.removesuffix(" is").removesuffix(" are")
        return (kind, None if who == "workers" else who) in judged.told
    return True
