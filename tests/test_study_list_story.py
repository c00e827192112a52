"""The study list of a running archive: what a modality sends appears by itself, to who may see it, image by image."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import expect

from charrua_core.testing.objects import an_object, part10


@pytest.mark.settings(dicom_aet="RADIOLOGY")
async def test_studies_appear_by_themselves(archive, modality, open_browser, browse) -> None:
    page = await open_browser("Manager", {"Modality": ["MR"]})
    await page.goto("/studies")
    await page.wait_for_selector("text=No study yet")
    assert await page.locator(".first code").first.inner_text() == "RADIOLOGY"
    await page.wait_for_selector(".live:visible")
    study = {"StudyInstanceUID": "1.7.1", "PatientID": "9", "PatientName": "Silva^Ana"}
    mr = {**study, "SeriesInstanceUID": "1.7.1.1", "Modality": "MR", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.4"}
    await modality.store(an_object(StudyInstanceUID="1.7.2", Modality="CT", PatientName="Hidden"))
    for number in range(1, 4):
        await modality.store(an_object(**mr, InstanceNumber=number))
        await page.wait_for_selector(f"tr[data-uid='1.7.1'] td.num:text-is('{number}')")
    await modality.store(an_object(**study, SeriesInstanceUID="1.7.1.2", Modality="CT"))
    assert await page.locator("tbody tr").count() == 1
    assert await page.locator("tbody .pill").inner_text() == "arriving"
    await page.wait_for_selector("aside >> text=3 from MODALITY")
    await page.get_by_role("button", name="Images of").click()
    await expect(page.locator(".images img")).to_have_count(3)
    await _all_drawn(page)
    client = await browse()
    sent = await client.post(
        "/dicom-web/studies",
        content=part10(an_object(**{**mr, "StudyInstanceUID": "1.7.3", "SeriesInstanceUID": "1.7.3.1"})),
        headers={"Content-Type": "application/dicom"},
    )
    assert sent.status_code == 200, sent.text
    await page.wait_for_selector("tr.new[data-uid='1.7.3']")


async def _all_drawn(page) -> None:
    """Every thumbnail is a picture."""
    drawn = "[...document.querySelectorAll('.thumb img')].every((one) => one.complete && one.naturalWidth > 0)"
    for _ in range(100):
        if await page.evaluate(drawn):
            return
        await asyncio.sleep(0.1)
    raise AssertionError("a thumbnail is none")
