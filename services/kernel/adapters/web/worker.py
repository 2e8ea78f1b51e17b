"""A site as a worker: served once its sign-in says that it may be used here; sessions that are over are forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from services.kernel.adapters.web.visits import Site
from services.kernel.ledger import Ledger
from services.kernel.runtime.consumer import repeat
from services.kernel.runtime.health import Check
from services.kernel.runtime.program import Together, clock_of

_TIDY_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class SiteWorker:
    """The doors of a site."""

    site: Site
    web: Together
    ledger: Ledger

    @property
    def name(self) -> str:
        """The site's."""
        return self.site.name

    @property
    def checks(self) -> Mapping[str, Check]:
        """Those of its doors."""
        return self.web.checks

    async def run(self, stopping: asyncio.Event) -> None:
        """Serve until told to stop.

        Raises:
            Fault: the sign-in must not be used here, or a port cannot be had.
        """
        if await clock_of(self.ledger, stopping) is not None:
            await self.site.sign_in.check()
            await self.web.run(stopping)


def tidying(site: Site) -> Callable[[asyncio.Event], Awaitable[None]]:
    """What runs beside a site's pages and forgets sessions that are over."""

    async def tidy() -> bool:
        async with site.people.open() as tx:
            await tx.tidy_sessions(site.name, site.sessions.idle)
        return False

    return lambda ended: repeat(ended, _TIDY_SECONDS, tidy)
