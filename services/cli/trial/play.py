"""Playing a day: requests, acts and deadlines in the order of legal time, then the judgement.

The clock is the database's simulated one. Whenever all is at rest it jumps to what comes next: an act, a deadline, or
the instant for which the gate waits. Nothing sleeps: a jump is followed by looking until everything is at rest again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TypeAlias
from uuid import UUID

from services.cli.trial.day import Act, Day, Story
from services.cli.trial.stage import Stage
from services.kernel.adapters.postgres.trial import Rest, Standing
from services.kernel.domain.chain import verify

REFUSED = "refused"
_A_MOMENT = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Scene:
    """What is seen of all stories at one look. `refusals` has the reasons of those that became no notice."""

    day: Day
    started: datetime
    now: datetime
    standings: Mapping[str, Standing]
    refusals: Mapping[str, str]
    dead_letters: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one story ended, beside what was expected of it. `state` None: nothing ever came of the request.

    `due_on` is its deadline's day, None where none runs or ran.
    """

    story: Story
    notice_id: str | None
    state: str | None
    sanction: str | None
    hold: str | None
    broken: tuple[str, ...] = ()
    due_on: date | None = None

    @property
    def ok(self) -> bool:
        """Whether it ended as expected, on a chain that verifies."""
        expect = self.story.expect
        ended = (self.state, self.sanction or "none", self.hold or "none")
        return not self.broken and ended == (expect.state, expect.sanction, expect.hold)


Watch = Callable[[Scene], None]
Entry: TypeAlias = tuple[float, Story, Act | None]
"""Something that happens on a day to a story; without an act upstream asks for the notice."""


async def play(stage: Stage, day: Day, watch: Watch) -> list[Outcome]:
    """Play a day to its end and judge it; `watch` sees every look.

    Raises:
        Fault: an act cannot be done, or the workers do not come to rest.
    """
    started = (await stage.reads.rest()).now
    look = _looking(stage, day, started, watch)
    for story in day.stories:
        if not story.day:
            await stage.ask(story)
    agenda = _agenda(day)
    end = started + timedelta(days=day.days)
    while True:
        rest = await stage.rest(look)
        if agenda and _at(started, agenda[0][0]) <= rest.now:
            await _perform(stage, agenda.pop(0))
        elif rest.now >= end:
            return await _judged(stage, day)
        else:
            await stage.reads.ahead_to(_next(started, agenda, rest, end))


def _agenda(day: Day) -> list[Entry]:
    """What happens after the start, in its order; a request before the acts of its day."""
    entries: list[Entry] = [(story.day, story, None) for story in day.stories if story.day]
    entries += [(act.day, story, act) for story in day.stories for act in story.acts]
    return sorted(entries, key=lambda entry: entry[0])


def _at(started: datetime, day: float) -> datetime:
    return started + timedelta(days=day)


def _next(started: datetime, agenda: list[Entry], rest: Rest, end: datetime) -> datetime:
    """What comes next in legal time. An instant is over a moment later."""
    comes = [end]
    if agenda:
        comes.append(_at(started, agenda[0][0]))
    if rest.next_at is not None and rest.next_at > rest.now:
        comes.append(rest.next_at + _A_MOMENT)
    return min(comes)


async def _perform(stage: Stage, entry: Entry) -> None:
    _, story, act = entry
    if act is None:
        await stage.ask(story)
        return
    standing = (await stage.reads.standings([story.story])).get(story.story)
    await stage.perform(story, act, standing)


def _looking(stage: Stage, day: Day, started: datetime, watch: Watch) -> Callable[[Rest], Awaitable[None]]:
    names = [story.story for story in day.stories]

    async def look(rest: Rest) -> None:
        standings = await stage.reads.standings(names)
        watch(Scene(day, started, rest.now, standings, await stage.reads.refusals(), rest.dead_letters))

    return look


async def _judged(stage: Stage, day: Day) -> list[Outcome]:
    names = [story.story for story in day.stories]
    standings, refusals = await stage.reads.standings(names), await stage.reads.refusals()
    notices = await stage.desk.notices_named([standing.notice_id for standing in standings.values()])
    chains = await stage.desk.chains([notice.notice_id for notice in notices])
    broken = {n.notice_id: tuple(verify(chains[n.notice_id], n.chain_head)) for n in notices}
    return [_outcome(story, standings.get(story.story), story.story in refusals, broken) for story in day.stories]


def _outcome(story: Story, found: Standing | None, refused: bool, broken: Mapping[UUID, tuple[str, ...]]) -> Outcome:
    if found is None:
        return Outcome(story, None, REFUSED if refused else None, None, None)
    return Outcome(
        story,
        notice_id=str(found.notice_id),
        state=found.state,
        sanction=found.sanction,
        hold=found.holds[-1] if found.holds else None,
        broken=broken[found.notice_id],
        due_on=found.due_on,
    )
