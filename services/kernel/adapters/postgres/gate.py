"""The gate's facts as they were read, in the law's terms."""

from __future__ import annotations

from datetime import timedelta

import asyncpg

from services.kernel.domain.gate import GateFacts
from services.kernel.domain.holds import HoldKind
from services.kernel.domain.notice import Notice
from services.kernel.ledger import GatePolicy, SanctionRow, SanctionWord


def facts(row: asyncpg.Record, notice: Notice, asked_version: int, policy: GatePolicy) -> tuple[GateFacts, SanctionRow]:
    """Every fact that the gate weighs for one notice.

    Where no sanction follows, the same gate decides when the notice may be closed: nobody objects to a proposal that is
    not made, and no brake holds it.
    """
    punishes, word = policy.kind is not None, _word(row)
    read = GateFacts(
        now=row["now"],
        state=notice.state,
        current_version=notice.deadline_version,
        asked_version=asked_version,
        deadline_at=notice.deadline_at,
        safety_delay=timedelta(seconds=policy.safety_delay),
        satisfied=notice.satisfied_at is not None,
        open_holds=tuple(HoldKind(kind) for kind in row["open_holds"]),
        last_hold_lifted_at=row["last_hold_lifted_at"],
        minimum_after_hold=timedelta(seconds=policy.minimum_after_hold),
        proposed_at=row["proposed_at"] if punishes else notice.deadline_at,
        objection_window=timedelta(seconds=policy.objection_window if punishes else 0),
        objected=HoldKind.OBJECTION.value in row["open_holds"],
        waiting_evidence=tuple(row["waiting_evidence"]),
        blocked_source=row["blocked_source"],
        marks_committed_through=row["marks_committed_through"],
        stop_switch=row["stop_switch"] and punishes,
        cap_per_hour=_cap(row["cap_per_hour"], policy) if punishes else None,
        fired_last_hour=row["fired_last_hour"],
        automatic=policy.automatic or not punishes,
        decided_by=row["decided_by"],
        approved_by=row["approved_by"],
        effective_sanction_in_matter=row["effective_sanction_in_matter"] and punishes,
        undecided_reversal_in_matter=row["undecided_reversal_in_matter"] and punishes,
        declined=_declined(word),
        released=row["released"],
    )
    return read, SanctionRow(row["sanction_id"], row["sanction_state"], word)


def _word(row: asyncpg.Record) -> SanctionWord | None:
    if row["word"] is None:
        return None
    return SanctionWord(row["word"], row["said_by"], row["word_reason"], row["batch_id"])


def _declined(word: SanctionWord | None) -> str | None:
    return f"{word.by}: {word.reason}" if word is not None and word.word == "decline" else None


def _cap(set_by_hand: int | None, policy: GatePolicy) -> int | None:
    return policy.cap_per_hour if set_by_hand is None else set_by_hand
