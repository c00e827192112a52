"""Stories in the study list: what is done there is seen there, and can be had back."""

from __future__ import annotations

from charrua_core.testing.objects import a_study


async def test_a_study_is_deleted_and_edited_in_the_list_and_both_are_undone(desk, browser_at) -> None:
    study = a_study(series=2, PatientName="Deo^Jane=林^花", SpecificCharacterSet="ISO_IR 192")
    [other] = a_study(PatientName="Roe^Richard", PatientID="0815")
    await desk.store(*study, other)
    page = await browser_at(desk.served, "Manager")
    await page.goto("/studies")
    row = page.locator(f"tr[data-uid='{study[0].StudyInstanceUID}']")
    await row.locator("td.patient a").focus()
    await row.click()

    await page.keyboard.press("d")
    await page.get_by_label("Reason").fill("wrong patient")
    await page.locator("dialog").get_by_role("button", name="Delete", exact=True).click()
    await row.wait_for(state="detached")
    await page.locator(".toast", has_text="Deleted: Deo, Jane").get_by_role("button", name="Undo").click()
    await row.wait_for()

    await row.click()
    await page.keyboard.press("e")
    await page.get_by_label("Family name").first.fill("Doe")
    await page.locator("dialog .changes", has_text="Deo, Jane / 林, 花").wait_for()
    await page.reload()  # as if by a slip
    await row.click()
    await page.keyboard.press("e")
    assert await page.get_by_label("Family name").first.input_value() == "Doe"
    await page.get_by_label("Birth date").fill("1971-02-03")
    await page.get_by_role("combobox", name="Status").last.select_option("FINAL")
    await page.get_by_role("button", name="Save").click()
    await row.get_by_text("Doe, Jane").wait_for()
    await row.get_by_text("final").wait_for()
    assert await page.evaluate("document.activeElement !== document.body")
    [told] = await desk.found(await desk.caller(), PatientName="doe*")
    assert told["00100030"] == "19710203"
    await page.keyboard.press("u")
    await row.get_by_text("Deo, Jane").wait_for()
    await row.get_by_text("unread").wait_for()
