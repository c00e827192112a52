"""An administrator adds a user by the pages; that user sees what their filter admits, wherever they look, and nothing else."""

from __future__ import annotations

from typing import Any

import httpx

from charrua_core.testing.objects import a_study

PASSWORD = "words of a good length"


async def test_a_user_who_is_added_on_the_pages_sees_what_the_filter_admits_and_nothing_else(
    archive, modality, open_browser
) -> None:
    seen, hidden = (
        a_study(images=2, Modality="CR", PatientName="SEEN^ANA"),
        a_study(Modality="MR", PatientName="HIDDEN^EVA"),
    )
    await modality.give([*seen, *hidden])
    admin = await open_browser("Admin")
    await add_user(admin, "rosa", "CR")

    rosa = await open_browser(None)
    await log_in(rosa, archive, "rosa", "given by the desk")
    await rosa.wait_for_selector("td.patient")
    listed = await rosa.text_content("main")
    assert "Seen, Ana" in listed.title()
    assert "HIDDEN" not in listed.upper()
    assert await status_of(rosa, f"/viewer/{seen[0].StudyInstanceUID}") == 200
    for path in ("/viewer/", "/studies/"):
        assert await status_of(rosa, f"{path}{hidden[0].StudyInstanceUID}") == 404

    async with await client_of(rosa, archive) as client:
        await sees_one_alone(client, seen, hidden)
        await widen(admin, "rosa", "CR, MR")
        assert len((await client.get("/dicom-web/studies")).json()) == 2  # at once, in the session that is open


async def add_user(admin: Any, name: str, modality: str) -> None:
    await admin.goto("/setup/people/user")
    await admin.fill("[name=name]", name)
    await admin.fill("[name=password]", "given by the desk")
    await admin.check("input[value=Radiologist]")
    await admin.click("[data-add=filter]")
    await admin.fill("[data-rows=filter] [name=value]", modality)
    await admin.wait_for_selector("text=Sees 1 of 2 studies.")
    await admin.click("form[data-send] button.primary")
    await admin.wait_for_selector("text=The user was added.")
    assert f"Modality: {modality}" in await admin.text_content(f"tr:has-text('{name}')")


async def widen(admin: Any, name: str, modalities: str) -> None:
    await admin.click(f"a:text-is('{name}')")
    await admin.fill("[data-rows=filter] [name=value]", modalities)
    await admin.click("form[data-send] button.primary")
    await admin.wait_for_selector("text=Saved.")


async def log_in(page: Any, archive: Any, name: str, password: str) -> None:
    """Log in by a password that somebody else knows: another one must be chosen first."""
    await page.goto("/studies")
    await page.fill("[name=name]", name)
    await page.fill("[name=password]", password)
    await page.click("button.primary")
    await page.fill("[name=current]", password)
    await page.fill("[name=new]", PASSWORD)
    await page.fill("[name=again]", PASSWORD)
    await page.click("button.primary")
    await page.wait_for_url(f"{archive.url}/studies")


async def status_of(page: Any, path: str) -> int:
    return (await page.request.get(path, headers={"Accept": "text/html"})).status


async def client_of(page: Any, archive: Any) -> httpx.AsyncClient:
    """A client with the session of a page."""
    cookies = "; ".join(f"{one['name']}={one['value']}" for one in await page.context.cookies())
    return httpx.AsyncClient(
        base_url=archive.url, headers={"Cookie": cookies, "Origin": archive.url}, timeout=30, verify=False
    )


async def sees_one_alone(client: httpx.AsyncClient, seen: Any, hidden: Any) -> None:
    [study] = (await client.get("/dicom-web/studies")).json()
    assert study["0020000D"]["Value"] == [seen[0].StudyInstanceUID]
    for image, status in ((seen[0], 200), (hidden[0], 404)):
        of_study = f"/dicom-web/studies/{image.StudyInstanceUID}"
        of_image = f"{of_study}/series/{image.SeriesInstanceUID}/instances/{image.SOPInstanceUID}"
        paths = (of_study, f"{of_study}/metadata", of_image, f"{of_image}/rendered", f"{of_image}/frames/1")
        assert {(await client.get(path)).status_code for path in paths} == {status}, image.Modality
