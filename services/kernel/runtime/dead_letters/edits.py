"""Editing a message and replaying it: one person proposes, another approves. What the law rests on is locked.

Locked is everything but what the catalogue names as mendable (`schemas.catalogue.Entry.mendable`). Of a message that
could not be read, whatever can be compared is; what the transport says (type, source) is locked, and who approves sees
both messages whole.
"""

from __future__ import annotations

from uuid import UUID

from schemas.cloudevents import CONTENT_TYPE, EnvelopeRefused, read
from services.kernel.domain.persons import same_person
from services.kernel.ports import Ids
from services.kernel.runtime.dead_letters import runs
from services.kernel.runtime.dead_letters.choice import Chosen
from services.kernel.runtime.dead_letters.decoding import as_items
from services.kernel.runtime.dead_letters.differences import Changed, diff, repeated
from services.kernel.runtime.dead_letters.port import DeadLetterDesk
from services.kernel.runtime.dead_letters.records import Edit, Kind, Run, Whole
from services.kernel.runtime.desk import Word, refusal
from services.kernel.runtime.fault import Exit, Fault
from services.kernel.runtime.items import Item

__all__ = ["Changed", "approve", "diff", "propose", "reject"]

BODY_MOST = 4 << 20
_ATTRIBUTES = ("ce-", "cloudevents:", "cloudevents_")


async def propose(
    desk: DeadLetterDesk, ids: Ids, failed_id: UUID, body: bytes, said: Word, *, raw: bool = False
) -> Edit:
    """Propose another body for a dead letter, checked as its worker will check it.

    `raw`: of a message that could not be read, the body need not be readable either.

    Raises:
        Fault: there is no such dead letter or it is not dead; another proposal is open; the body would fail again, is
            the same, or changes what is locked (each named).
    """
    edit_id = ids.uuid7()
    async with desk.begin() as tx:
        whole = await tx.dead_locked(failed_id)
        if whole is None:
            raise refusal(f"there is no dead letter {failed_id}", "duly dead-letters list shows them")
        if whole.letter.state != "dead":
            raise refusal(f"this dead letter is {whole.letter.state}: only what is dead can be edited")
        headers, content_type = _checked(whole, body, raw=raw)
        before, at = whole.body, whole.letter.changed_at
        edit = Edit(
            edit_id, failed_id, "proposed", raw, before, body, content_type, said.by, at, said.reason, None, None, None
        )  # fmt: skip
        if not await tx.edit_propose(edit, headers, ids.uuid7()):
            raise refusal("another edit of this dead letter waits for approval", "approve or reject that one first")
    return await _shown(desk, edit_id)


async def approve(desk: DeadLetterDesk, ids: Ids, edit_id: UUID, said: Word) -> Run:
    """Put the proposed body in the place of the message, and replay it: a run of one.

    Raises:
        Fault: the proposal is not open, is overtaken (then it is closed), or `said.by` proposed it.
    """
    run_id = ids.uuid7()
    async with desk.begin() as tx:
        locked = await tx.edit_locked(edit_id)
        edit = _open(edit_id, locked)
        if same_person(edit.proposed_by, said.by):
            raise refusal("who proposed an edit does not approve it", "ask a second person")
        current = locked is not None and locked[1]
        await tx.edit_decide(edit, "approved" if current else "overtaken", ids.uuid7(), said)
        if current:
            only = Chosen(ids=(edit.failed_id,), states=("dead",))
            began = await tx.run_begin(run_id, Kind.REPLAY, only, said, (1,), None)
            if not began:
                raise refusal("another run has this dead letter", "cancel that run, or wait until it is finished")
    if not current:
        raise refusal("the dead letter has changed since this edit was proposed, which is closed", "propose it anew")
    return await runs.shown(desk, run_id)


async def reject(desk: DeadLetterDesk, ids: Ids, edit_id: UUID, said: Word) -> Edit:
    """Close a proposal; the message stays as it is.

    Raises:
        Fault: the proposal is not open.
    """
    async with desk.begin() as tx:
        edit = _open(edit_id, await tx.edit_locked(edit_id))
        await tx.edit_decide(edit, "rejected", ids.uuid7(), said)
    return await _shown(desk, edit_id)


def _open(edit_id: UUID, locked: tuple[Edit, bool] | None) -> Edit:
    if locked is None:
        raise refusal(f"there is no edit {edit_id}")
    if locked[0].state != "proposed":
        raise refusal(f"this edit is {locked[0].state} already")
    return locked[0]


async def _shown(desk: DeadLetterDesk, edit_id: UUID) -> Edit:
    edit = await desk.edit(edit_id)
    if edit is None:
        raise LookupError(f"edit {edit_id} is not there")
    return edit


def _checked(whole: Whole, body: bytes, *, raw: bool) -> tuple[dict[str, str], str]:
    """The headers and the content type that the body goes with; a Fault where it must not."""
    if body == whole.body:
        raise refusal("nothing is changed")
    if len(body) > BODY_MOST:
        raise refusal(f"{len(body)} bytes are more than a message may have")
    if raw:
        if whole.decoded.envelope is not None:
            raise refusal("this message can be read, so that its edit is checked", "propose it without --raw")
        if _can_be_read(body, whole):
            raise refusal("the new body can be read, so that it is checked", "propose it without --raw")
        return whole.headers, whole.content_type
    headers = {name: value for name, value in whole.headers.items() if not name.lower().startswith(_ATTRIBUTES)}
    items = as_items(body, CONTENT_TYPE, headers, whole.routing_key, whole.letter.worker)
    if faults := [fault for item in items for fault in item.faults]:
        raise Fault(f"the message would fail again: {'; '.join(faults)}", "", "mend that as well", code=Exit.USAGE)
    if twice := repeated(body):
        raise refusal(f"{', '.join(twice)} stands twice in one object", "leave the one that is meant")
    if len(items) != 1:
        raise refusal("the message would be more than one item", "name one thing in it")
    if locked := _locked(whole, body, items[0]):
        raise refusal(f"the law rests on what may not be changed: {', '.join(locked)}", "discard it, or leave that")
    return headers, CONTENT_TYPE


def _can_be_read(body: bytes, whole: Whole) -> bool:
    """Whether this body, sent as the message was, is a CloudEvent."""
    items = as_items(body, whole.content_type, whole.headers, whole.routing_key, whole.letter.worker)
    return any(item.envelope is not None for item in items)


def _locked(whole: Whole, body: bytes, item: Item) -> list[str]:
    """Every path that is changed and may not be. What a message lacked to be read at all may be added."""
    letter, unread = whole.letter, whole.decoded.envelope is None
    found = [
        each.path
        for each in diff(as_structured(whole), body, letter.type)
        if each.locked and not (unread and each.before is None and not each.path.startswith("data"))
    ]
    if item.type != letter.type:
        found.append("type")
    if letter.source not in {"unknown", item.key.source}:
        found.append("source")
    return list(dict.fromkeys(found))


def as_structured(whole: Whole) -> bytes:
    """The message as one JSON object, whose attributes may have come as headers; as it is where it cannot be read."""
    if any(name.lower().startswith(_ATTRIBUTES) for name in whole.headers):
        try:
            return read(whole.body, whole.content_type, whole.headers).wire()
        except EnvelopeRefused:
            return whole.body
    return whole.body
