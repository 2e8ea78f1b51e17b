"""`duly dead-letters …`: what failed for good: why, what it holds up in law, and what may be done about it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Group, Parameter

from services.cli import screen
from services.cli.dead_letters_choice import OPEN, DeadLetterId, Filters, chosen_by, impact_of, one
from services.cli.desk import Most, at_desk, lasting, minute, named, plain, short, show_rows
from services.cli.options import Json
from services.cli.screen import Column
from services.kernel.runtime.fault import Exit, Fault

if TYPE_CHECKING:
    from services.kernel.adapters.postgres.desk import PostgresDesk
    from services.kernel.runtime.dead_letters import records
    from services.kernel.runtime.dead_letters.records import DeadLetter, Whole

LIST = (
    Column("dead letter"), Column("impact", fold=True), Column("notice", fold=True), Column("age"),
    Column("cause", fold=True),
)  # fmt: skip
PLAIN = (
    Column("dead letter"), Column("state"), Column("impact"), Column("worker"), Column("type"), Column("template"),
    Column("notice"), Column("age"), Column("attempts", number=True), Column("cause"),
)  # fmt: skip
GROUPS = (Column("", number=True), Column("impact", fold=True), Column("cause", fold=True), Column("such as"))
PLAIN_GROUPS = (
    Column("number", number=True), Column("impact"), Column("worker"), Column("type"), Column("template"),
    Column("cause"), Column("oldest (UTC)"), Column("such as"),
)  # fmt: skip
RETRIES = (
    Column("dead letter"), Column("next"), Column("attempts", number=True), Column("impact", fold=True),
    Column("cause", fold=True),
)  # fmt: skip
MOST_GROUPS = 200
State = Literal["dead", "retry", "replaying", "resolved", "discarded", "all"]
By = Literal["cause_and_impact", "cause", "impact", "worker", "type", "template"]

LOOK = Group("Look", sort_key=1)
REPLAY = Group("Replay", sort_key=2)
ACT = Group("Otherwise", sort_key=3)

app = App(name="dead-letters", help="See, mend and replay what failed for good.")
for _name, _where, _group, _help in (
    ("replay", "replays:replay", REPLAY, "Run dead letters again, in batches that grow while all goes well."),
    ("runs", "replays:runs", REPLAY, "List replays and dry runs, newest first."),
    ("run", "replays:run", REPLAY, "Follow a replay or a dry run, or see how it ended."),
    ("pause", "replays:pause", REPLAY, "Hand out nothing more of a run for now."),
    ("resume", "replays:resume", REPLAY, "Go on with a run that was stopped, from its first step."),
    ("cancel", "replays:cancel", REPLAY, "End a run: what it has not handed out stays as it is."),
    ("edit", "edits:edit", REPLAY, "Propose another message in the place of a broken one."),
    ("edits", "edits:edits", REPLAY, "List proposals that wait for a second person."),
    ("approve", "edits:approve", REPLAY, "Approve what another person proposed, and replay it."),
    ("reject", "edits:reject", REPLAY, "Close a proposal; the message stays as it is."),
    ("hurry", "acts:hurry", ACT, "Try pending retries at once."),
    ("stop", "acts:stop", ACT, "Try pending retries no more: they are dead, and wait for a person."),
    ("discard", "acts:discard", ACT, "Give up. What is given up is kept, and its evidence goes on holding sanctions."),
    ("restore", "acts:restore", ACT, "Make what was discarded dead again."),
    ("note", "acts:note", ACT, "Note something with a dead letter; it stays."),
):  # fmt: skip
    app.command(f"services.cli.dead_letters_{_where}", name=_name, group=_group, help=_help)


@app.command(name="list", group=LOOK)
def show_all(
    *,
    state: Annotated[State, Parameter(help="In this state.")] = "dead",
    filters: Filters = OPEN,
    after: Annotated[str, Parameter(help="Those after this one: the last of the page before.")] = "",
    limit: Most = 100,
    json: Json = False,
) -> None:
    """List dead letters, oldest first."""

    async def work(desk: PostgresDesk) -> tuple[list[DeadLetter], int]:
        chosen = await chosen_by(desk, filters, () if state == "all" else (state,))
        begins = (await one(desk, after)).after if after else None
        rows = await desk.letters(chosen, limit, begins)
        full = len(rows) == limit and not json
        return rows, await desk.letter_count(chosen) if full else 0

    rows, number = at_desk(work)
    if json:
        show_rows(map(asdict, rows))
        return
    terminal = screen.console().is_terminal
    columns, cells = (LIST, _cells) if terminal else (PLAIN, _plain_cells)
    screen.table(columns, map(cells, rows), empty="There is no such dead letter.")
    if number > len(rows):
        screen.aside(f"{len(rows):,} of {number:,}; the next: --after {short(rows[-1].failed_id)}")


def _cells(row: DeadLetter) -> tuple[object, ...]:
    about = row.source_ref or row.template or row.event_id
    return short(row.failed_id), impact_of(row), about, lasting(row.age), screen.Stacked((row.cause, _marks(row)))


def _marks(row: DeadLetter) -> str:
    """Whose it is, and what is unlike the others."""
    marks = (
        row.worker,
        row.state if row.state != "dead" else "",
        screen.counted(row.attempts, "attempt"),
        screen.counted(row.notes, "note") if row.notes else "",
        "edit proposed" if row.edit_id else "",
        "in a replay" if row.run_id else "",
    )
    return " \N{MIDDLE DOT} ".join(mark for mark in marks if mark)


def _plain_cells(row: DeadLetter) -> tuple[object, ...]:
    return (
        row.failed_id, row.state, row.impact, row.worker, row.type, row.template, row.source_ref, lasting(row.age),
        row.attempts, row.cause,
    )  # fmt: skip


@app.command(group=LOOK)
def groups(
    *,
    by: Annotated[By, Parameter(help="What they are grouped by.")] = "cause_and_impact",
    state: Annotated[State, Parameter(help="In this state.")] = "dead",
    filters: Filters = OPEN,
    limit: Most = MOST_GROUPS,
    json: Json = False,
) -> None:
    """Count dead letters by what they have in common, the gravest impact first.

    `--like` one of a group means the whole group, in every command: `duly dead-letters replay --like DEAD_LETTER`.
    """
    from services.kernel.runtime.dead_letters.choice import By as Property  # noqa: PLC0415 -- heavy

    async def work(desk: PostgresDesk) -> list[records.Group]:
        chosen = await chosen_by(desk, filters, () if state == "all" else (state,))
        return await desk.letter_groups(chosen, Property(by), limit)

    found = at_desk(work)
    if json:
        show_rows(map(asdict, found))
    elif screen.console().is_terminal:
        screen.table(GROUPS, map(_group_cells, found), empty="There is no such dead letter.")
        if found and by == "cause_and_impact":
            screen.aside(f"in every command, --like {short(found[0].example)} means all of its group")
    else:
        screen.table(PLAIN_GROUPS, map(_plain_group, found), empty="There is no such dead letter.")


def _group_cells(group: records.Group) -> tuple[object, ...]:
    whose = " \N{MIDDLE DOT} ".join(part for part in (group.worker, group.type) if part)
    cause = screen.Stacked((group.cause or "several causes", whose, group.template))
    impact = screen.Stacked((impact_of(group), f"since {minute(group.oldest)}"))
    return f"{group.number:,}", impact, cause, short(group.example)


def _plain_group(group: records.Group) -> tuple[object, ...]:
    return (
        group.number, group.impact, group.worker, group.type, group.template, group.cause, minute(group.oldest),
        group.example,
    )  # fmt: skip


@app.command(group=LOOK)
def show(
    dead_letter: DeadLetterId,
    /,
    *,
    body: Annotated[bool, Parameter(help="Write the message as it is kept, and nothing else.")] = False,
    json: Json = False,
) -> None:
    """Show one dead letter: message, attempts, what persons did, and its notice. --body writes the message as it is."""
    from services.cli.dead_letter import tell, tell_body  # noqa: PLC0415 -- heavy

    async def work(desk: PostgresDesk) -> Whole:
        whole = await desk.letter_whole(await named(desk, "dead", dead_letter))
        if whole is None:
            raise Fault(f"there is no dead letter {dead_letter!r}", "", "it was there a moment ago", code=Exit.NO)
        return whole

    whole = at_desk(work)
    if body:
        tell_body(whole.body)
    elif json:
        screen.json_line(plain(asdict(whole)))
    else:
        tell(whole)


@app.command(group=LOOK)
def retries(*, filters: Filters = OPEN, limit: Most = 100, json: Json = False) -> None:
    """List retries that wait for their time, oldest first: `hurry` and `stop` them."""

    async def work(desk: PostgresDesk) -> list[DeadLetter]:
        return await desk.letters(await chosen_by(desk, filters, ("retry",)), limit)

    rows = at_desk(work)
    if json:
        show_rows(map(asdict, rows))
        return
    cells = (
        (short(row.failed_id), _next(row), row.attempts, impact_of(row), screen.Stacked((row.cause, row.worker)))
        for row in rows
    )
    screen.table(RETRIES, cells, empty="No retry waits.")


def _next(row: DeadLetter) -> str:
    """When it is tried next, seen from the database's now."""
    if row.next_at is None:
        return ""
    left = row.next_at - (row.created_at + row.age)
    return f"in {lasting(left)}" if left.total_seconds() > 0 else "now"
