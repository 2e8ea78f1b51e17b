"""Pages that show themselves again: what we ourselves asked the browser to fetch is no new look of its reader's."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from starlette.requests import Request

from services.kernel.ledger.people import Session

_LOOK_SECONDS = 600.0
"""How long a page that stays open counts as one look."""
_MOST = 10_000

_Key: TypeAlias = tuple[bytes, str]


@dataclass(slots=True)
class Refreshed:
    """Which pages each session was asked to fetch again, and since when its look counts; one process for itself.

    `clock` is monotonic, in seconds.
    """

    clock: Callable[[], float] = time.monotonic
    _since: OrderedDict[_Key, float] = field(default_factory=OrderedDict)
    _asked: set[_Key] = field(default_factory=set)

    def is_same_look(self, session: Session, request: Request) -> bool:
        """Whether this request continues a look that is on record; else it is one, from now on."""
        key = _key(session.token_hash, request)
        began = self._since.get(key)
        if key in self._asked and began is not None and self.clock() - began < _LOOK_SECONDS:
            return True
        self._asked.discard(key)
        self._since[key] = self.clock()
        self._since.move_to_end(key)
        while len(self._since) > _MOST:
            self._asked.discard(self._since.popitem(last=False)[0])
        return False

    def was_asked(self, token_hash: bytes, request: Request) -> bool:
        """Whether we asked for this request ourselves, however long ago its look began."""
        return _key(token_hash, request) in self._asked

    def ask(self, session: Session, request: Request) -> None:
        """The page that answers this request will be fetched again."""
        key = _key(session.token_hash, request)
        if key in self._since:
            self._asked.add(key)


def _key(token_hash: bytes, request: Request) -> _Key:
    return token_hash, f"{request.url.path}?{request.url.query}"
