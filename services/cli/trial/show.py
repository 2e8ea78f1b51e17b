"""A trial on the screen: a live table in a terminal, a line for each change when piped, and the judgement."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from services.cli import screen
from services.cli.screen import BAD, GOOD, QUIET, TONES, WAIT
from services.cli.trial.play import REFUSED, Outcome, Scene, Watch
from services.kernel.adapters.postgres.trial import Standing

HEADINGS = ("story", "state", "deadline", "mail", "sanction", "next")
_WIDTHS = (23, 10, 8, 11, 14)
"""Characters, so that the whole fits into 100 columns."""
_MAIL = {"sending": "on its way", "later": "tried later", "ours": "stopped", "abandoned": "tried later"}
_GATE = {
    "hold_open": "a person decides",
    "source_blocked": "a dead letter waits",
    "evidence_waiting": "evidence is weighed",
    "mark_missing": "evidence is gathered",
    "after_hold": "time after a hold",
    "safety_delay": "safety delay",
    "objection_window": "objections are heard",
}
_ENDED = {
    "satisfied": "done in time",
    "unserved": "serve it elsewhere",
    "closed": "nothing follows",
    "withdrawn": "taken back",
    "sanctioned": "carried out upstream",
}
_SHORT = {"reversal_required": "reversal asked"}
_TONES = {**TONES, REFUSED: QUIET, "fired": BAD, "reversal asked": WAIT}


@dataclass(slots=True)
class Board:
    """The newest scene as a table; with the outcomes, once they are known."""

    scene: Scene | None = None
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)

    def follow(self, scene: Scene) -> None:
        """Show this from now on."""
        self.scene = scene

    def __rich__(self) -> RenderableType:
        """Draw it."""
        if self.scene is None:
            return Text("starting PostgreSQL, the mailbox, the inbox and the workers …", style=QUIET)
        table = Table(box=SIMPLE_HEAD, header_style="bold", padding=(0, 1, 0, 0), show_edge=False)
        table.add_column("", width=1)
        for heading, width in zip(HEADINGS, (*_WIDTHS, None), strict=True):
            table.add_column(heading, width=width, no_wrap=True, overflow="ellipsis")
        for story in self.scene.day.stories:
            cells = _cells(self.scene, story.story)
            outcome = self.outcomes.get(story.story)
            if outcome is not None and not outcome.ok:
                cells = (*cells[:-1], "not as expected")
            table.add_row(_mark(outcome), Text(story.title), *_drawn(cells))
        return Group(_heading(self.scene), table, Text())


@contextmanager
def live_board() -> Iterator[Board]:
    """A table that follows what it is given, and stays on the screen at the end."""
    board = Board()
    with Live(board, console=screen.console(), refresh_per_second=12):
        yield board


def lines() -> Watch:
    """A line for each change of a story: legal time, the story's name, and the cells of the table."""
    seen: dict[str, tuple[str, ...]] = {}

    def watch(scene: Scene) -> None:
        if not seen:
            sys.stdout.write("\t".join(("legal time (UTC)", *HEADINGS)) + "\n")
        now = {story.story: _cells(scene, story.story) for story in scene.day.stories}
        now["dead letters"] = (str(scene.dead_letters),)
        for name, cells in now.items():
            if seen.get(name, ("0",)) != cells:
                sys.stdout.write("\t".join((f"{scene.now:%Y-%m-%d %H:%M}", name, *cells)) + "\n")
        seen.update(now)
        sys.stdout.flush()

    return watch


def json_lines(outcomes: Sequence[Outcome]) -> None:
    """One JSON object a story."""
    for outcome in outcomes:
        expect = outcome.story.expect
        screen.json_line(
            {
                "story": outcome.story.story, "notice_id": outcome.notice_id, "expected": expect.state,
                "state": outcome.state, "sanction": outcome.sanction, "ok": outcome.ok, "hold": outcome.hold,
                "expected_sanction": None if expect.sanction == "none" else expect.sanction,
                "expected_hold": None if expect.hold == "none" else expect.hold, "chain": list(outcome.broken),
            }
        )  # fmt: skip


def judgement(outcomes: Sequence[Outcome], days: int, seconds: float) -> None:
    """What came of it all, in a line; and a line for each story that ended otherwise."""
    wrong = [outcome for outcome in outcomes if not outcome.ok]
    for outcome in wrong:
        became = _said(outcome.state or "nothing", outcome.sanction, outcome.hold)
        chain = f"; its chain does not verify: {'; '.join(outcome.broken)}" if outcome.broken else ""
        screen.line(f"{outcome.story.story}: expected {_expected(outcome)}, became {became}{chain}", BAD)
    chains = sum(outcome.notice_id is not None for outcome in outcomes)
    ended = f"{len(wrong)} not as expected" if wrong else "all as expected"
    broken = sum(bool(outcome.broken) for outcome in outcomes)
    verified = f"{broken} of {chains} chains do not verify" if broken else f"{chains} chains verify"
    text = f"{len(outcomes)} stories, {ended}; {verified}; {days} days of legal time in {seconds:.1f} s"
    screen.line(text, BAD if wrong else GOOD)


def _heading(scene: Scene) -> Text:
    gone = min((scene.now - scene.started).total_seconds() / 86400, scene.day.days)
    day = f"day {int(gone)} of {scene.day.days}"
    return Text.assemble(
        (scene.day.title, "bold"), f"   {day}   ", (f"{scene.now:%a %d %b %Y %H:%M} UTC, simulated", QUIET)
    )


def _drawn(cells: tuple[str, ...]) -> Iterator[Text]:
    state, deadline, mail, sanction, coming = cells
    yield Text(state, style=_TONES.get(state, ""))
    yield Text(f"{date.fromisoformat(deadline):%d %b}" if deadline else "")
    yield Text(" ".join(mail.split()[:2]))
    sanction = _SHORT.get(sanction, sanction)
    yield Text(sanction, style=_TONES.get(sanction, ""))
    yield Text(coming, style=QUIET)


def _mark(outcome: Outcome | None) -> Text:
    if outcome is None:
        return Text(" ")
    return Text("✓", style=GOOD) if outcome.ok else Text("✗", style=BAD)


def _expected(outcome: Outcome) -> str:
    expect = outcome.story.expect
    return _said(expect.state, expect.sanction, expect.hold)


def _said(state: str, sanction: str | None, hold: str | None) -> str:
    parts = (state, sanction and f"sanction {sanction}", hold and f"held: {hold}")
    return ", ".join(part for part in parts if part and not part.endswith("none"))


def _cells(scene: Scene, name: str) -> tuple[str, ...]:
    """State, deadline, mail, sanction and what comes next, of one story."""
    standing = scene.standings.get(name)
    if standing is None:
        return _unborn(scene, name)
    mail = _MAIL.get(standing.mail or "", standing.mail or "")
    if standing.code and standing.mail == "refused":
        mail = f"refused {standing.code} {standing.enhanced or ''}".strip()
    if standing.state == "unserved" and standing.mail == "accepted":
        mail = "bounced"
    due = standing.due_on.isoformat() if standing.due_on else ""
    return (standing.state, due, mail, standing.sanction or "", _next(standing))


def _unborn(scene: Scene, name: str) -> tuple[str, ...]:
    """Of a request that became no notice yet, or never will."""
    refusal = scene.refusals.get(name)
    if refusal is not None:
        return REFUSED, "", "", "", "out of scope" if refusal.startswith("scope:") else "refused: see reasons"
    day = next(story.day for story in scene.day.stories if story.story == name)
    later = scene.now < scene.started + timedelta(days=day)
    return "", "", "", "", f"asked for on day {day:g}" if later else "to be rendered"


def _next(standing: Standing) -> str:
    if standing.sanction == "reversal_required":
        return "a person decides"
    if standing.state in _ENDED:
        return _ENDED[standing.state]
    if standing.holds:
        return f"held: {standing.holds[-1]}"
    if standing.state == "served":
        return f"a response by {standing.due_on:%d %b}" if standing.due_on else "nothing is asked"
    if standing.state == "lapsed":
        return next((_GATE[code] for code in _GATE if code in standing.waiting_for), "the gate decides")
    return "the alert is sent"
