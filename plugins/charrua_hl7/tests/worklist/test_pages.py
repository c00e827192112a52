"""The pages of the worklist, as people see and use them."""

from __future__ import annotations

import os
from pathlib import Path

from charrua_core.testing.objects import a_study

HTML = {"Accept": "text/html"}


async def day(place, client) -> list[dict]:
    """Entries of today."""
    here = place.clock.now().astimezone()
    plan = [
        ("A1", "4711", "SILVA^ANA MARÍA", "KNEE LEFT", "MR", "MR1", "0830", "SCHEDULED"),
        ("A2", "4712", "PÉREZ^JOSÉ", "CHEST PA", "DX", "DX1", "0845", "ARRIVED"),
        ("A3", "4713", "<b>O'BRIEN^PAT", "HEAD", "CT", "CT1", "0900", "STARTED"),
        ("A4", "4714", "DOE^JANE", "ABDOMEN", "CT", "CT1", "0730", "COMPLETED"),
    ]
    made = []
    for number, patient, name, procedure, modality, station, time, status in plan:
        body = {
            "id": number,
            "patid": patient,
            "patname": name,
            "descr": procedure,
            "modality": modality,
            "aet": station,
            "date": f"{here:%Y%m%d}",
            "starttime": time,
            "status": status,
            "patbd": "19610412",
            "patsex": "F",
        }
        answer = await client.post("/worklist", json=body)
        assert answer.status_code == 200, answer.text
        made.append(answer.json())
    return made


async def look(page, name: str) -> None:
    """Keep a picture, where somebody wants to look at them."""
    if folder := os.environ.get("CHARRUA_SCREENSHOTS"):
        for theme in ("dark", "light"):
            await page.emulate_media(color_scheme=theme)
            await page.screenshot(path=Path(folder) / f"{name}-{theme}.png")
        await page.emulate_media(color_scheme="dark")


async def test_the_list_is_searched_while_typing_and_an_entry_is_added_and_discontinued(
    place, admin, browser_at
) -> None:
    await day(place, admin)
    await place.come(*a_study(PatientID="99", PatientName="KNOWN^PATIENT", PatientBirthDate="19800101", PatientSex="M"))
    page = await browser_at(place, "Manager")
    await page.goto("/worklist")
    await look(page, "worklist")
    rows = page.locator("[data-row]")
    assert await rows.count() == 3
    assert "<b>O'BRIEN, PAT" in await page.locator("#entries").inner_text()
    await admin.post("/worklist", json={"patid": "5000", "patname": "NEWCOMER", "modality": "US"})
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    await page.locator("tr.new").get_by_text("NEWCOMER").wait_for()
    assert await rows.count() == 4
    await page.keyboard.press("/")
    await page.keyboard.type("knee silva")
    await rows.nth(1).wait_for(state="detached")
    assert await rows.count() == 1
    await page.wait_for_function("location.search.includes('knee')")
    await page.get_by_role("link", name="All", exact=True).click()
    assert await page.get_by_role("searchbox").input_value() == "knee silva"
    await page.goto("/worklist")
    await page.keyboard.press("n")
    dialog = page.locator("#add-entry")
    await dialog.locator("[name=patid]").fill("99")
    await dialog.locator("[name=descr]").focus()
    await dialog.get_by_text("This patient is known").wait_for()
    assert await dialog.locator("[name=patbd]").input_value() == "1980-01-01"
    assert await dialog.locator("[name=modality]").input_value() == "CR"
    await look(page, "worklist-add")
    await dialog.locator("[name=descr]").fill("HAND")
    await dialog.locator("[name=starttime]").fill("10:15")
    await dialog.get_by_role("button", name="Add", exact=True).click()
    await page.get_by_text("The entry was added.").wait_for()
    await page.keyboard.press("j")
    await page.get_by_role("link", name="KNOWN, PATIENT").click()
    await look(page, "worklist-entry")
    await page.get_by_role("button", name="Discontinue …").click()
    await page.get_by_label("Why").fill("did not come")
    await look(page, "worklist-discontinue")
    await page.locator("#discontinue").get_by_role("button", name="Discontinue").click()
    await page.get_by_text("The entry is discontinued.").wait_for()
    assert "did not come" in await page.locator("dl").first.inner_text()
    await page.get_by_role("button", name="Undo").click()
    await page.get_by_role("button", name="Discontinue …").wait_for()
    await page.get_by_label("Location").fill("WARD 3")
    await page.get_by_role("button", name="Save").click()
    await page.get_by_text("Saved.").wait_for()
    assert await page.get_by_label("Location").input_value() == "WARD 3"
    phone = await browser_at(place, "Manager", width="phone")
    await phone.goto("/worklist")
    await look(phone, "worklist-phone")


async def test_a_study_is_assigned_on_the_page_and_what_changes_is_shown_before(place, admin, browser_at) -> None:
    [silva, *_] = await day(place, admin)
    study = a_study(images=2, PatientID="X1", PatientName="SILVA^ANA MARIA", Modality="MR", StudyDescription="KNEE")
    await place.come(*study)
    uid = study[0].StudyInstanceUID
    page = await browser_at(place, "Manager")
    await page.goto(f"/studies/{uid}")
    await page.get_by_label("More").click()
    await look(page, "study-acts")
    acts = [text.strip() for text in await page.locator(".acts :is(a, button)").all_text_contents()]
    assert acts.index("Edit") < acts.index("Download") < acts.index("Assign to worklist") < acts.index("Delete…")
    await page.get_by_role("link", name="Assign to worklist").click()
    await page.locator("tbody a").first.click()
    await page.get_by_text("What will change").wait_for()
    await look(page, "worklist-assign")
    await page.get_by_role("button", name="Assign", exact=True).click()
    await page.get_by_text("The study was assigned").wait_for()
    await look(page, "worklist-assigned")
    assert page.url.endswith(f"/worklist/{silva['entry']}")
    await page.get_by_role("button", name="Undo").click()
    await page.get_by_role("button", name="Complete").wait_for()


async def test_pages_hide_what_the_filter_hides(place, admin) -> None:
    knee, *_ = await day(place, admin)
    other = await place.client("Manager", {"Modality": ["CT"]})
    listed = (await other.get("/worklist", headers=HTML)).text
    assert ("PAT" in listed, "SILVA" in listed) == (True, False)
    assert (await other.get(f"/worklist/{knee['entry']}", headers=HTML)).status_code == 404
    referring = await place.client("Referring")
    assert (await referring.get("/worklist", headers=HTML)).status_code == 403
    assert 'href="/worklist"' not in (await referring.get("/studies", headers=HTML)).text
