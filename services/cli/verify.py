"""`duly notices verify`: recomputes chains, states and daily roots, from the database or from an export alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from services.cli import screen
from services.cli.desk import all_named, at_desk
from services.cli.export import Checked, check_export
from services.cli.screen import Column
from services.kernel.runtime.fault import Exit, Fault
from services.kernel.runtime.proving import Findings, check_contents, check_notices, check_roots, known_by, prove

if TYPE_CHECKING:
    from services.kernel.adapters.postgres.desk import PostgresDesk
    from services.kernel.domain.notice import Notice

PAGE = 500
COLUMNS = (Column("notice or root"), Column("what is wrong", fold=True))
FIRST = UUID(int=0)


def verify(notices: Sequence[str], *, everything: bool, file: Path | None, json: bool) -> int:
    """Check the named notices, or all, or one export; returns the exit code."""
    if (bool(notices) + everything + (file is not None)) != 1:
        raise Fault("what is to be checked?", "", "name notices, or --all, or --file EXPORT", code=Exit.USAGE)
    if file is not None:
        return _offline(file, json=json)

    async def work(desk: PostgresDesk) -> Findings:
        async with desk.snapshot():
            return await (_all(desk) if everything else prove(desk, await all_named(desk, "notice", notices)))

    return _tell(at_desk(work), json=json)


async def _all(desk: PostgresDesk) -> Findings:
    found, roots = Findings(), await desk.roots()
    check_roots(found, roots)
    known = known_by(roots)
    with screen.progress("checking", await desk.count_notices()) as advance:
        async for notices in _pages(desk):
            ids = [notice.notice_id for notice in notices]
            chains = await desk.chains(ids)
            check_notices(found, notices, chains, roots, known)
            check_contents(found, chains, await desk.contents(ids))
            advance(len(notices))
    for notice_id in {*known, *await desk.orphans()}:
        found.add(notice_id, ["there is evidence of it, or a root knows it, but the notice is gone"])
    return found


async def _pages(desk: PostgresDesk) -> AsyncIterator[list[Notice]]:
    last = FIRST
    while notices := await desk.notices_after(last, PAGE):
        yield notices
        last = notices[-1].notice_id


def _tell(found: Findings, *, json: bool) -> int:
    if json:
        faults = [{"of": whose, "fault": what} for whose, what in found.faults]
        told = {"notices": found.notices, "facts": found.facts, "roots": found.roots, "erased": found.erased}
        screen.json_line({**told, "ok": not faults, "faults": faults})
    else:
        if found.faults:
            screen.table(COLUMNS, found.faults)
        checked = (
            f"{screen.counted(found.notices, 'notice')} with {screen.counted(found.facts, 'fact')} and "
            f"{screen.counted(found.roots, 'daily root')} checked"
        )
        if found.erased:
            checked += f"; the words of {screen.counted(found.erased, 'notice')} are erased"
        wrong = len({whose for whose, _ in found.faults})
        screen.line(f"{checked}: {f'{wrong} at fault' if wrong else 'all sound'}", screen.BAD if wrong else screen.GOOD)
    return Exit.NO if found.faults else Exit.OK


# --- without a database -----------------------------------------------------------------------------------------------


def _offline(file: Path, *, json: bool) -> int:
    try:
        checked = [check_export(line) for line in file.read_bytes().splitlines() if line.strip()]
    except OSError as error:
        raise Fault(
            f"the export cannot be read ({error.strerror})", str(file), "name a file", code=Exit.USAGE
        ) from error
    except ValueError as error:
        todo = "make one with: duly notices show NOTICE --json"
        raise Fault("this is no export of a notice", str(file), todo, code=Exit.USAGE) from error
    if not checked:
        raise Fault("the file is empty", str(file), "make one with: duly notices show NOTICE --json", code=Exit.USAGE)
    for each in checked:
        _tell_export(each, json=json)
    return Exit.NO if any(each.problems for each in checked) else Exit.OK


def _tell_export(checked: Checked, *, json: bool) -> None:
    if json:
        roots = {str(day): root for day, root in checked.roots}
        told = {"notice_id": checked.notice_id, "facts": checked.facts, "roots": roots}
        screen.json_line({**told, "ok": not checked.problems, "faults": checked.problems})
        return
    sound = not checked.problems
    screen.line(
        f"notice {checked.notice_id}: {checked.facts} facts, {'sound' if sound else 'at fault'}",
        screen.GOOD if sound else screen.BAD,
    )
    for problem in checked.problems:
        screen.line(f"  {problem}")
    for day, root in checked.roots:
        screen.line(f"  compare with the root published for {day}: {root}")
