"""`duly notices …`: notices, their whole story, and the proof of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from services.cli import screen
from services.cli.desk import Most, at_desk, minute, named, short, show_rows, when
from services.cli.options import Json
from services.cli.screen import Column
from services.kernel.domain.notice import State

if TYPE_CHECKING:
    from services.kernel.adapters.postgres.desk import PostgresDesk
    from services.kernel.adapters.postgres.desk_reads import Row
    from services.kernel.domain.chain import Fact

COLUMNS = (
    Column("notice"), Column("reference"), Column("type", fold=True), Column("state"), Column("deadline (UTC)"),
    Column("sanction", fold=True),
)  # fmt: skip
FACTS = (Column("#", number=True), Column("at (UTC)"), Column("what"), Column("by"), Column("details", fold=True))
ATTEMPTS = (
    Column("attempt"), Column("begun (UTC)"), Column("to", fold=True), Column("came to"), Column("said", fold=True)
)  # fmt: skip
DEADLINES = (
    Column("version", number=True), Column("last day"), Column("ends (UTC)"), Column("rule", fold=True),
    Column("by", fold=True),
)  # fmt: skip
EVIDENCE = (
    Column("evidence"), Column("received (UTC)"), Column("door"), Column("state"), Column("outcome", fold=True)
)  # fmt: skip
LONG = 60
"""Characters of a fact's detail that a table shows; JSON shows all."""
Notice = Annotated[str, Parameter(help="A notice: its id, how the id ends, or upstream's reference.")]

app = App(name="notices", help="See notices, their whole story, and the proof of it.")


@app.command(name="list")
def show_all(
    *,
    state: Annotated[State | None, Parameter(help="In this state only.")] = None,
    regime: Annotated[str, Parameter(help="Under this regime only.")] = "",
    business: Annotated[str, Parameter(help="To this business only.")] = "",
    reference: Annotated[str, Parameter(help="With this reference of upstream's only.")] = "",
    limit: Most = 50,
    json: Json = False,
) -> None:
    """List notices, newest first."""

    async def work(desk: PostgresDesk) -> list[Row]:
        return await desk.notices(
            state=state, regime=regime or None, business=business or None, source_ref=reference or None, most=limit
        )

    rows = at_desk(work)
    if json:
        show_rows(rows)
    else:
        screen.table(COLUMNS, map(_cells, rows), empty="There is no such notice.")


def _cells(row: Row) -> tuple[object, ...]:
    held = f"held ({row['open_holds']})" if row["open_holds"] else ""
    sanction = ", ".join(str(part).replace("_", " ") for part in (row["sanction"], held) if part)
    deadline = minute(row["deadline_at"])
    return short(row["notice_id"]), row["source_ref"], row["notice_type"], row["state"], deadline, sanction


@app.command
def show(notice: Notice, /, *, json: Json = False) -> None:
    """Show everything known about a notice, except its words. The JSON is what `verify --file` checks offline."""
    from services.cli.export import export  # noqa: PLC0415 -- heavy

    async def work(desk: PostgresDesk) -> tuple[Row, list[Fact], dict[str, object]]:
        notice_id = await named(desk, "notice", notice)
        async with desk.snapshot():
            row = await desk.notice(notice_id)
            facts = (await desk.chains([notice_id]))[notice_id]
            roots = await desk.roots({fact.at.date() for fact in facts})
        return row, facts, export(row, facts, roots)

    row, facts, told = at_desk(work)
    if json:
        screen.json_line(told)
        return
    _head(row)
    screen.table(FACTS, map(_fact, facts))
    _sections(row)


def _head(row: Row) -> None:
    screen.line(f"notice {row['notice_id']}", "bold")
    shown = {
        "state": row["state"],
        "reference": f"{row['source']}: {row['source_ref']}",
        "type": f"{row['notice_type']} under {row['regime']}, template version {row['template_version']}",
        "matter": row["matter"],
        "business": f"{row['business_id']} at {row['address']}",
        "deadline": f"{when(row['deadline_at'])} UTC, version {row['deadline_version']}" if row["deadline_at"] else "",
        "gate": "; ".join(_waits(row)),
        "content": _content(row),
        "trial": "yes: its clock is simulated" if row["trial"] else "",
    }
    for name, value in shown.items():
        if value:
            screen.line(f"  {name:<10} {value}", screen.TONES.get(str(value), ""))
    screen.line("")


def _content(row: Row) -> str:
    """What became of the words, or how long they are kept."""
    if row["content_erased_at"]:
        return f"erased on {when(row['content_erased_at'])} UTC, as the retention rules say"
    codes = row["kept_for"] if isinstance(row["kept_for"], list) else []
    reasons = f", and for: {', '.join(code.replace('_', ' ') for code in codes)}" if codes else ""
    return f"kept until {row['kept_until']}{reasons}" if row["kept_until"] else ""


def _waits(row: Row) -> Iterator[str]:
    for wait in _parts(row, "wait"):
        codes = wait["waiting_for"] if isinstance(wait["waiting_for"], list) else []
        until = f", looks again {when(wait['look_again_at'])} UTC" if wait["look_again_at"] else ""
        yield "waits for " + (", ".join(code.replace("_", " ") for code in codes) or "its turn") + until


def _parts(row: Row, name: str) -> list[Row]:
    found = row[name]
    return found if isinstance(found, list) else []


def _fact(fact: Fact) -> tuple[object, ...]:
    return fact.seq, when(fact.at), fact.kind, fact.actor, _details(fact.data)


def _details(data: Mapping[str, object]) -> str:
    return ", ".join(
        f"{name}: {_cut(_flat(name, value))}" for name, value in data.items() if value not in (None, [], "")
    )


def _flat(name: str, value: object) -> str:
    if name.endswith("_id"):
        return short(value)
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)


def _cut(text: str) -> str:
    return text if len(text) <= LONG or not screen.console().is_terminal else f"{text[: LONG - 1]}…"


def _sections(row: Row) -> None:
    """What hangs on the notice besides its chain. Piped, each section has its heading line."""
    attempts = [
        (
            f"{each['kind']} {each['number']}", when(each["started_at"]), each["address"], each["state"],
            " ".join(str(part) for part in (each["code"], each["enhanced"], each["reply"]) if part),
        )
        for each in _parts(row, "attempts")
    ]  # fmt: skip
    deadlines = [
        (each["version"], when(each["due_on"]), when(each["due_at"]), each["rule"], each["approver"])
        for each in _parts(row, "deadlines")
    ]
    evidence = [
        (short(each["evidence_id"]), when(each["received_at"]), each["door"], each["state"], each["outcome"])
        for each in _parts(row, "evidence")
    ]
    for columns, cells in ((ATTEMPTS, attempts), (DEADLINES, deadlines), (EVIDENCE, evidence)):
        if cells:
            screen.table(columns, cells)
    for hold in _parts(row, "holds"):
        screen.line(_hold(hold), "" if hold["lifted_at"] else screen.WAIT)
    for sanction in _parts(row, "sanctions"):
        screen.line(_sanction(sanction))


def _hold(hold: Row) -> str:
    placed = f"hold {short(hold['hold_id'])} ({hold['kind']}) by {hold['placed_by']}: {hold['reason']}"
    return f"{placed}; lifted by {hold['lifted_by']}: {hold['lift_reason']}" if hold["lifted_at"] else f"{placed}; open"


def _sanction(sanction: Row) -> str:
    text = f"sanction {short(sanction['sanction_id'])} ({sanction['kind']}): {sanction['state']}"
    reason = sanction["decision_reason"] or sanction["reversal_reason"]
    return f"{text} -- {reason}" if reason else text


@app.command
def verify(
    *notices: Notice,
    everything: Annotated[bool, Parameter(name="--all", help="Check every notice and every daily root.")] = False,
    file: Annotated[
        Path | None, Parameter(name="--file", help="Check an export of `notices show --json`, without a database.")
    ] = None,
    json: Json = False,
) -> int:
    """Check that evidence is whole and unaltered, that states follow from it, and that daily roots know it.

    The exit code is 1 if anything is wrong; each notice and fact at fault is named.
    """
    from services.cli.verify import verify as check  # noqa: PLC0415 -- heavy

    return check(notices, everything=everything, file=file, json=json)
