"""A business at its secure inbox, over HTTP, as a browser would be: signs in, reads, answers; by a trial's sign-in."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import httpx2

_TOKEN = re.compile(r'name="csrf" value="([^"]+)"')
_SECONDS = 30.0


class NotShown(Exception):
    """The inbox did not show or take what was wanted: what it said instead."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """The people of the trial's businesses, at the inbox of this address."""

    inbox: str

    async def read(self, business_id: str, notice_id: UUID) -> None:
        """Open a notice.

        Raises:
            NotShown: nobody may sign in for that business, or it has no such notice.
        """
        async with self._signed_in(business_id) as browser:
            _shown(await browser.get(f"/notices/{notice_id}"))

    async def give(self, business_id: str, notice_id: UUID, kind: str, text: str) -> None:
        """Open a notice and answer it, in text; returns when the inbox has said that it was received.

        Raises:
            NotShown: as for reading; or nothing of that kind may be given.
        """
        at = f"/notices/{notice_id}/answer"
        async with self._signed_in(business_id) as browser:
            _shown(await browser.get(f"/notices/{notice_id}"))
            form = _shown(await browser.get(at))
            fields = {"csrf": _token(form), "kind": kind, "text": text}
            received = await browser.post(at, files={name: (None, value) for name, value in fields.items()})
            if "/answers/" not in received.url.path:
                raise NotShown(f"the inbox takes no {kind} for this notice")

    @asynccontextmanager
    async def _signed_in(self, business_id: str) -> AsyncIterator[httpx2.AsyncClient]:
        async with httpx2.AsyncClient(base_url=self.inbox, follow_redirects=True, timeout=_SECONDS) as browser:
            _shown(await browser.post("/sign-in", data={"person": f"trial:{business_id}"}))
            yield browser


def _shown(page: httpx2.Response) -> httpx2.Response:
    if page.status_code != httpx2.codes.OK:
        raise NotShown(f"the inbox answered {page.status_code} to {page.url.path}")
    return page


def _token(form: httpx2.Response) -> str:
    found = _TOKEN.search(form.text)
    if found is None:
        raise NotShown(f"the inbox has no form at {form.url.path}")
    return found[1]
