"""The story of a medium: a study is downloaded from its dialog, unpacked, and looked at without server and network."""

from __future__ import annotations

import zipfile

from charrua_core.testing.browser import chromium
from charrua_core.testing.outside import DATA, with_data
from charrua_core.testing.waiting import until

SERIES = sorted((DATA / "series" / "mr-16").glob("*.dcm"))


@with_data
async def test_a_medium_opens_in_a_browser_without_server_and_network(browse, open_browser, tmp_path) -> None:
    client = await browse("Radiologist")
    forms = [("file", (path.name, path.read_bytes(), "application/dicom")) for path in SERIES]
    results = (await client.post("/uploads/files", files=forms)).json()["results"]
    desk = await open_browser("Radiologist")
    await desk.goto(f"/studies/{results[0]['study']}")
    await desk.get_by_role("link", name="Open").wait_for()
    await desk.keyboard.press("Shift+D")
    await desk.get_by_text(f"{len(SERIES)} objects").wait_for()
    async with desk.expect_download() as download:
        await desk.locator("dialog button.primary").click()
    packed = tmp_path / "study.zip"
    await (await download.value).save_as(packed)
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(tmp_path / "medium")
    async with chromium() as browser:
        page = await browser.new_page(viewport={"width": 1280, "height": 800})
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await page.goto((tmp_path / "medium" / "INDEX.HTM").as_uri())
        count, image = page.locator("output"), page.locator(".stage img")

        async def at(number: int) -> bool:
            return await count.inner_text() == f"{number} / {len(SERIES)}"

        async def is_drawn() -> bool:
            return await image.evaluate("image => image.complete && image.naturalWidth > 100")

        assert await at(1)
        await until(is_drawn)
        await page.locator("#stage").focus()
        await page.keyboard.press("ArrowDown")
        await page.mouse.move(900, 400)
        await page.mouse.wheel(0, 100)
        await until(lambda: at(3))
        await page.keyboard.press("i")
        assert await image.evaluate("image => getComputedStyle(image).filter") == "invert(1)"
        await page.keyboard.press(" ")
        await until(lambda: at(6))
        assert all(url.startswith("file:") for url in asked)
        assert not faults
