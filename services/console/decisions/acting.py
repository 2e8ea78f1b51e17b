"""One act of a page: done, or refused with the reason, and led to where one sees it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.responses import Response

from services.console.ports import ConsoleDesk
from services.console.visit import Visit
from services.kernel.ledger import LedgerRerun
from services.kernel.runtime.desk import Word
from services.kernel.runtime.fault import Fault

_TRIES = 6


@dataclass(frozen=True, slots=True)
class Done:
    """What was done, in a sentence, and the page to go on with; empty for the one where it was asked for."""

    text: str
    leads_to: str = ""


async def acted(visit: Visit, here: str, work: Callable[[ConsoleDesk, Word], Awaitable[Done]]) -> Response:
    """Do some work at the desk by the word of who is signed in, and lead to a page that says so.

    What the law refuses leads back `here`, with the reason. An act begins its own transaction: one that another stood
    in the way of did nothing, and is begun again.

    Raises:
        LedgerRerun: others stood in the way again and again.
    """
    try:
        done = await _tried(visit, work, visit.word())
    except Fault as fault:
        return await visit.refused(here, fault)
    return visit.done(done.leads_to or here, done.text)


async def _tried(visit: Visit, work: Callable[[ConsoleDesk, Word], Awaitable[Done]], word: Word) -> Done:
    for tries_left in reversed(range(_TRIES)):
        try:
            async with visit.desk() as desk:
                return await work(desk, word)
        except LedgerRerun:
            if not tries_left:
                raise
    raise AssertionError("the last try answers or raises")
