"""The stop switch and the cap of every kind of sanction, the brake on all mail, and what was done with them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal, TypeAlias

from starlette.responses import Response

from services.console.decisions.acting import Done, acted
from services.console.ports import ConsoleDesk
from services.console.roles import Act
from services.console.visit import Page, Pages, Problem, Visit
from services.kernel.ledger.desk import Row
from services.kernel.runtime.desk import Word
from services.kernel.runtime.fault import Fault

HERE = "/stop"
MOST = 100
_Deed: TypeAlias = Literal["stop", "go-on", "lower", "raise"]
_Show: TypeAlias = Callable[[Visit], Awaitable[Response]]


async def stop_page(visit: Visit) -> Response:
    """Every brake as it stands, and the history of all."""
    async with visit.desk() as desk:
        kinds = await _kinds(visit, desk)
        sending = await desk.sending()
        changes = await desk.brake_changes(kind=None, most=MOST)
    return visit.write("decisions/stop.html", kinds=kinds, sending=sending, changes=changes, most=MOST)


async def _kinds(visit: Visit, desk: ConsoleDesk) -> list[Row]:
    """Every kind of sanction that a regime has or that has a brake, with its cap as it holds."""
    used = {str(row["kind"]): row for row in await desk.brakes()}
    caps = {kind: cap for (_, kind), cap in visit.site.library.caps_an_hour.items()}
    fresh = {"stopped": False, "cap_per_hour": None, "changed_by": "", "changed_at": None, "reason": "",
             "fired_last_hour": 0, "held": 0}  # fmt: skip
    found: list[Row] = []
    for kind in sorted(used.keys() | caps.keys()):
        row: Row = {**fresh, "kind": kind, **used.get(kind, {}), "regime_cap": caps.get(kind)}
        row["cap"] = row["regime_cap"] if row["cap_per_hour"] is None else row["cap_per_hour"]
        found.append(row)
    return found


async def _kind(visit: Visit, desk: ConsoleDesk) -> Row:
    meant = str(visit.request.path_params["kind"])
    row = next((each for each in await _kinds(visit, desk) if each["kind"] == meant), None)
    if row is None:
        raise Problem(404, "not_found")
    return row


def _confirm(deed: _Deed) -> _Show:
    """The page that asks for the reason before anything is done."""

    async def confirm(visit: Visit) -> Response:
        async with visit.desk() as desk:
            row = await _kind(visit, desk)
        return visit.write("decisions/brake.html", deed=deed, row=row, path=f"{HERE}/kinds/{row['kind']}/{deed}")

    return confirm


def _switch(deed: _Deed) -> _Show:
    """Throw the switch of a kind, or let it go on."""

    async def switch(visit: Visit) -> Response:
        async with visit.desk() as desk:
            kind = str((await _kind(visit, desk))["kind"])

        async def work(desk: ConsoleDesk, word: Word) -> Done:
            async with desk.begin() as tx:
                await tx.stop_kind(kind, word, stopped=deed == "stop")
            return Done(f"{kind} is stopped." if deed == "stop" else f"{kind} goes on.", HERE)

        return await acted(visit, f"{HERE}/kinds/{kind}/{deed}", work)

    return switch


def _cap(deed: _Deed) -> _Show:
    """Set how many of a kind may fire in an hour; who may only lower it, may not raise it."""

    async def cap(visit: Visit) -> Response:
        async with visit.desk() as desk:
            row = await _kind(visit, desk)
        here = f"{HERE}/kinds/{row['kind']}/{deed}"
        try:
            most = _most(visit.fields.get("cap"), row, deed)
        except Fault as fault:
            return await visit.refused(here, fault)

        async def work(desk: ConsoleDesk, word: Word) -> Done:
            async with desk.begin() as tx:
                await tx.cap_kind(str(row["kind"]), most, word)
            told = "as many an hour as the regime says." if most is None else f"{most} an hour at most."
            return Done(f"{row['kind']}: {told}", HERE)

        return await acted(visit, here, work)

    return cap


_HIGHEST, _DIGITS = 1_000_000, 7


def _most(text: str, row: Row, deed: _Deed) -> int | None:
    """The cap that is meant; empty is the regime's own.

    Raises:
        Fault: it is no number, or not on the side that this page is for.
    """
    if not text and deed == "raise":
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS and int(text) <= _HIGHEST):
        raise Fault(f"give a whole number, {_HIGHEST:,} at most")
    if deed == "lower" and row["cap"] is not None and int(text) >= int(str(row["cap"])):
        raise Fault(f"that is no less than now: {row['cap']} an hour")
    return int(text)


def _confirm_mail(deed: _Deed) -> _Show:
    async def confirm(visit: Visit) -> Response:
        return visit.write("decisions/brake.html", deed=f"mail_{deed}", row=None, path=f"{HERE}/mail/{deed}")

    return confirm


def _mail(deed: _Deed) -> _Show:
    """Stop all mail, or let it leave again."""

    async def mail(visit: Visit) -> Response:
        async def work(desk: ConsoleDesk, word: Word) -> Done:
            async with desk.begin() as tx:
                await (tx.stop_sending(word) if deed == "stop" else tx.release_sending(word))
            return Done("No mail leaves." if deed == "stop" else "Mail may leave again.", HERE)

        return await acted(visit, f"{HERE}/mail/{deed}", work)

    return mail


_OF_KIND = HERE + "/kinds/{kind}"
PAGES: Pages = (
    Page("GET", HERE, stop_page, Act.LOOK, menu="stop"),
    Page("GET", f"{_OF_KIND}/stop", _confirm("stop"), Act.STOP),
    Page("POST", f"{_OF_KIND}/stop", _switch("stop"), Act.STOP),
    Page("GET", f"{_OF_KIND}/go-on", _confirm("go-on"), Act.GO_ON),
    Page("POST", f"{_OF_KIND}/go-on", _switch("go-on"), Act.GO_ON),
    Page("GET", f"{_OF_KIND}/lower", _confirm("lower"), Act.STOP),
    Page("POST", f"{_OF_KIND}/lower", _cap("lower"), Act.STOP),
    Page("GET", f"{_OF_KIND}/raise", _confirm("raise"), Act.GO_ON),
    Page("POST", f"{_OF_KIND}/raise", _cap("raise"), Act.GO_ON),
    Page("GET", f"{HERE}/mail/stop", _confirm_mail("stop"), Act.STOP),
    Page("POST", f"{HERE}/mail/stop", _mail("stop"), Act.STOP),
    Page("GET", f"{HERE}/mail/go-on", _confirm_mail("go-on"), Act.RELEASE_MAIL),
    Page("POST", f"{HERE}/mail/go-on", _mail("go-on"), Act.RELEASE_MAIL),
)
