"""`duly deadlines …`: more time, given by a named person."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from services.cli.desk import By, Why, at_desk, done, library, named, said, when
from services.cli.options import Json
from services.kernel.runtime.fault import Exit, Fault

if TYPE_CHECKING:
    from services.kernel.adapters.postgres.desk import PostgresDesk

Notice = Annotated[str, Parameter(help="A notice: its id, how the id ends, or upstream's reference.")]
Until = Annotated[str, Parameter(name="--until", help="The new last day there, YYYY-MM-DD.")]

app = App(name="deadlines", help="Give more time.")


@app.command
def extend(notice: Notice, /, *, until: Until, reason: Why, by: By = "", json: Json = False) -> None:
    """Extend the deadline of a served notice. A deadline is never shortened, and what has passed is not extended."""
    due_on, word, books = _day(until), said(by, reason), library()

    async def work(desk: PostgresDesk) -> dict[str, object]:
        from services.kernel.runtime.desk import extend_deadline  # noqa: PLC0415 -- heavy

        notice_id = await named(desk, "notice", notice)
        deadline = await extend_deadline(desk, books, notice_id, due_on, word)
        return {
            "notice_id": notice_id, "deadline_version": deadline.version, "due_on": deadline.due_on,
            "due_at": deadline.due_at, "zone": deadline.zone, "extended_by": word.by,
        }  # fmt: skip

    told = at_desk(work)
    text = f"notice {told['notice_id']} may be answered until the end of {told['due_on']} in {told['zone']}"
    done(f"{text} ({when(told['due_at'])} UTC), by {word.by}'s word", told, json=json)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Fault(f"{text!r} is no date", "--until", "write it as YYYY-MM-DD", code=Exit.USAGE) from None
