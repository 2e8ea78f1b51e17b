"""The stage of a trial: the running workers, and all that the outside world and people at the desk do to them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from services.cli.trial.day import GIVEN, TOLD, Act, Story
from services.cli.trial.visitor import NotShown, Visitor
from services.kernel.adapters.broker import MemoryBroker
from services.kernel.adapters.embedded.house import House
from services.kernel.adapters.mail.mailbox import Mailbox
from services.kernel.adapters.postgres.desk import PostgresDesk
from services.kernel.adapters.postgres.trial import Rest, Standing, TrialReads
from services.kernel.runtime import desk_sanctions
from services.kernel.runtime.dead_letters import edits
from services.kernel.runtime.desk import Word, extend_deadline, lift_hold, word
from services.kernel.runtime.fault import Exit, Fault
from services.upstream import prepare

PATIENCE = 60.0
"""Seconds of wall time in which the workers must come to rest."""
_LOOK = 0.02
_MOST_HOLDS = 100


@dataclass(slots=True)
class Stage:
    """A house with its workers at work, seen and touched as the outside world would.

    `visitor` goes to the secure inbox; `mails` is the address of the mailbox view, `console` that of the console.
    """

    house: House
    mailbox: Mailbox
    broker: MemoryBroker
    desk: PostgresDesk
    reads: TrialReads
    visitor: Visitor
    mails: str
    console: str
    working: asyncio.Task[None]
    _spoilt: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)

    async def rest(self, looked: Callable[[Rest], Awaitable[None]]) -> Rest:
        """Wait until nothing moves but the clock; answers what falls due next. `looked` hears of every look.

        Raises:
            Fault: something still moves after `PATIENCE` seconds, or a worker has failed.
        """
        found: Rest | None = None
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    idle = self._idle()
                    found = await self.reads.rest()
                    await looked(found)
                    if idle and not found.moving and self._idle():
                        return found
                    await asyncio.sleep(_LOOK)
        except TimeoutError as error:
            left = ", ".join(f"{count} {kind}" for kind, count in found.moving.items()) if found else "the database"
            raise Fault(f"the workers did not come to rest in {PATIENCE:g} s: {left}", "", "read its log") from error

    def _idle(self) -> bool:
        if self.working.done():
            self.working.result()
            raise Fault("the workers have stopped", "", "read the trial's log")
        return self.broker.idle and self.mailbox.idle

    async def ask(self, story: Story) -> None:
        """Upstream asks for the story's notice."""
        data = story.request.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
        await self._tell(story, "notice.requested.v1", {**data, "source_ref": story.story}, spoilt=False)

    async def perform(self, story: Story, act: Act, standing: Standing | None) -> None:
        """One act.

        Raises:
            Fault: it cannot be done to this notice as it stands.
        """
        if act.act in TOLD:
            await self._said(story, act)
        elif act.act in {"bounce", "delay", "auto_reply"}:
            self._mail_comes_back(story, act)
        elif act.act == "mend_and_replay":
            await self._mend(story, act)
        elif standing is None:
            raise _cannot(story, act, "there is no notice")
        elif act.act in GIVEN:
            await self._visit(story, act, standing)
        else:
            await self._decide(story, act, standing)

    async def _said(self, story: Story, act: Act) -> None:
        kind, response = TOLD[act.act]
        data: dict[str, object] = {"source_ref": story.story}
        if response:
            data["kind"] = response
        elif act.act == "object":
            data |= {"reason": act.says or "it would be wrong", "objected_by": act.by}
        else:
            data |= {"reason": act.says or "issued in error", "requested_by": act.by}
        await self._tell(story, kind, data, spoilt=act.spoilt)

    async def _tell(self, story: Story, kind: str, data: Mapping[str, object], *, spoilt: bool) -> None:
        """Left in the database as `duly publish` leaves it; `relay` publishes."""
        (event,) = prepare([{"type": kind, "data": data}], ids=self.desk.ids, source=story.source)
        whole = event.wire()
        sent = whole[: len(whole) // 2] if spoilt else whole
        if spoilt:
            self._spoilt[story.story] = (sent, whole)
        async with self.desk.begin() as tx:
            await tx.tell([(kind, sent)])

    def _mail_comes_back(self, story: Story, act: Act) -> None:
        mails = [mail.mail_id for mail in self.mailbox.list() if mail.recipient == story.request.address]
        if not mails:
            raise _cannot(story, act, "the mail system has no mail of this notice")
        send = {"bounce": self.mailbox.bounce, "delay": self.mailbox.delay, "auto_reply": self.mailbox.auto_reply}
        send[act.act](mails[-1], act.says)

    async def _visit(self, story: Story, act: Act, standing: Standing) -> None:
        """The business itself, in its inbox."""
        business, kind = story.request.business_id, GIVEN[act.act]
        try:
            if kind is None:
                await self.visitor.read(business, standing.notice_id)
            else:
                await self.visitor.give(business, standing.notice_id, kind, act.says or "Here is what you asked for.")
        except NotShown as refused:
            raise _cannot(story, act, str(refused)) from refused

    async def _mend(self, story: Story, act: Act) -> None:
        sent, whole = self._spoilt[story.story]
        found = await self.reads.failed(sent)
        if found is None:
            raise _cannot(story, act, "the message is not among the dead letters")
        said = _word(act, "the message was cut in half")
        edit = await edits.propose(self.desk, self.desk.ids, found, whole, said)
        second = word(f"{said.by}'s colleague", "compared with what upstream had sent")
        await edits.approve(self.desk, self.desk.ids, edit.edit_id, second)

    async def _decide(self, story: Story, act: Act, standing: Standing) -> None:
        said = _word(act, "as was asked")
        if act.act == "extend":
            if standing.due_on is None:
                raise _cannot(story, act, "no deadline runs")
            until = standing.due_on + timedelta(days=act.days)
            await extend_deadline(self.desk, self.house.parts.library, standing.notice_id, until, said)
        elif act.act == "lift_hold":
            for row in await self.desk.holds(lifted=False, kind=None, notice_id=standing.notice_id, most=_MOST_HOLDS):
                await lift_hold(self.desk, UUID(str(row["hold_id"])), said)
        elif standing.sanction_id is None:
            raise _cannot(story, act, "there is no sanction")
        else:
            await desk_sanctions.rescind(self.desk, standing.sanction_id, said)


def _word(act: Act, otherwise: str) -> Word:
    return word(act.by, act.says or otherwise)


def _cannot(story: Story, act: Act, why: str) -> Fault:
    return Fault(
        f"{story.story}, day {act.day:g}: {act.act} cannot be done: {why}", "", "correct the day", code=Exit.USAGE
    )


def embedded(house: House) -> tuple[Mailbox, MemoryBroker]:
    """The mailbox and broker of a house that is set apart from everything.

    Raises:
        Fault: it is not.
    """
    if house.mailbox is None or not isinstance(house.parts.broker, MemoryBroker):
        raise Fault("a trial has a mailbox and a broker of its own", "", "unset DULY_SMTP_URL and DULY_BROKER_URL")
    return house.mailbox, house.parts.broker
