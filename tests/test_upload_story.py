"""Stories of uploading with a browser: a series by the file chooser, an archive that survives a cut and a restart."""

from __future__ import annotations

import asyncio
import io
import re
import zipfile

import httpx

from charrua_core.testing.objects import a_study, part10
from charrua_core.testing.outside import DATA, with_data
from charrua_core.testing.waiting import until

SERIES = sorted((DATA / "series" / "mr-16").glob("*.dcm"))


@with_data
async def test_a_series_that_is_chosen_appears_with_what_became_of_each_file(open_browser, archive, tmp_path) -> None:
    page = await open_browser("Radiologist")
    notes = tmp_path / "notes.txt"
    notes.write_text("Remember the milk")
    await page.goto("/upload")
    await page.set_input_files("[data-input=files]", [*map(str, SERIES), str(notes)])
    await page.get_by_text("The upload is done.").wait_for()
    await page.get_by_role("button", name=f"Stored {len(SERIES)}").wait_for()
    await page.get_by_role("button", name="Passed over 1").click()
    row = page.get_by_role("row", name="notes.txt")
    assert "This is no DICOM object." in await row.inner_text()
    study = page.locator("[data-part=studies] tbody tr")
    await study.locator("td.num", has_text=re.compile(rf"^{len(SERIES)}$")).first.wait_for()
    assert (await study.locator("a").get_attribute("href")).startswith("/studies/1.")


async def test_an_upload_goes_on_after_a_reload_with_what_is_missing(open_browser, archive, tmp_path) -> None:
    """Two large files: after the first the page is left; chosen again, only the rest is sent."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as packed:
        for number, image in enumerate(a_study(images=12, Rows=1024, Columns=1024, PixelData=bytes(2 << 20))):
            packed.writestr(f"IM{number}", part10(image))
    path = tmp_path / "study.zip"
    path.write_bytes(content.getvalue())
    page = await open_browser("Radiologist")
    sent: list[str] = []
    page.on(
        "request",
        lambda request: sent.append(request.headers.get("upload-offset", "")) if request.method == "PUT" else None,
    )
    await page.goto("/upload")

    async def cut(route) -> None:
        if route.request.headers.get("upload-offset") == "0":
            await route.continue_()
        else:
            await route.abort()

    await page.route("**/uploads/*", cut)
    await page.set_input_files("[data-input=files]", str(path))
    await until(lambda: len(sent) >= 2, 20)
    page.on("dialog", lambda dialog: asyncio.ensure_future(dialog.accept()))
    await page.unroute("**/uploads/*")
    await page.reload()
    await page.get_by_text("choose the file again to go on").wait_for()
    await page.get_by_text("was broken off").wait_for()
    sent.clear()
    await page.set_input_files("[data-input=files]", str(path))
    await page.get_by_text("The upload is done.").wait_for(timeout=60_000)
    assert "0" not in sent
    await page.get_by_role("button", name="Stored 12").wait_for()


async def test_an_upload_survives_the_end_of_the_server_in_its_middle(start_archive, tmp_path) -> None:
    archive = await start_archive()
    token = await archive.token("Radiologist")
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as packed:
        for number, image in enumerate(a_study(images=30)):
            packed.writestr(f"IM{number}", part10(image))
    whole = content.getvalue()
    half = len(whole) // 2
    async with httpx.AsyncClient(
        base_url=archive.url, headers={"Authorization": f"Bearer {token}"}, verify=False
    ) as client:
        upload = (await client.post("/uploads", json={"key": "k", "size": len(whole), "name": "a.zip"})).json()
        await client.put(f"/uploads/{upload['id']}", content=whole[:half], headers={"Upload-Offset": "0"})
    await archive.kill()
    await archive.start()
    async with httpx.AsyncClient(
        base_url=archive.url, headers={"Authorization": f"Bearer {token}"}, verify=False
    ) as client:
        again = (await client.post("/uploads", json={"key": "k", "size": len(whole), "name": "a.zip"})).json()
        assert (again["id"], again["received"]) == (upload["id"], half)
        await client.put(f"/uploads/{upload['id']}", content=whole[half:], headers={"Upload-Offset": str(half)})

        async def is_done() -> bool:
            return (await client.get(f"/uploads/{upload['id']}")).json()["state"] == "done"

        await until(is_done, 20)
        told = (await client.get(f"/uploads/{upload['id']}")).json()
        assert told["results"]["numbers"] == {"stored": 30}
        await until(lambda: not list(archive.data_dir.glob("volume-1/uploads/*")))
