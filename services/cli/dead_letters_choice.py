"""Which dead letters a command means: by their ids, or by what they have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from services.cli.desk import all_named, named
from services.kernel.domain.impact import Impact
from services.kernel.runtime.fault import Exit, Fault

if TYPE_CHECKING:
    from services.kernel.adapters.postgres.desk import PostgresDesk
    from services.kernel.runtime.dead_letters.choice import Chosen
    from services.kernel.runtime.dead_letters.records import DeadLetter, Group

Ids = Annotated[str, Parameter(help="Dead letters: their ids, or how the ids end.")]
DeadLetterId = Annotated[str, Parameter(help="A dead letter: its id, or how the id ends.")]
All = Annotated[bool, Parameter(name="--all", help="All that the filters leave.")]
_IMPACTS = {"blocks_sanction": "blocks a sanction", "deadline_at_risk": "deadline at risk"}
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Filters:
    """What dead letters have in common; what is not said leaves a property open."""

    worker: Annotated[str, Parameter(help="Of this worker only.")] = ""
    kind: Annotated[str, Parameter(name="--type", help="Of this message type only.")] = ""
    cause: Annotated[str, Parameter(help="Of this cause only, as `groups` says it.")] = ""
    template: Annotated[str, Parameter(help="About this regime/notice-type only; also with @version.")] = ""
    impact: Annotated[Impact | None, Parameter(help="Whose legal impact is this.")] = None
    text: Annotated[
        str, Parameter(name=["--text", "--reason-contains"], help="With this in ids, reason, reference or message.")
    ] = ""
    since: Annotated[str, Parameter(help="Not older than this: 30m, 6h, 2d, or an ISO date or time (UTC).")] = ""
    like: Annotated[str, Parameter(help="That share worker, type, template, cause and impact with this one.")] = ""


OPEN = Filters()
"""No filter at all."""


async def chosen_by(desk: PostgresDesk, filters: Filters, states: Sequence[str]) -> Chosen:
    """What the filters leave of these states.

    Raises:
        Fault: a time or an id is none.
    """
    from services.kernel.runtime.dead_letters.choice import Chosen  # noqa: PLC0415 -- heavy

    chosen = Chosen(
        states=tuple(states) or None, worker=filters.worker or None, type=filters.kind or None,
        cause=filters.cause or None, template=filters.template or None, impact=filters.impact,
        text=filters.text or None, since=_since(filters.since),
    )  # fmt: skip
    return _narrowed(chosen, await one(desk, filters.like)) if filters.like else chosen


def _narrowed(chosen: Chosen, like: DeadLetter) -> Chosen:
    """The same, of this one's group; what a filter says itself stays."""
    return replace(
        chosen, worker=chosen.worker or like.worker, type=chosen.type or like.type, cause=chosen.cause or like.cause,
        template=chosen.template or like.template, impact=chosen.impact or like.impact,
    )  # fmt: skip


async def chosen_among(
    desk: PostgresDesk, texts: Sequence[str], filters: Filters, *, everything: bool, states: Sequence[str]
) -> Chosen:
    """What a deed is to meet: the named ones, or all that the filters leave; never everything by an oversight.

    Raises:
        Fault: neither or both are said, or an id is none.
    """
    from services.kernel.runtime.dead_letters.choice import Chosen  # noqa: PLC0415 -- heavy

    if not (texts or everything or filters.like) or (texts and (everything or filters != OPEN)):
        todo = "name them, or --like one of them, or --all with filters"
        raise Fault("which dead letters?", "", todo, code=Exit.USAGE)
    if texts:
        return Chosen(ids=tuple(await all_named(desk, "dead", texts)))
    return await chosen_by(desk, filters, states)


async def one(desk: PostgresDesk, text: str) -> DeadLetter:
    """The dead letter that a text means.

    Raises:
        Fault: there is none, or more than one.
    """
    from services.kernel.runtime.dead_letters.choice import Chosen  # noqa: PLC0415 -- heavy

    failed_id = await named(desk, "dead", text)
    return (await desk.letters(Chosen(ids=(failed_id,)), 1))[0]


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


def impact_of(row: DeadLetter | Group) -> str:
    """The legal impact in words."""
    return _IMPACTS.get(row.impact, row.impact.replace("_", " ")) if row.impact else "several"
