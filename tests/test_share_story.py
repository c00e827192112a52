"""A patient opens a link on a phone, and what they see ends when the link is revoked."""

from __future__ import annotations

import os
from pathlib import Path

import httpx
import pydicom

from charrua_core.testing.outside import DATA, with_data

CR = DATA / "series" / "mr-16"


async def shot(page, name: str) -> None:
    """Keep what is on the screen, where somebody wants to look at it."""
    if folder := os.environ.get("CHARRUA_SCREENSHOTS"):
        await page.wait_for_timeout(1000)
        await page.screenshot(path=Path(folder) / f"{name}.png")


@with_data
async def test_a_doctor_shares_a_study_and_the_patient_looks_at_it_on_a_phone(archive, modality, open_browser) -> None:
    images = [pydicom.dcmread(path) for path in sorted(CR.glob("*.dcm"))[:4]]
    for image in images:
        image.PatientBirthDate = "19610412"
    await modality.give(images)
    doctor = await open_browser("Radiologist")
    await doctor.goto(f"/studies/{images[0].StudyInstanceUID}")
    await doctor.get_by_role("button", name="Share").first.click()
    await doctor.get_by_label("For whom").fill("the patient")
    await doctor.get_by_label("Ask for the patient's date of birth").check()
    await shot(doctor, "share-dialog")
    await doctor.get_by_role("button", name="Make the link").click()
    link = await doctor.get_by_label("Link", exact=True).input_value()
    await doctor.get_by_role("img", name="QR code of the link").wait_for()
    await shot(doctor, "share-made")

    patient = await open_browser(None, width="phone")
    await patient.goto(link)
    await patient.get_by_label("Date of birth of the patient").fill("1961-04-13")
    await patient.get_by_role("button", name="Open the images").click()
    await patient.get_by_text("This is not the date of birth").wait_for()
    await shot(patient, "share-wrong")
    await patient.get_by_label("Date of birth of the patient").fill("1961-04-12")
    await patient.get_by_role("button", name="Open the images").click()
    await patient.wait_for_url("**/visit")
    picture = patient.locator(".visit-series img").first
    await picture.wait_for()
    assert await picture.evaluate("picture => picture.decode().then(() => picture.naturalWidth)") > 0
    await shot(patient, "visit-phone")
    await patient.get_by_role("link", name="Open the images").click()
    await patient.get_by_text("Lossy picture: not for measuring").first.wait_for()
    await shot(patient, "visit-viewer")

    await doctor.goto("/links")
    await shot(doctor, "links")
    await doctor.get_by_role("button", name="Revoke").click()
    await doctor.get_by_role("button", name="Undo").wait_for()
    await shot(doctor, "links-revoked")
    await patient.goto("/visit")
    await patient.get_by_text("This visit is over").wait_for()
    await shot(patient, "visit-over")
    answer = await httpx.AsyncClient(base_url=archive.url, verify=False).get(link, headers={"Accept": "text/html"})
    assert answer.status_code == 404
