"""Gathering: what many bring at once is committed together, and each is answered when its own is committed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from services.kernel.ledger import LedgerRerun, LedgerUnavailable
from services.kernel.runtime.gathering import DoorBusy, DoorClosed, Gathering


class Book:
    """Commits numbers, answers them doubled; the first commit waits until it is let go."""

    def __init__(self) -> None:
        self.commits: list[list[int]] = []
        self.begun, self.first = asyncio.Event(), asyncio.Event()
        self.away = False
        self.reruns = 0

    async def commit(self, numbers: Sequence[int]) -> Sequence[int]:
        self.commits.append(list(numbers))
        self.begun.set()
        await self.first.wait()
        if self.reruns:
            self.reruns -= 1
            raise LedgerRerun("victim")
        if self.away:
            raise LedgerUnavailable("away")
        if 13 in numbers:
            raise ValueError("thirteen")
        return [2 * number for number in numbers]


async def gathered(book: Book, numbers: Sequence[int], **limits: int) -> list[int | BaseException]:
    """Bring the first, then all others while it is in work."""
    gathering, stopping = Gathering(book.commit, **limits), asyncio.Event()
    running = asyncio.create_task(gathering.run(stopping))
    brought = [asyncio.create_task(gathering.bring(numbers[0]))]
    await book.begun.wait()
    brought += [asyncio.create_task(gathering.bring(number)) for number in numbers[1:]]
    await asyncio.sleep(0)
    book.first.set()
    answers = await asyncio.gather(*brought, return_exceptions=True)
    stopping.set()
    await running
    return answers


async def test_what_came_while_a_commit_was_in_work_goes_together_with_the_next() -> None:
    book = Book()
    assert await gathered(book, [1, 2, 3, 4]) == [2, 4, 6, 8]
    assert book.commits == [[1], [2, 3, 4]]


async def test_no_commit_holds_more_than_the_most() -> None:
    book = Book()
    assert await gathered(book, [1, 2, 3, 4], most=2) == [2, 4, 6, 8]
    assert book.commits == [[1], [2, 3], [4]]


async def test_one_that_cannot_be_written_fails_alone() -> None:
    answers = await gathered(Book(), [1, 2, 13, 4, 5])
    assert [answers[n] for n in (0, 1, 3, 4)] == [2, 4, 8, 10]
    assert isinstance(answers[2], ValueError)


async def test_a_deadlock_is_a_rerun() -> None:
    book = Book()
    book.reruns = 3
    assert await gathered(book, [1, 2]) == [2, 4]


async def test_while_the_database_is_away_everyone_is_told_so() -> None:
    book = Book()
    book.away = True
    assert [type(answer) for answer in await gathered(book, [1, 2, 3])] == [LedgerUnavailable] * 3


async def test_beyond_the_limit_callers_are_told_to_come_again() -> None:
    answers = await gathered(Book(), [1, 2, 3, 4], waiting=2)
    assert [type(answer) for answer in answers] == [int, int, int, DoorBusy]


async def test_a_caller_that_goes_away_takes_nothing_back() -> None:
    book, stopping = Book(), asyncio.Event()
    gathering = Gathering(book.commit)
    running = asyncio.create_task(gathering.run(stopping))
    gone = asyncio.create_task(gathering.bring(7))
    await book.begun.wait()
    gone.cancel()
    stays = asyncio.create_task(gathering.bring(8))
    book.first.set()
    assert await stays == 16
    stopping.set()
    await running
    assert book.commits == [[7], [8]]


async def test_what_waits_when_the_door_closes_is_committed_and_what_comes_after_is_told() -> None:
    book, stopping = Book(), asyncio.Event()
    gathering = Gathering(book.commit)
    running = asyncio.create_task(gathering.run(stopping))
    brought = [asyncio.create_task(gathering.bring(number)) for number in (1, 2)]
    await book.begun.wait()
    stopping.set()
    book.first.set()
    await running
    assert await asyncio.gather(*brought) == [2, 4]
    with pytest.raises(DoorClosed):
        await gathering.bring(3)
