"""The study list in a browser: a doctor finds by typing, and hands stay on the keys."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from charrua_core.testing.shelf import Shelf

MARKUP = "<img src=x onerror=alert(1)>"


@pytest.fixture
async def archive(serve_web):
    return await serve_web()


@pytest.fixture
async def shelf(archive):
    async with archive.app.db.driver() as connection:
        yield Shelf(connection)


async def a_ward(shelf: Shelf) -> None:
    """Sixty studies, one of each hour, and two that somebody looks for."""
    for number in range(60):
        await shelf.study(
            [{"Modality": "CR", "SeriesNumber": "1"}],
            StudyInstanceUID=f"1.5.{number}",
            PatientName=f"Other{number}^Patient",
            PatientID=f"ID{number}",
            StudyDate=f"202401{number % 28 + 1:02}",
        )
    mr = [{"Modality": "MR", "SeriesNumber": str(one), "SeriesDescription": f"AX T{one}"} for one in (1, 2)]
    await shelf.study(
        mr[:1] * 3, mr[1:] * 2,
        StudyInstanceUID="1.6.1", PatientName="Núñez^José", PatientID="77", StudyDate="20240301", StudyTime="1017",
        StudyDescription=MARKUP,
    )  # fmt: skip
    await shelf.study(StudyInstanceUID="1.6.2", PatientName="Núñez^Ana", PatientID="78", StudyDate="20230101")


async def test_a_doctor_finds_by_typing_looks_and_opens(archive, shelf, browser_at) -> None:
    await a_ward(shelf)
    page = await browser_at(archive, "Referring")
    await page.goto("/")
    await page.wait_for_selector(".live:visible")
    assert await page.locator("tbody tr").count() == 50
    await page.get_by_role("textbox", name="Patient").press_sequentially("jose nu")
    await page.wait_for_selector("text=1 of 62 studies")
    assert (
        await page.locator("tbody tr").all_inner_texts() == await page.locator("tr[data-uid='1.6.1']").all_inner_texts()
    )
    assert MARKUP in await page.locator("td.c-description").inner_text()
    await page.wait_for_selector("aside >> text=1 · AX T1")
    assert await page.locator("aside .acts").inner_text() == "Open\n↵\nDownload"
    assert page.url.endswith("?PatientName=jose+nu")
    await page.reload()
    assert await page.locator("tbody tr").count() == 1
    await page.get_by_role("link", name="Núñez, José").first.click()
    assert page.url.endswith("/viewer/1.6.1")


async def test_hands_stay_on_the_keys(archive, shelf, browser_at) -> None:
    await a_ward(shelf)
    page = await browser_at(archive, "Manager")
    await page.goto("/studies?order=patient")
    await page.wait_for_selector("tr.hand")
    press = page.keyboard.press
    await press("/")
    await page.keyboard.type("nunez")
    await page.wait_for_selector("text=2 of 62 studies")
    await press("Escape")
    for key in ("j", "x", "k", "x"):
        await press(key)
    assert await page.locator(".sel-bar b").inner_text() == "2 selected"
    assert await page.locator("tr[aria-current]").get_attribute("data-uid") == "1.6.2"
    await press("Escape")
    assert await page.locator(".sel-bar").is_hidden()
    await press("?")
    assert "Open in the viewer" in await page.locator("dialog").inner_text()
    await press("Escape")
    await page.locator("th a[data-order=date]").focus()
    await press("Enter")
    await page.wait_for_selector("th[aria-sort=descending]")
    await page.wait_for_selector("tbody tr:first-child.hand[data-uid='1.6.1']")
    await press("j")
    async with page.expect_navigation(url="**/viewer/1.6.1"):
        await press("Enter")
    await page.goto("/studies")
    assert (await page.locator("th[aria-sort]").inner_text()).split() == ["Date", "↓"]
    await page.locator(".next a").focus()
    await expect(page.locator("tbody tr")).to_have_count(62)
