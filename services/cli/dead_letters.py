"""`duly dead-letters …`: what failed for good: why, and what may be done about it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from uuid import UUID

from cyclopts import App, Parameter

from services.cli import screen
from services.cli.desk import By, Most, all_named, at_desk, done, lasting, named, plain, said, short, show_rows
from services.cli.options import Json
from services.cli.screen import Column
from services.kernel.runtime.fault import Exit, Fault

if TYPE_CHECKING:
    from services.kernel.adapters.postgres.desk import PostgresDesk
    from services.kernel.adapters.postgres.desk_dead import Chosen
    from services.kernel.adapters.postgres.desk_reads import Row
    from services.kernel.runtime.desk import Word

COLUMNS = (
    Column("dead letter"), Column("worker"), Column("type", fold=True), Column("tries", number=True), Column("age"),
    Column("notice", fold=True), Column("state"), Column("reason", fold=True),
)  # fmt: skip
NARROW = (
    Column("dead letter"), Column("type"), Column("notice"), Column("worker", fold=True),
    Column("reason", fold=True),
)  # fmt: skip
PLANS = (Column("dead letter"), Column("would be"), Column("why", fold=True))
OPEN = {"dead", "retry", "replaying"}
CHUNK = 200
ALL_MOST = 1_000_000
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}

Ids = Annotated[str, Parameter(help="Dead letters: their ids, or how the ids end.")]
Worker = Annotated[str, Parameter(help="Of this worker only.")]
Type = Annotated[str, Parameter(name="--type", help="Of this message type only.")]
Contains = Annotated[str, Parameter(help="Whose reason contains this.")]
Since = Annotated[str, Parameter(help="Not older than this: 30m, 6h, 2d, or an ISO date or time (UTC).")]
All = Annotated[bool, Parameter(name="--all", help="All dead ones that the filters leave.")]
Why = Annotated[str, Parameter(name="--reason", help="Why; it is recorded. A dry run needs none.")]
DryRun = Annotated[bool, Parameter(help="Only show what would be done, and why.")]

app = App(name="dead-letters", help="See, mend and replay what failed for good.")


@app.command(name="list")
def show_all(
    *,
    state: Annotated[
        Literal["dead", "retry", "resolved", "discarded", "all"], Parameter(help="In this state.")
    ] = "dead",
    worker: Worker = "",
    kind: Type = "",
    reason_contains: Contains = "",
    since: Since = "",
    limit: Most = 100,
    json: Json = False,
) -> None:
    """List dead letters, oldest first."""
    chosen = _chosen(None, "" if state == "all" else state, worker, kind, reason_contains, since)

    async def work(desk: PostgresDesk) -> list[Row]:
        return await desk.dead_letters(chosen, limit)

    rows = at_desk(work)
    if json:
        show_rows(rows)
    else:
        columns, cells = (NARROW, _narrow) if screen.console().is_terminal else (COLUMNS, _cells)
        screen.table(columns, map(cells, rows), empty="There is no such dead letter.")


def _cells(row: Row) -> tuple[object, ...]:
    return (
        short(row["failed_id"]), row["worker"], row["type"], row["attempts"], lasting(row["age"]),
        row["source_ref"] or short(row["notice_id"]), row["state"], row["reason"],
    )  # fmt: skip


def _narrow(row: Row) -> tuple[object, ...]:
    """The same for a terminal, which has no room for as many columns."""
    tries = "1 try" if row["attempts"] == 1 else f"{row['attempts']} tries"
    return (
        short(row["failed_id"]), row["type"], row["source_ref"] or short(row["notice_id"]),
        f"{row['worker']}: {row['state']}, {tries}, {lasting(row['age'])}", row["reason"],
    )  # fmt: skip


def _chosen(ids: tuple[UUID, ...] | None, state: str, worker: str, kind: str, contains: str, since: str) -> Chosen:
    from services.kernel.adapters.postgres.desk_dead import Chosen  # noqa: PLC0415 -- heavy

    return Chosen(ids, state or None, worker or None, kind or None, contains or None, _since(since))


def _since(text: str) -> datetime | None:
    """An instant, from a span before now or an ISO date or time (UTC where it says nothing)."""
    if not text:
        return None
    if text[:-1].isdigit() and text[-1] in _UNITS and len(text) < 8:  # noqa: PLR2004 -- beyond the calendar
        return datetime.now(UTC) - timedelta(**{_UNITS[text[-1]]: int(text[:-1])})
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise Fault(f"{text!r} is no time", "--since", "write 30m, 6h, 2d or 2026-11-22", code=Exit.USAGE) from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


@app.command
def show(
    dead_letter: Annotated[str, Parameter(help="Its id, or how the id ends.")],
    /,
    *,
    body: Annotated[bool, Parameter(help="Write the message as it is kept, and nothing else.")] = False,
    json: Json = False,
) -> None:
    """Show one dead letter: reason, every attempt, and what persons did. The message itself only with --body."""
    from services.cli.dead_letter import tell, tell_body  # noqa: PLC0415 -- heavy

    async def work(desk: PostgresDesk) -> tuple[Row, Row]:
        failed_id = await named(desk, "dead", dead_letter)
        [row] = await desk.dead_letters(_chosen((failed_id,), "", "", "", "", ""), 1)
        return row, await desk.dead_letter_whole(failed_id)

    row, whole = at_desk(work)
    if body:
        tell_body(whole)
    elif json:
        screen.json_line(plain({**row, **{name: value for name, value in whole.items() if name != "body"}}))
    else:
        tell(row, whole)


@app.command
def replay(
    *dead_letters: Ids,
    everything: All = False,
    worker: Worker = "",
    kind: Type = "",
    reason_contains: Contains = "",
    since: Since = "",
    reason: Why = "",
    by: By = "",
    dry_run: DryRun = False,
    body: Annotated[Path | None, Parameter(name="--body", help="Put this file in the place of the message.")] = None,
    raw: Annotated[bool, Parameter(help="Take the file of --body as it is, unchecked.")] = False,
    json: Json = False,
) -> int:
    """Run dead letters again, through their own worker. What was done before is not done twice."""
    chosen = _chosen(None, "dead" if everything else "", worker, kind, reason_contains, since)
    if body is not None and len(dead_letters) != 1:
        raise Fault("one message is mended at a time", "--body", "name one dead letter", code=Exit.USAGE)
    if body is not None:
        return _mend(dead_letters[0], body, reason, by, raw=raw, dry_run=dry_run, json=json)
    return _deed("replay", dead_letters, chosen, reason, by, everything=everything, dry_run=dry_run, json=json)


@app.command
def discard(
    *dead_letters: Ids,
    everything: All = False,
    worker: Worker = "",
    kind: Type = "",
    reason_contains: Contains = "",
    since: Since = "",
    reason: Why = "",
    by: By = "",
    dry_run: DryRun = False,
    json: Json = False,
) -> int:
    """Give dead letters up. They are kept; evidence that they carry goes on holding sanctions until it is cleared."""
    chosen = _chosen(None, "dead" if everything else "", worker, kind, reason_contains, since)
    return _deed("discard", dead_letters, chosen, reason, by, everything=everything, dry_run=dry_run, json=json)


def _deed(
    deed: Literal["replay", "discard"],
    texts: tuple[str, ...],
    chosen: Chosen,
    reason: str,
    by: str,
    *,
    everything: bool,
    dry_run: bool,
    json: bool,
) -> int:
    from services.cli.dead_letter import planned  # noqa: PLC0415 -- heavy

    if bool(texts) == everything:
        raise Fault("which dead letters?", "", "name them, or --all with filters", code=Exit.USAGE)
    word = None if dry_run else said(by, reason)

    async def work(desk: PostgresDesk) -> tuple[list[Row], int]:
        ids = None if everything else tuple(await all_named(desk, "dead", texts))
        rows = await desk.dead_letters(_among(chosen, ids), ALL_MOST)
        return rows, 0 if word is None else await _in_chunks(desk, deed, rows, word)

    rows, count = at_desk(work)
    if dry_run:
        plans = [(row, *planned(deed, row)) for row in rows]
        if json:
            show_rows({"failed_id": row["failed_id"], "would_be": what, "why": why} for row, what, why in plans)
        else:
            screen.table(PLANS, ((short(row["failed_id"]), what, why) for row, what, why in plans), empty="None.")
        return Exit.OK
    return _told(deed, rows, count, json=json)


def _among(chosen: Chosen, ids: tuple[UUID, ...] | None) -> Chosen:
    from dataclasses import replace  # noqa: PLC0415 -- beside its only use

    return replace(chosen, failed_ids=ids)


async def _in_chunks(desk: PostgresDesk, deed: str, rows: list[Row], word: Word) -> int:
    ids = [row["failed_id"] for row in rows if row["state"] in OPEN and isinstance(row["failed_id"], UUID)]
    act = desk.replay if deed == "replay" else desk.discard
    count = 0
    with screen.progress(f"{deed}ing", len(ids)) as advance:
        for at in range(0, len(ids), CHUNK):
            count += await act(ids[at : at + CHUNK], word)
            advance(len(ids[at : at + CHUNK]))
    return count


def _told(deed: str, rows: list[Row], count: int, *, json: bool) -> int:
    left = [row for row in rows if row["state"] not in OPEN]
    verb = "made due again; relay sends them" if deed == "replay" else "discarded"
    if json:
        screen.json_line({"named": len(rows), "done": count, "skipped": len(rows) - count})
    else:
        screen.line(f"{count} of {len(rows)} {verb}", screen.GOOD if count == len(rows) else screen.WAIT)
        for row in left:
            screen.line(f"  {short(row['failed_id'])} is {row['state']} already")
    return Exit.OK if count == len(rows) else Exit.NO


def _mend(text: str, file: Path, reason: str, by: str, *, raw: bool, dry_run: bool, json: bool) -> int:
    from services.cli.dead_letter import mended_of  # noqa: PLC0415 -- heavy

    word = None if dry_run else said(by, reason)

    async def work(desk: PostgresDesk) -> Row:
        failed_id = await named(desk, "dead", text)
        [row] = await desk.dead_letters(_chosen((failed_id,), "", "", "", "", ""), 1)
        mended = mended_of(file, row, await desk.dead_letter_whole(failed_id), raw=raw)
        if row["state"] not in OPEN:
            raise Fault(f"this dead letter is {row['state']} already", "", "nothing is left to mend", code=Exit.NO)
        if word is not None:
            await desk.mend(failed_id, mended, word)
            await desk.replay([failed_id], word)
        return {"failed_id": failed_id, "type": mended.type, "bytes": len(mended.body), "done": word is not None}

    told = at_desk(work)
    verb = "would be mended and replayed" if dry_run else "is mended and due again; relay sends it"
    done(f"dead letter {told['failed_id']} {verb} as {told['type']} ({told['bytes']} bytes)", told, json=json)
    return Exit.OK
