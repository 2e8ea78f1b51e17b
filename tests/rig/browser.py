"""A real browser: Debian's chromium, driven by Playwright; one process a session, a fresh profile a visitor.

Its loop is the session's: a test that asks for `browser` is marked `pytest.mark.asyncio(loop_scope="session")`. It
reaches this machine alone. What a page must be to everybody is one function each: `accessible`, `fits`.

Standards: WCAG 2.2 as far as axe-core finds it; its success criterion 1.4.10 (reflow at 320 CSS pixels).
"""

from __future__ import annotations

import asyncio
import ctypes.util
import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright

from tests.rig.debian import do_without, install

NARROW, WIDE = 320, 1280
"""CSS pixels: a small telephone, or 400 % zoom; and a desk."""
PROGRAMS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
HOW_TO = (
    "no Chromium is installed: on Debian or Ubuntu `sudo apt-get install chromium`, on macOS `brew install chromium`"
)
ARGUMENTS = (
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",  # nothing outside is even asked
    "--disable-dev-shm-usage",  # /dev/shm is 64 MB in a container
)
PATIENCE = 10_000
"""Milliseconds that a page may take for anything."""


def chromium_or_skip() -> str:
    found = _find() or (_find() if install("chromium") else None)
    if ctypes.util.find_library("atomic") is None:
        install("libatomic1")  # Playwright's own driver needs it, and says so to nobody
    return found or do_without(HOW_TO)


def _find() -> str | None:
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """The session's browser."""
    program = chromium_or_skip()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        await browser.close()


@asynccontextmanager
async def visitor(
    browser: Browser, *, script: bool = True, width: int = WIDE, dark: bool = False, language: str = "en-GB"
) -> AsyncIterator[Page]:
    """Somebody who has never been here, in one tab; at the end, what their browser refused to load is a failure."""
    context = await browser.new_context(
        java_script_enabled=script,
        viewport={"width": width, "height": 900},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
        locale=language,
    )
    context.set_default_timeout(PATIENCE)
    page = await context.new_page()
    refused: list[str] = []
    page.on("console", lambda message: refused.extend(_refusal(message)))
    page.on("pageerror", lambda error: refused.append(str(error)))
    try:
        yield page
    except Exception as failure:
        failure.add_note(f"at {page.url}:\n{await page.inner_text('body')}")
        raise
    finally:
        await context.close()
    assert not refused, "the browser refused what a page asked for:\n" + "\n".join(refused)


def _refusal(message: ConsoleMessage) -> list[str]:
    """A breach of the page's own policy; that something outside is away is none."""
    about_policy = "Content Security Policy" in message.text or "Content-Security-Policy" in message.text
    return [f"{message.location['url']}: {message.text}"] if about_policy else []


async def look(page: Page) -> None:
    """Keep a picture of the whole page for people to look at, where SCREENSHOTS names a folder."""
    if folder := os.environ.get("SCREENSHOTS"):
        taken = sum(1 for _ in os.scandir(folder))
        name = "-".join(re.findall(r"[a-z]+", urlsplit(page.url).path)[:3]) or "first"
        width = (page.viewport_size or {}).get("width", 0)
        await page.screenshot(path=f"{folder}/{taken:03}-{name}-{width}.png", full_page=True)


async def accessible(page: Page) -> None:
    """axe-core finds nothing on this page. It is a script: the visitor must let scripts run."""
    async with asyncio.timeout(PATIENCE / 1000):
        found = (await Axe().run(page)).response["violations"]
    told = [f"{_violation(fault)}\n    {_place(node)}" for fault in found for node in fault["nodes"]]
    assert not found, f"{page.url} ({await page.title()})\n" + "\n".join(told)


def _violation(fault: dict[str, Any]) -> str:
    return f"  {fault['id']} ({fault['impact']}): {fault['help']}"


def _place(node: dict[str, Any]) -> str:
    return f"{' '.join(map(str, node['target']))}: {node['html']}\n    {node['failureSummary']}"


async def fits(page: Page) -> None:
    """Nothing sticks out sideways: nobody has to scroll in two directions."""
    width, needed = await page.evaluate("[document.documentElement.clientWidth, document.documentElement.scrollWidth]")
    if needed > width:
        wide = await page.evaluate(_STICKING_OUT, width)
        raise AssertionError(f"{page.url} needs {needed} px, has {width}: {wide}")


_STICKING_OUT = """width => [...document.querySelectorAll('body *')]
    .filter(each => each.getBoundingClientRect().right > width + 0.5)
    .slice(0, 5).map(each => each.outerHTML.slice(0, 120))"""
