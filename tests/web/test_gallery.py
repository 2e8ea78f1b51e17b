"""Every page: nothing sticks out on a narrow screen, in either language, and axe-core finds nothing.

axe-core takes a third of a second a page, so each is judged in one of four ways: English or Welsh, in the light or in
the dark, turn by turn; the kit's own page, which has every part in every tone, in all four.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import cycle
from typing import Literal

import httpx2
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route

from tests.rig.browser import NARROW, accessible, fits, visitor
from tests.web import gallery

pytestmark = pytest.mark.asyncio(loop_scope="session")
LANGUAGES, SCHEMES = ("en", "cy"), ("light", "dark")
HOST = "http://gallery.test"
NAMES = [each.name for each in gallery.exhibits("en") if not each.alike]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(gallery.app()), base_url=HOST) as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def page(browser: Browser, site: httpx2.AsyncClient) -> AsyncIterator[Page]:
    async def answer(route: Route) -> None:
        got = await site.get(route.request.url)
        await route.fulfill(status=got.status_code, headers=dict(got.headers), body=got.content)

    async with visitor(browser, width=NARROW) as page:
        await page.route("**/*", answer)
        yield page


@pytest.mark.parametrize("language", LANGUAGES)
async def test_no_page_scrolls_sideways_on_a_narrow_screen(page: Page, language: str) -> None:
    for name in ("kit", *NAMES):
        await page.goto(f"{HOST}/{language}/{name}")
        await fits(page)


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_axe_core_finds_nothing_on_any_page(page: Page, scheme: Literal["light", "dark"]) -> None:
    ways = cycle((each, language) for each in SCHEMES for language in LANGUAGES)
    shown = [*((language, "kit") for language in LANGUAGES)]
    shown += [(language, name) for name, (each, language) in zip(NAMES, ways, strict=False) if each == scheme]
    await page.emulate_media(color_scheme=scheme)
    for language, name in shown:
        await page.goto(f"{HOST}/{language}/{name}")
        await accessible(page)
