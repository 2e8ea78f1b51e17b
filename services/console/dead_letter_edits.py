"""Editing a dead letter: fields that may be mended, the others locked; proposed by one person, approved by another."""

from __future__ import annotations

import json
from dataclasses import dataclass
from difflib import unified_diff

from starlette.responses import Response

from schemas.catalogue import CATALOGUE
from services.console.dead_letters import HOME
from services.console.dead_letters_runs import RUNS
from services.console.roles import Act
from services.console.shown import visible
from services.console.visit import Page, Pages, Problem, Visit
from services.kernel.domain.persons import same_person
from services.kernel.runtime.dead_letters import edits
from services.kernel.runtime.dead_letters.edits import as_structured
from services.kernel.runtime.dead_letters.records import Edit, Whole
from services.kernel.runtime.fault import Fault

EDITS = "/dead-letters/edits"
_FIELD = "field:"
_LINES = 400
"""Lines of a difference that are shown."""


@dataclass(frozen=True, slots=True)
class MessageField:
    """One value of a message: its path, its text, and whether the law rests on it."""

    path: str
    text: str
    locked: bool
    long: bool


async def form(visit: Visit) -> Response:
    """The form: field by field where the message can be read, else the whole text."""
    return _form(visit, await _whole(visit), {}, "", ())


async def propose(visit: Visit) -> Response:
    """Propose what the form says; a fault shows the form again, with all that was typed."""
    whole = await _whole(visit)
    text, raw = visit.fields.raw("body"), bool(visit.fields.get("raw"))
    typed = {field.path: visit.fields.raw(_FIELD + field.path) for field in fields_of(whole) if not field.locked}
    body = text.encode() if visit.fields.get("whole") or not typed else _mended(whole, typed)
    try:
        async with visit.desk() as desk:
            edit = await edits.propose(desk, visit.site.ids, whole.letter.failed_id, body, visit.word(), raw=raw)
    except Fault as fault:
        await visit.note_refusal(fault)
        return _form(visit, whole, typed, text, (("body" if text else "reason", fault.what),), 422)
    return visit.done(f"{EDITS}/{edit.edit_id}", "The edit is proposed. Another person approves it.")


async def _whole(visit: Visit) -> Whole:
    failed_id = visit.id("failed_id")
    async with visit.desk() as desk:
        whole = await desk.letter_whole(failed_id)
    if whole is None:
        raise Problem(404, "not_found")
    await visit.note(Act.READ_MESSAGE, notice_id=whole.letter.notice_id, detail=f"dead letter {failed_id}")
    return whole


def _form(
    visit: Visit, whole: Whole, typed: dict[str, str], text: str, faults: tuple[tuple[str, str], ...], status: int = 200
) -> Response:
    fields = fields_of(whole)
    is_whole = not any(not field.locked for field in fields) or bool(visit.query("whole") or text)
    return visit.write(
        "dead_letters/edit.html", status,
        letter=whole.letter, whole=whole, is_whole=is_whole, is_readable=whole.decoded.envelope is not None,
        fields=[(field, typed.get(field.path, field.text)) for field in fields], faults=faults,
        text=text or _pretty(as_structured(whole)), reason=visit.fields.get("reason"),
    )  # fmt: skip


def fields_of(whole: Whole) -> list[MessageField]:
    """Every value of a message's data that is text, and each other value locked; none where it cannot be read."""
    entry = CATALOGUE.get(whole.letter.type)
    mendable = entry.mendable if entry else ()
    try:
        data = json.loads(as_structured(whole))["data"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []
    return [
        MessageField(path, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False),
                     not isinstance(value, str) or not any(path == m or path.startswith(f"{m}.") for m in mendable),
                     isinstance(value, str) and ("\n" in value or len(value) > 80))  # noqa: PLR2004 -- a line's worth
        for path, value in _leaves(data, "")
    ]  # fmt: skip


def _leaves(value: object, path: str) -> list[tuple[str, object]]:
    """Every value by its path; what has a dot in a name of its own is one value, as no path would lead into it."""
    if isinstance(value, dict) and value and not any("." in name for name in value):
        return [leaf for name, inner in value.items() for leaf in _leaves(inner, f"{path}.{name}" if path else name)]
    return [(path, value)]


def _mended(whole: Whole, typed: dict[str, str]) -> bytes:
    """The message with these values of its data put in their places."""
    message = json.loads(as_structured(whole))
    for path, text in typed.items():
        *way, last = path.split(".")
        place = message["data"]
        for name in way:
            place = place[name]
        place[last] = text
    return json.dumps(message, ensure_ascii=False).encode()


def _pretty(body: bytes) -> str:
    try:
        return json.dumps(json.loads(body), ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        return body.decode("utf-8", "replace")


async def proposals(visit: Visit) -> Response:
    """What waits for a second person."""
    async with visit.desk() as desk:
        found = await desk.edits()
    return visit.write("dead_letters/edits.html", edits=found)


async def proposal(visit: Visit) -> Response:
    """What somebody proposed, beside what there is."""
    edit_id = visit.id("edit_id")
    async with visit.desk() as desk:
        edit = await desk.edit(edit_id)
        whole = await desk.letter_whole(edit.failed_id) if edit else None
    if edit is None or whole is None:
        raise Problem(404, "not_found")
    await visit.note(Act.READ_MESSAGE, notice_id=whole.letter.notice_id, detail=f"edit {edit_id}")
    return visit.write(
        "dead_letters/proposal.html",
        edit=edit, letter=whole.letter, whole=whole, is_own=same_person(edit.proposed_by, visit.by),
        changes=edits.diff(edit.body_before, edit.body, whole.letter.type), lines=_lines(edit), visible=visible,
    )  # fmt: skip


def _lines(edit: Edit) -> list[tuple[str, str]]:
    """The lines that differ, each with what became of it: gone, new, or there before and after."""
    kinds = {"-": "gone", "+": "new", " ": "same"}
    before, after = (visible(_pretty(body)).split("\n") for body in (edit.body_before, edit.body))
    found = list(unified_diff(before, after, n=3, lineterm=""))[2:]
    return [(kinds.get(line[:1], "place"), line[1:] if line[:1] in kinds else line) for line in found[:_LINES]]


async def approve(visit: Visit) -> Response:
    """Put it in the place of the message, and replay it."""
    back = f"{EDITS}/{visit.id('edit_id')}"
    try:
        async with visit.desk() as desk:
            run = await edits.approve(desk, visit.site.ids, visit.id("edit_id"), visit.word())
    except Fault as fault:
        return await visit.refused(back, fault)
    return visit.done(f"{RUNS}/{run.run_id}", "The message is replaced, and replayed.")


async def reject(visit: Visit) -> Response:
    """Leave the message as it is."""
    back = f"{EDITS}/{visit.id('edit_id')}"
    try:
        async with visit.desk() as desk:
            await edits.reject(desk, visit.site.ids, visit.id("edit_id"), visit.word())
    except Fault as fault:
        return await visit.refused(back, fault)
    return visit.done(back, "The edit is rejected; the message stays as it is.", "wait")


PAGES: Pages = (
    Page("GET", EDITS, proposals, Act.LOOK),
    Page("GET", EDITS + "/{edit_id}", proposal, Act.READ_MESSAGE),
    Page("POST", EDITS + "/{edit_id}/approve", approve, Act.APPROVE_MEND),
    Page("POST", EDITS + "/{edit_id}/reject", reject, Act.APPROVE_MEND),
    Page("GET", HOME + "/{failed_id}/edit", form, Act.MEND),
    Page("POST", HOME + "/{failed_id}/edit", propose, Act.MEND),
)
