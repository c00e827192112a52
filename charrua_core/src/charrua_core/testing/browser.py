"""A browser: headless Chromium at an archive, logged in as a new user, that fails the test for what its pages do wrong."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from playwright.async_api import Browser

# Without these it looks for its maker's hosts, which no test should reach.
_ARGUMENTS = (
    *("--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
_FIRST_PASSWORD = "an unlikely password"  # noqa: S105 -- of people that tests make
WIDTHS = {"desk": (1440, 900), "phone": (390, 844)}


def executable() -> str:
    """Give the path of Chromium on this machine, "" where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return os.environ.get("CHARRUA_TEST_CHROMIUM") or next(filter(None, map(shutil.which, names)), "")


@asynccontextmanager
async def chromium(*arguments: str) -> AsyncIterator[Browser]:
    """Start Chromium, with further arguments such as `--disable-webgl`; it ends with the block."""
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        path = executable()
        browser = await playwright.chromium.launch(executable_path=path or None, args=[*_ARGUMENTS, *arguments])
        try:
            yield browser
        finally:
            await browser.close()


async def logged_in(
    browser: Browser, archive: Any, role: str | None, row_filter: Mapping[str, list[str]] | None, **looks: Any
) -> Any:
    """Give a page of a new window at `archive.url`, with the session of a new user of this role; None: of nobody.

    `looks` are those of `opened`.
    """
    person = (await archive.user(role, row_filter), _FIRST_PASSWORD) if role is not None else None
    return await opened(browser, archive.url, person, **looks)


async def opened(browser: Browser, url: str, person: tuple[str, str] | None, **looks: Any) -> Any:
    """Give a page of a new window at an archive, with a session of this name and password; None: of nobody.

    `looks`: `width` one of WIDTHS, `theme` dark or light, `language`. `page.faults` gathers what its scripts threw and what
    its policy stopped.
    """
    width, height = WIDTHS[looks.get("width", "desk")]
    context = await browser.new_context(
        base_url=url,
        viewport={"width": width, "height": height},
        has_touch=looks.get("width") == "phone",
        color_scheme=looks.get("theme", "dark"),
        locale=looks.get("language", "en"),
        accept_downloads=True,
    )
    if person is not None:
        await context.add_cookies([await _session(url, *person)])
    page: Any = await context.new_page()
    page.faults = []
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.on("console", lambda said: _note(page, said))
    return page


def _note(page: Any, said: Any) -> None:
    if said.type == "error" and "Failed to load resource" not in said.text:
        page.faults.append(said.text)


async def _session(url: str, name: str, password: str) -> Any:
    async with httpx.AsyncClient(base_url=url, headers={"Origin": url}, verify=False) as client:  # noqa: S501
        answer = await client.post("/login", json={"name": name, "password": password})
        answer.raise_for_status()
        [(cookie, value)] = answer.cookies.items()
    return {"name": cookie, "value": value, "url": url}
