"""One dead letter on a screen: what it is, its message, its attempts, what persons did, and its notice."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from services.cli import screen
from services.cli.dead_letters_choice import impact_of
from services.cli.dead_letters_edits import changes, tell_diff
from services.cli.desk import lasting, minute, short, when
from services.cli.screen import Column

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.kernel.runtime.dead_letters.records import Attempt, Beside, Decoded, Whole

ATTEMPTS = (Column("attempt", number=True), Column("at (UTC)"), Column("came to", fold=True))
ACTIONS = (Column("at (UTC)"), Column("by", fold=True), Column("did"), Column("why", fold=True))
RUNS = (Column("run"), Column("at (UTC)"), Column("came to"), Column("why, and what would follow", fold=True))
TIMELINE = (Column("at (UTC)"), Column("fact", fold=True), Column("by", fold=True))
DID = {
    "replay": "replayed it", "mend": "approved an edit", "note": "noted", "propose": "proposed an edit",
    "reject": "rejected an edit", "overtake": "closed an edit", "discard": "discarded it", "restore": "restored it",
    "hurry": "hurried it", "stop": "stopped it",
}  # fmt: skip
STACKS = 3
"""As many attempts are shown with their stacks, the newest; --json has all."""


def tell(whole: Whole) -> None:
    """Show everything about one dead letter."""
    _head(whole)
    _message(whole.decoded, whole.headers)
    _attempts(whole.attempts)
    _persons(whole)
    if whole.beside is not None:
        _notice(whole.beside)


def _head(whole: Whole) -> None:
    letter = whole.letter
    screen.line(f"dead letter {letter.failed_id}", "bold")
    _named(
        {
            "state": f"{letter.state}, for {lasting(letter.age)}",
            "reason": letter.reason,
            "impact": impact_of(letter),
            "worker": letter.worker,
            "event": f"{letter.type} {letter.event_id} from {letter.source}",
            "template": letter.template or "",
            "evidence": f"{letter.evidence_id} ({letter.evidence_state})" if letter.evidence_id else "",
            "next": f"{when(letter.next_at)} UTC" if letter.next_at else "",
            "replays": f"{letter.replays}" if letter.replays else "",
            "done": "before: replaying it only closes it" if letter.done_before else "",
            "message": f"{letter.bytes:,} bytes of {whole.content_type} (--body writes it as it is)",
        }
    )


def _named(shown: Mapping[str, str]) -> None:
    width = max(map(len, shown), default=0)
    for name, value in shown.items():
        if value:
            screen.line(f"  {name:<{width}} {value}", screen.TONES.get(value, ""))


def _heading(text: str) -> None:
    screen.line("")
    screen.line(text, "bold")


def _message(decoded: Decoded, headers: Mapping[str, str]) -> None:
    _heading("message")
    if decoded.fault:
        screen.line(f"  cannot be read: {decoded.fault}", screen.BAD)
    _named(decoded.envelope or {})
    for text in (decoded.text if decoded.data is None else decoded.data).splitlines():
        screen.line(f"  {text}")
    for name, value in headers.items():
        screen.line(f"  header {name}: {value}", screen.QUIET)


def _attempts(attempts: tuple[Attempt, ...]) -> None:
    _heading("attempts")
    screen.table(ATTEMPTS, ((number, when(each.at), _end(each)) for number, each in enumerate(attempts, start=1)))
    stacks = {each.stack.rstrip(): number for number, each in enumerate(attempts, start=1) if each.stack.strip()}
    for stack, number in list(stacks.items())[-STACKS:]:
        screen.line(f"stack of attempt {number}", screen.QUIET)
        for text in stack.splitlines():
            screen.line(f"  {text}", screen.QUIET)


def _end(attempt: Attempt) -> str:
    """What came of it, and (of an exception) in which line of ours: the last one of its stack."""
    places = [text.strip() for text in attempt.stack.splitlines() if text.strip().startswith("File ")]
    return f"{attempt.error} ({places[-1]})" if places else attempt.error


def _persons(whole: Whole) -> None:
    if whole.actions:
        _heading("what persons did")
        did = ((minute(each.at), each.actor, DID.get(each.action, each.action), each.reason) for each in whole.actions)
        screen.table(ACTIONS, did)
    for edit in whole.edits:
        decided = f"{edit.state} by {edit.decided_by}: {edit.decision_reason}" if edit.decided_at else "waits"
        _heading(f"proposal {short(edit.edit_id)} by {edit.proposed_by} ({edit.reason}): {decided}")
        tell_diff(changes(edit.body_before, edit.body, whole.letter.type))
    if whole.runs:
        _heading("replays and dry runs")
        came = (
            (
                short(item.run_id), minute(item.ended_at or item.handed_at), str(item.outcome or "").replace("_", " "),
                "; ".join(part for part in (item.why, *item.effects) if part),
            )
            for item in whole.runs
        )  # fmt: skip
        screen.table(RUNS, came)


def _notice(beside: Beside) -> None:
    _heading(f"its notice {beside.notice_id}")
    _named(
        {
            "state": beside.state,
            "reference": f"{beside.source_ref} of business {beside.business_id}",
            "type": f"{beside.regime}/{beside.notice_type}, template version {beside.template_version}",
            "deadline": f"{when(beside.deadline_at)} UTC" if beside.deadline_at else "",
            "held": "; ".join(beside.holds),
        }
    )
    screen.table(TIMELINE, ((when(fact.at), fact.kind, fact.actor) for fact in beside.timeline))


def tell_body(body: bytes) -> None:
    """Write the message to stdout, byte for byte; on a terminal what could steer it is shown instead."""
    if screen.console().is_terminal:
        for text in body.decode("utf-8", "replace").splitlines():
            screen.line(text)
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(body)
