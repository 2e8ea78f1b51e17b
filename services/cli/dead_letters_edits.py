"""Putting a message right: one person proposes, another approves; what the law rests on is locked."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from services.cli import screen
from services.cli.dead_letters_choice import DeadLetterId
from services.cli.dead_letters_replays import Detach, Wait, followed
from services.cli.desk import By, Most, Why, at_desk, minute, named, plain, said, short
from services.cli.options import Json
from services.cli.screen import Column
from services.kernel.runtime.fault import Exit, Fault

if TYPE_CHECKING:
    from services.kernel.adapters.postgres.desk import PostgresDesk
    from services.kernel.runtime.dead_letters.edits import Changed
    from services.kernel.runtime.dead_letters.records import Edit, Run, Whole

DIFF = (Column("field", fold=True), Column("was", fold=True), Column("shall be", fold=True), Column(""))
EDITS = (
    Column("proposal"), Column("dead letter"), Column("by", fold=True), Column("at (UTC)"), Column("reason", fold=True),
    Column("changes", fold=True),
)  # fmt: skip
LOCKED = "locked"
Proposal = Annotated[str, Parameter(help="A proposal: its id, or how the id ends.")]
File = Annotated[Path | None, Parameter(name="--file", help="The message as it shall be; otherwise $EDITOR asks.")]
Raw = Annotated[bool, Parameter(help="Of a message that cannot be read: take the file as it is.")]


def edit(
    dead_letter: DeadLetterId,
    /,
    *,
    file: File = None,
    raw: Raw = False,
    reason: Why,
    by: By = "",
    json: Json = False,
) -> None:
    """Propose another message in the place of a broken one; another person must approve it.

    What the law rests on is locked: who it is from, about which notice, its type. `show --body` writes the message.
    """
    word = said(by, reason)

    async def look(desk: PostgresDesk) -> Whole:
        whole = await desk.letter_whole(await named(desk, "dead", dead_letter))
        if whole is None:
            raise Fault(f"there is no dead letter {dead_letter!r}", "", "it was there a moment ago", code=Exit.NO)
        return whole

    whole = at_desk(look)
    written = file or _written(whole)
    body = _read(written)

    async def propose(desk: PostgresDesk) -> Edit:
        from services.kernel.runtime.dead_letters.edits import propose as act  # noqa: PLC0415 -- heavy

        return await act(desk, desk.ids, whole.letter.failed_id, body, word, raw=raw)

    if not json:
        tell_diff(changes(_as_json(whole), body, whole.letter.type))
    try:
        made = at_desk(propose)
    except Fault:
        if file is None:
            screen.aside(f"your text is kept: --file {written}")
        raise
    if file is None:
        written.unlink()
    _told(made, whole.letter.type, json=json)


def _written(whole: Whole) -> Path:
    """A file in which the person at this terminal has changed the message."""
    if not (screen.console().is_terminal and screen.errors().is_terminal):
        todo = "--file FILE; `duly dead-letters show --body` writes what it is now"
        raise Fault("which message shall be in its place?", "", todo, code=Exit.USAGE)
    with tempfile.NamedTemporaryFile("wb", prefix="dead-letter-", suffix=".json", delete=False) as made:
        made.write(_readable(_as_json(whole)))
    path = Path(made.name)
    before = path.read_bytes()
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    try:
        ended = subprocess.run([*shlex.split(editor), str(path)], check=False).returncode  # noqa: S603 -- whose it is
    except (OSError, ValueError) as error:
        path.unlink()
        raise Fault(f"no editor starts ({error})", "EDITOR", "set it, or give --file", code=Exit.USAGE) from error
    if ended or path.read_bytes() == before:
        path.unlink()
        raise Fault("nothing was changed, and so nothing is proposed", "", "", code=Exit.NO)
    return path


def _readable(body: bytes) -> bytes:
    """Indented, where it is JSON: only the spaces between values differ."""
    import json  # noqa: PLC0415 -- the name is an option's elsewhere

    try:
        return (json.dumps(json.loads(body), indent=2, ensure_ascii=False) + "\n").encode()
    except ValueError:
        return body


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise Fault(f"the file cannot be read ({error.strerror})", str(file), "name a file", code=Exit.USAGE) from error


def _as_json(whole: Whole) -> bytes:
    from services.kernel.runtime.dead_letters.edits import as_structured  # noqa: PLC0415 -- heavy

    return as_structured(whole)


def changes(before: bytes, after: bytes, kind: str) -> Sequence[Changed]:
    """What differs between two messages of this type, by field."""
    from services.kernel.runtime.dead_letters.edits import diff  # noqa: PLC0415 -- heavy

    return diff(before, after, kind)


def tell_diff(changed: Iterable[Changed]) -> None:
    """Show what differs; what is locked is marked."""
    screen.table(
        DIFF,
        ((each.path, each.before, each.after, LOCKED if each.locked else "") for each in changed),
        empty="Field by field nothing can be compared: one of the two is no JSON object.",
    )


def edit_object(edit: Edit, kind: str) -> dict[str, object]:
    """A proposal as JSON: what it changes, field by field; the messages whole, in hexadecimal."""
    changed = [asdict(each) for each in changes(edit.body_before, edit.body, kind)]
    return {name: plain(value) for name, value in asdict(edit).items()} | {"changes": changed}


def _told(made: Edit, kind: str, *, json: bool) -> None:
    if json:
        screen.json_line(edit_object(made, kind))
        return
    screen.line(f"proposal {made.edit_id} by {made.proposed_by} waits for another person", screen.WAIT)
    where = short(made.edit_id)
    screen.aside(f"to approve it: duly dead-letters approve {where} --reason WHY --by NAME")
    screen.aside(f"to close it: duly dead-letters reject {where} --reason WHY")


def edits(
    *,
    everything: Annotated[bool, Parameter(name="--all", help="Show those that are decided as well.")] = False,
    limit: Most = 50,
    json: Json = False,
) -> None:
    """List proposals that wait for a second person, oldest first, with what they change."""

    async def work(desk: PostgresDesk) -> list[tuple[Edit, str]]:
        from services.kernel.runtime.dead_letters.choice import Chosen  # noqa: PLC0415 -- heavy

        found = await desk.edits(open_only=not everything, most=limit)
        ids = tuple({each.failed_id for each in found})
        kinds = {row.failed_id: row.type for row in await desk.letters(Chosen(ids=ids), len(ids))} if ids else {}
        return [(each, kinds[each.failed_id]) for each in found]

    found = at_desk(work)
    if json:
        for each, kind in found:
            screen.json_line(edit_object(each, kind))
    else:
        screen.table(EDITS, (_cells(each, kind) for each, kind in found), empty="No proposal waits.")


def _cells(edit: Edit, kind: str) -> tuple[object, ...]:
    paths = ", ".join(each.path for each in changes(edit.body_before, edit.body, kind)) or "the whole message"
    decided = f" ({edit.state} by {edit.decided_by}: {edit.decision_reason})" if edit.decided_at else ""
    return (
        short(edit.edit_id), short(edit.failed_id), edit.proposed_by, minute(edit.proposed_at), edit.reason,
        f"{paths}{decided}",
    )  # fmt: skip


def approve(
    proposal: Proposal,
    /,
    *,
    reason: Why,
    by: By = "",
    wait: Wait = None,
    detach: Detach = False,
    json: Json = False,
) -> int:
    """Approve what another person proposed: the message is replaced and replayed. `show` says what would change."""
    word = said(by, reason)

    async def begin(desk: PostgresDesk) -> Run:
        from services.kernel.runtime.dead_letters.edits import approve as act  # noqa: PLC0415 -- heavy

        return await act(desk, desk.ids, await named(desk, "edit", proposal), word)

    return followed(begin, wait, detach=detach, most=1, json=json)


def reject(proposal: Proposal, /, *, reason: Why, by: By = "", json: Json = False) -> None:
    """Close a proposal; the message stays as it is."""
    word = said(by, reason)

    async def work(desk: PostgresDesk) -> tuple[Edit, str]:
        from services.kernel.runtime.dead_letters.edits import reject as act  # noqa: PLC0415 -- heavy

        edit = await act(desk, desk.ids, await named(desk, "edit", proposal), word)
        whole = await desk.letter_whole(edit.failed_id)
        return edit, whole.letter.type if whole else ""

    edit, kind = at_desk(work)
    if json:
        screen.json_line(edit_object(edit, kind))
    else:
        screen.line(f"proposal {edit.edit_id} is rejected by {word.by}; the message stays as it is", screen.GOOD)
