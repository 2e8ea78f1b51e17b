"""`duly evidence …`: what a door took in and nobody has finished with. While it is open it holds sanctions back.

What a business gave in its inbox is read here, and its files are saved.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from services.cli import answers, screen
from services.cli.desk import By, Most, Why, at_desk, done, lasting, named, operator, plain, said, short, show_rows
from services.cli.options import Json
from services.cli.screen import Column

if TYPE_CHECKING:
    from services.kernel.adapters.postgres.desk import PostgresDesk
    from services.kernel.adapters.postgres.desk_reads import Row

COLUMNS = (
    Column("evidence"), Column("door"), Column("type", fold=True), Column("state"), Column("age"),
    Column("names", fold=True), Column("outcome", fold=True),
)  # fmt: skip
State = Literal["receiving", "waiting", "retrying", "parked", "dead", "processed", "refused", "cleared"]
SETTLED = {"processed", "refused", "cleared"}
MOST_NAMES = 3

Evidence = Annotated[str, Parameter(help="Its id, or how the id ends.")]
Notice = Annotated[str, Parameter(help="A notice: its id, how the id ends, or upstream's reference.")]

app = App(
    name="evidence", help="See evidence that waits, say what it is about, and clear what needs no more looking at."
)


@app.command(name="list")
def show(
    *,
    state: Annotated[State | None, Parameter(help="In this state only.")] = None,
    door: Annotated[
        Literal["amqp", "http", "mail", "callback", "inbox", "cli"] | None, Parameter(help="From this door only.")
    ] = None,
    limit: Most = 100,
    json: Json = False,
) -> None:
    """List evidence that is open, oldest first: waiting, retrying, parked (no notice yet), dead (undecodable)."""

    async def work(desk: PostgresDesk) -> list[Row]:
        return await desk.raw_evidence(settled=state in SETTLED, state=state, door=door, most=limit)

    rows = at_desk(work)
    if json:
        show_rows(rows)
    else:
        screen.table(COLUMNS, map(_cells, rows), empty="No evidence is open.")


def _cells(row: Row) -> tuple[object, ...]:
    return (
        short(row["evidence_id"]), row["door"], row["type"], row["state"], lasting(row["age"]), _names(row),
        row["outcome"],
    )  # fmt: skip


def _names(row: Row) -> str:
    """What it names, as far as its door could tell."""
    addresses = row["addresses"] if isinstance(row["addresses"], list) else []
    more = f" and {len(addresses) - MOST_NAMES} more" if len(addresses) > MOST_NAMES else ""
    names = [
        f"notice {short(row['notice_id'])}" if row["notice_id"] else "",
        f"{row['source'] or '?'}: {row['source_ref']}" if row["source_ref"] else "",
        f"source {row['source']}" if row["source"] and not row["source_ref"] else "",
        ", ".join(addresses[:MOST_NAMES]) + more,
    ]
    return "; ".join(name for name in names if name) or "nothing: it holds every sanction"


@app.command
def match(evidence: Evidence, notice: Notice, /, *, reason: Why, by: By = "", json: Json = False) -> None:
    """Say which notice a report of the mail system is about. A hold is placed; nothing is unserved by it."""
    word = said(by, reason)

    async def work(desk: PostgresDesk) -> dict[str, object]:
        from services.kernel.runtime.desk_evidence import match_evidence  # noqa: PLC0415 -- heavy

        evidence_id, notice_id = await named(desk, "evidence", evidence), await named(desk, "notice", notice)
        hold_id = await match_evidence(desk, desk.ids, evidence_id, notice_id, word)
        return {"evidence_id": evidence_id, "notice_id": notice_id, "hold_id": hold_id, "matched_by": word.by}

    told = at_desk(work)
    held = f"hold {told['hold_id']} is placed on it" if told["hold_id"] else "nothing was left to hold"
    done(f"the report is about notice {told['notice_id']}, by {word.by}'s word; {held}", told, json=json)


@app.command(name="show")
def read(
    evidence: Evidence,
    /,
    *,
    save: Annotated[Path | None, Parameter(help="Save its files into this folder, under names of our own.")] = None,
    by: By = "",
    json: Json = False,
) -> None:
    """Read what a business gave in its inbox. Who read it is recorded."""

    async def work(desk: PostgresDesk) -> answers.Answer:
        return await answers.read_answer(desk, await named(desk, "evidence", evidence), by or operator(), save)

    told = at_desk(work)
    if json:
        screen.json_line(plain(told.row()))
    else:
        for text in told.lines():
            screen.line(text)


@app.command
def clear(
    evidence: Evidence,
    /,
    *,
    reason: Why,
    by: By = "",
    json: Json = False,
) -> None:
    """Say that a piece of evidence needs no more looking at; it no longer holds sanctions back."""
    word = said(by, reason)

    async def work(desk: PostgresDesk) -> dict[str, object]:
        from services.kernel.runtime.desk import clear_evidence  # noqa: PLC0415 -- heavy

        evidence_id = await named(desk, "evidence", evidence)
        notice_id = await clear_evidence(desk, evidence_id, word)
        return {"evidence_id": evidence_id, "notice_id": notice_id, "cleared_by": word.by}

    told = at_desk(work)
    done(f"evidence {told['evidence_id']} is cleared by {word.by}", told, json=json)
