"""What persons do with dead letters besides replaying them: hurry, stop, discard, restore, note."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Annotated, TypeAlias
from uuid import UUID

from cyclopts import Parameter

from services.cli import screen
from services.cli.dead_letters_choice import OPEN, All, DeadLetterId, Filters, Ids, chosen_among
from services.cli.desk import By, Why, at_desk, done, named, said
from services.cli.options import Json
from services.kernel.runtime.fault import Exit

if TYPE_CHECKING:
    from services.kernel.adapters.postgres.desk import PostgresDesk
    from services.kernel.ports import Ids as IdSource
    from services.kernel.runtime.dead_letters.choice import Chosen
    from services.kernel.runtime.desk import Word

    Act: TypeAlias = Callable[[PostgresDesk, IdSource, Chosen, Word], Awaitable[int]]

NoteText = Annotated[str, Parameter(help="What to note.")]


def hurry(
    *dead_letters: Ids, everything: All = False, filters: Filters = OPEN, reason: Why, by: By = "", json: Json = False
) -> int:
    """Try pending retries at once. The attempts before count on."""
    from services.kernel.runtime.dead_letters.acts import hurry as act  # noqa: PLC0415 -- heavy

    word = said(by, reason)
    return _do(act, dead_letters, filters, word, everything=everything, verb="hurried", of=("retry",), json=json)


def stop(
    *dead_letters: Ids, everything: All = False, filters: Filters = OPEN, reason: Why, by: By = "", json: Json = False
) -> int:
    """Try pending retries no more: they are dead, and wait for a person."""
    from services.kernel.runtime.dead_letters.acts import stop as act  # noqa: PLC0415 -- heavy

    word = said(by, reason)
    return _do(act, dead_letters, filters, word, everything=everything, verb="stopped", of=("retry",), json=json)


def discard(
    *dead_letters: Ids, everything: All = False, filters: Filters = OPEN, reason: Why, by: By = "", json: Json = False
) -> int:
    """Give dead letters up. They are kept; evidence that they carry goes on holding sanctions until it is cleared."""
    from services.kernel.runtime.dead_letters.acts import discard as act  # noqa: PLC0415 -- heavy

    word = said(by, reason)
    return _do(act, dead_letters, filters, word, everything=everything, verb="discarded", of=("dead",), json=json)


def restore(
    *dead_letters: Ids, everything: All = False, filters: Filters = OPEN, reason: Why, by: By = "", json: Json = False
) -> int:
    """Make what was discarded dead again: it waits for a person."""
    from services.kernel.runtime.dead_letters.acts import restore as act  # noqa: PLC0415 -- heavy

    word = said(by, reason)
    return _do(act, dead_letters, filters, word, everything=everything, verb="restored", of=("discarded",), json=json)


def _do(
    act: Act,
    texts: Sequence[str],
    filters: Filters,
    word: Word,
    *,
    everything: bool,
    verb: str,
    of: tuple[str, ...],
    json: bool,
) -> int:
    """`of`: the states that are meant where none is named; of the named ones each meets only what it fits."""

    async def work(desk: PostgresDesk) -> tuple[int, int]:
        chosen = await chosen_among(desk, texts, filters, everything=everything, states=of)
        met = await act(desk, desk.ids, chosen, word)
        return (len(chosen.ids) if chosen.ids else met), met

    meant, met = at_desk(work)
    if json:
        screen.json_line({"named": meant, "done": met, "skipped": meant - met})
    else:
        whole = met == meant and met > 0
        counted = f"{met:,} of {screen.counted(meant, 'dead letter')}" if texts else screen.counted(met, "dead letter")
        screen.line(f"{counted} {verb} by {word.by}", screen.GOOD if whole else screen.WAIT)
    return Exit.OK if met == meant and met else Exit.NO


def note(dead_letter: DeadLetterId, text: NoteText, /, *, by: By = "", json: Json = False) -> None:
    """Note something with a dead letter, for whoever looks at it next; it stays for ever."""
    from services.kernel.runtime.dead_letters.acts import note as act  # noqa: PLC0415 -- heavy

    word = said(by, text)

    async def work(desk: PostgresDesk) -> UUID:
        failed_id = await named(desk, "dead", dead_letter)
        await act(desk, desk.ids, failed_id, word)
        return failed_id

    failed_id = at_desk(work)
    done(f"noted with dead letter {failed_id} by {word.by}", {"failed_id": failed_id, "note": word.reason}, json=json)
