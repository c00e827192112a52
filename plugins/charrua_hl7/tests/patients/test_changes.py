"""What messages have changed of patients, as calls and page tell it, and taken back from there."""

from __future__ import annotations

import os
from pathlib import Path

HTML = {"Accept": "text/html"}


async def a_day(hospital) -> int:
    """A merge and an update; gives the entry of the merged patient."""
    number = await hospital.order("OLD", name="<b>Doe^Jane")
    for _ in range(2):
        await hospital.image("OLD", name="<b>Doe^Jane")
    await hospital.image("4711")
    await hospital.hears("PID|||NEW^^^HOSP||Roe^Janet||19700102|F", "MRG|OLD^^^HOSP", event="ADT^A40")
    await hospital.hears("PID|||4711^^^HOSP||Roe^Johanna||19700102|F", event="ADT^A31")
    await hospital.works()
    return number


async def test_changes_are_told_newest_first_and_taken_back_by_those_who_may_edit_all(hospital, served) -> None:
    number = await a_day(hospital)
    async with await served.client() as admin, await served.client("Admin", {"Modality": ["CT"]}) as partly:
        update, merge = (await admin.get("/hl7/patient-changes")).json()
        assert (update["kind"], merge["kind"], merge["entries"]) == ("update", "merge", [number])
        assert (len(merge["studies"]), merge["former"]["id"], merge["patient"]["id"]) == (2, "OLD", "NEW")
        assert {"attribute": "PatientName", "before": "Doe^Jane", "after": "Roe^Johanna"} in update["differences"]
        undo = f"/hl7/patient-changes/{merge['change']}/undo"
        assert ((await partly.get("/hl7/patient-changes")).json(), (await partly.post(undo)).status_code) == ([], 404)
        assert [(await admin.post(undo)).status_code for _ in range(2)] == [204, 409]
        [_, merge] = (await admin.get("/hl7/patient-changes")).json()
        assert merge["state"] == "undone"
        only = await admin.get("/hl7/patient-changes", params={"message": merge["message"], "limit": 1})
        assert [one["change"] for one in only.json()] == [merge["change"]]
        assert (await admin.get("/hl7/patient-changes?before=x")).status_code == 400
        assert (await admin.post("/hl7/patient-changes/99/undo")).status_code == 404
    async with await served.client("Referring") as nobody:
        assert (await nobody.get("/hl7/patient-changes")).status_code == 403
    assert (await hospital.entry(number))[0] == "OLD"


async def test_the_page_says_what_was_changed_and_takes_it_back(hospital, served, browser_at) -> None:
    async with await served.client() as admin, await served.client("Admin", {"Modality": ["CT"]}) as partly:
        assert "No message has changed a patient yet" in (await admin.get("/setup/hl7/patients", headers=HTML)).text
        number = await a_day(hospital)
        assert "part of the archive" in (await partly.get("/setup/hl7/patients", headers=HTML)).text
    page = await browser_at(served, "Admin")
    await page.goto("/setup/hl7/patients")
    await look(page, "patients")
    merge = page.locator("tbody tr", has_text="OLD · HOSP")
    assert "<B>DOE" in (await merge.inner_text()).upper()
    await merge.get_by_role("button", name="Undo change").click()
    await page.get_by_role("dialog").get_by_role("button", name="Undo").click()
    await page.get_by_text("taken back by").or_(page.get_by_text("Taken back by")).first.wait_for()
    await hospital.works()
    assert (await hospital.entry(number))[0] == "OLD"
    phone = await browser_at(served, "Admin", width="phone", theme="light")
    await phone.goto("/setup/hl7/patients")
    await look(phone, "patients-phone")
    assert await phone.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def look(page, name: str) -> None:
    """Keep a picture, where somebody wants to look at them."""
    if folder := os.environ.get("CHARRUA_SCREENSHOTS"):
        await page.screenshot(path=Path(folder) / f"{name}.png")
