"""The page of the mappings, as an administrator uses it."""

from __future__ import annotations

from sqlalchemy import insert

from charrua_hl7 import tables

from .told import an_order

ORDER = an_order("ORC|NW|P1^RIS|F1", "OBR|1|P1|F1|CTC^CT chest^L||||||||||||||A1|R1|S1||||CT")


async def test_a_mapping_is_changed_tried_saved_and_put_back(place, admin, browser_at) -> None:
    row = {"message_type": "ORM^O01", "control_id": "1", "content": ORDER.encode(), "digest": b"", "state": "done"}
    async with place.app.db.transaction() as tx:
        await tx.execute(insert(tables.message).values(row))
    page = await browser_at(place, "Admin")
    await page.goto("/setup/hl7/mapping")
    await page.get_by_role("link", name="General orders (ORM^O01)").click()
    await tries_a_message_while_lines_are_changed(page)
    await sees_what_is_wrong_at_its_line(page)
    await moves_lines_by_keyboard(page)
    await saves_once_it_is_told_what_changes(page)
    changed = (await admin.get("/hl7/mappings/ORM")).json()
    [line] = [line for line in changed["lines"] if line["to"] == "AccessionNumber"]
    assert (changed["default"], line["from"], changed["lines"][1]["to"]) == (False, ["OBR-2"], "PatientName")
    await page.get_by_role("button", name="Back to the default").click()
    await page.get_by_role("dialog").get_by_role("button", name="Back to the default").click()
    await page.get_by_text("The default holds again.").wait_for()
    assert (await admin.get("/hl7/mappings/ORM")).json()["default"] is True


async def tries_a_message_while_lines_are_changed(page) -> None:
    await page.locator("[data-answer] tr", has_text="AccessionNumber").get_by_text("A1001", exact=True).wait_for()
    await page.get_by_placeholder("Find a line").fill("accessionn")
    line = page.locator(".map-line:visible").first
    await line.locator("[name=from]").fill("OBR-2")
    await line.get_by_text("P-1001 from OBR-2").wait_for()
    await page.locator("[data-answer] tr", has_text="AccessionNumber").get_by_text("P-1001", exact=True).wait_for()
    await page.get_by_placeholder("Find a line").fill("")


async def sees_what_is_wrong_at_its_line(page) -> None:
    first = page.locator(".map-line").first
    await first.locator("[name=as]").select_option("date")
    await first.get_by_text("PatientName is of VR PN").wait_for()
    await page.get_by_role("button", name="Save").first.click()
    assert await first.locator("[name=as]").get_attribute("aria-invalid") == "true"
    await first.locator("[name=as]").select_option("name")
    await first.get_by_text("Silva^Ana^María from PID-5").wait_for()


async def moves_lines_by_keyboard(page) -> None:
    await page.locator(".map-line").first.locator("[name=to]").focus()
    await page.keyboard.press("Alt+ArrowDown")
    assert await page.locator(".map-line").nth(1).locator("[name=to]").input_value() == "PatientName"
    assert await page.evaluate("document.activeElement.value") == "PatientName"


async def saves_once_it_is_told_what_changes(page) -> None:
    await page.get_by_role("button", name="Save").first.click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_text("1 of the last 1 messages of this type would be mapped otherwise:").wait_for()
    await dialog.get_by_text("AccessionNumber").wait_for()
    await dialog.get_by_role("button", name="Save").click()
    await page.get_by_text("changed by user").first.wait_for()
