"""The key set of the token issuer (RFC 7517), fetched when it is needed, kept, and fetched anew in time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import httpx2
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from services.kernel.runtime.logging import logger

_KEPT_SECONDS = 600.0
_PAUSE_SECONDS = 15.0
"""At least so long between two fetches, whatever unknown keys callers name."""
_TIMEOUT_SECONDS = 5.0


class KeysAway(Exception):
    """The issuer's keys cannot be fetched, and none are known: no token can be judged now."""

    public = True


class KeySets:
    """The newest key set known. `clock` is monotonic, in seconds; `transport` stands in for the network in tests."""

    def __init__(
        self,
        url: str,
        clock: Callable[[], float] = time.monotonic,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._url, self._clock, self._transport = url, clock, transport
        self._known: KeySet | None = None
        self._fetched_at = self._tried_at = float("-inf")
        self._one_at_a_time = asyncio.Lock()

    async def keys(self) -> KeySet:
        """The key set, ten minutes old at most where the issuer can be reached.

        Raises:
            KeysAway: it cannot be fetched, and none is known.
        """
        if self._known is None or self._clock() - self._fetched_at > _KEPT_SECONDS:
            return await self.newer()
        return self._known

    async def newer(self) -> KeySet:
        """The key set as the issuer has it now; the known one if it was asked a moment ago or cannot be reached.

        Raises:
            KeysAway: it cannot be fetched, and none is known.
        """
        async with self._one_at_a_time:
            if self._clock() - self._tried_at >= _PAUSE_SECONDS:
                self._tried_at = self._clock()
                await self._fetch()
        if self._known is None:
            raise KeysAway("the keys of the token issuer cannot be fetched")
        return self._known

    async def _fetch(self) -> None:
        try:
            async with httpx2.AsyncClient(timeout=_TIMEOUT_SECONDS, transport=self._transport) as client:
                answer = await client.get(self._url, headers={"accept": "application/json"})
            answer.raise_for_status()
            self._known = KeySet.import_key_set(answer.json())
            self._fetched_at = self._clock()
        except (httpx2.HTTPError, JoseError, ValueError, TypeError, KeyError) as away:
            logger().warning("keys.awaited", exc_info=away)
