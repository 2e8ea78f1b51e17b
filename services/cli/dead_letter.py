"""One dead letter: what a deed would do to it, how it is shown, and how a mended message is checked."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from schemas.catalogue import CATALOGUE
from schemas.cloudevents import CONTENT_TYPE, EnvelopeRefused, faults, read
from services.cli import screen
from services.cli.desk import lasting, when
from services.cli.screen import Column
from services.kernel.adapters.postgres.desk_dead import Mended
from services.kernel.runtime.fault import Exit, Fault

if TYPE_CHECKING:
    from services.kernel.adapters.postgres.desk_reads import Row

ATTEMPTS = (Column("attempt", number=True), Column("at (UTC)"), Column("came to", fold=True))
ACTIONS = (Column("at (UTC)"), Column("by"), Column("did"), Column("why", fold=True))
_SETTLED = {"processed", "refused", "cleared"}
_OVER = {"satisfied", "closed", "sanctioned", "unserved", "withdrawn"}
_ATTRIBUTES = ("ce-", "cloudevents:", "cloudevents_")


def planned(deed: str, row: Row) -> tuple[str, str]:
    """What a deed would do to a dead letter, and why."""
    if row["state"] in {"resolved", "discarded"}:
        return "left", f"it is {row['state']} already"
    if deed == "discard":
        held = row["evidence_id"] and row["evidence_state"] not in _SETTLED
        return (
            "discarded",
            "its evidence goes on holding sanctions until it is cleared" if held else "nothing depends on it",
        )
    if row["done_before"]:
        return "resolved", "it was done before: nothing is done twice"
    if row["evidence_state"] in _SETTLED:
        return "resolved", f"its evidence is {row['evidence_state']}: nothing follows"
    if row["notice_state"] in _OVER:
        return "replayed", f"its notice is {row['notice_state']}: little can follow"
    return "replayed", f"{row['worker']} tries it again" + (" sooner" if row["state"] == "retry" else "")


def tell(row: Row, whole: Row) -> None:
    """Show one dead letter, without its message."""
    screen.line(f"dead letter {row['failed_id']}", "bold")
    shown = {
        "state": row["state"],
        "reason": row["reason"],
        "worker": row["worker"],
        "type": row["type"],
        "event": f"{row['event_id']} from {row['source']}",
        "notice": f"{row['notice_id']} ({row['source_ref']}, {row['notice_state']})" if row["notice_id"] else "",
        "evidence": f"{row['evidence_id']} ({row['evidence_state']})" if row["evidence_id"] else "",
        "age": lasting(row["age"]),
        "next": f"{when(row['next_at'])} UTC" if row["next_at"] else "",
        "message": f"{row['bytes']} bytes of {whole['content_type']} (--body writes it)",
    }
    for name, value in shown.items():
        if value:
            screen.line(f"  {name:<9} {value}", screen.TONES.get(str(value), ""))
    screen.table(ATTEMPTS, [(number, *_attempt(each)) for number, each in enumerate(_list(whole, "history"), start=1)])
    actions = [(when(each["at"]), each["actor"], each["action"], each["reason"]) for each in _list(whole, "actions")]
    if actions:
        screen.table(ACTIONS, actions)


def _list(whole: Row, name: str) -> list[Mapping[str, object]]:
    found = whole[name]
    return found if isinstance(found, list) else []


def _attempt(attempt: Mapping[str, object]) -> tuple[str, str]:
    at = str(attempt.get("at", ""))[:19].replace("T", " ")
    stack = str(attempt.get("stack") or "").strip().splitlines()
    where = stack[-2].strip() if len(stack) > 1 else ""
    return at, f"{attempt.get('error')}{f' ({where})' if where else ''}"


def tell_body(whole: Row) -> None:
    """Write the message to stdout, byte for byte; on a terminal what could steer it is shown instead."""
    body = whole["body"] if isinstance(whole["body"], bytes) else b""
    if screen.console().is_terminal:
        for text in body.decode("utf-8", "replace").splitlines():
            screen.line(text)
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(body)


def mended_of(file: Path, row: Row, whole: Row, *, raw: bool) -> Mended:
    """The message that stands in a file, checked as the worker will check it; `raw`: as it is.

    Raises:
        Fault: the file cannot be read, or the message would fail again; names every fault.
    """
    try:
        body = file.read_bytes()
    except OSError as error:
        raise Fault(f"the file cannot be read ({error.strerror})", str(file), "name a file", code=Exit.USAGE) from error
    headers = whole["headers"] if isinstance(whole["headers"], dict) else {}
    if raw:
        return Mended(body, str(row["type"]), str(whole["content_type"]), headers)
    try:
        envelope = read(body, CONTENT_TYPE, {})
    except EnvelopeRefused as refused:
        raise _still(file, str(refused)) from None
    entry = CATALOGUE.get(envelope.type)
    if entry is None or entry.consumer is None:
        raise _still(file, f"type {envelope.type!r} is for no worker")
    try:
        entry.model.model_validate(envelope.data)
    except ValidationError as error:
        raise _still(file, "; ".join(f"data.{fault}" for fault in faults(error))) from None
    kept = {name: value for name, value in headers.items() if not name.lower().startswith(_ATTRIBUTES)}
    return Mended(body, envelope.type, CONTENT_TYPE, kept, envelope.type)


def _still(file: Path, what: str) -> Fault:
    return Fault(
        f"the message would fail again: {what}", str(file), "mend it, or --raw to send it unchecked", code=Exit.USAGE
    )
