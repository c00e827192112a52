"""The pages are for everybody: axe finds nothing against WCAG 2.2 AA on any of them, in dark, in light, and on a phone.

The pages come from the table of routes, so that a new page is among them; every day has its half of them.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pydicom
import pytest

from charrua_core.app import App, Start
from charrua_core.testing.browser import WIDTHS
from charrua_core.testing.daily import is_todays
from charrua_core.testing.objects import a_study
from charrua_core.testing.outside import DATA, with_data
from charrua_core.testing.performed import Performer, a_step
from charrua_web.catalogue import make_table
from charrua_web.rendering.pages import is_page

AXE = Path(__file__).parents[1] / "plugins/charrua_web/frontend/node_modules/axe-core/axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
RUN = """async (rules) => {
  const found = await axe.run(document, {runOnly: rules, resultTypes: ["violations"], preload: false});
  return found.violations.flatMap((one) => one.nodes.map((node) =>
    [one.id, node.target.join(" "), node.failureSummary.split("\\n").slice(1, 3).join("; ").trim()]));
}"""
WIDER = """() => [...document.querySelectorAll("body, main, .page, dialog[open], dialog[open] .body")]
  .filter((one) => one.scrollWidth > one.clientWidth + 1)
  .map((one) => `${one.tagName} ${one.className}: ${one.scrollWidth} of ${one.clientWidth} pixels`)"""
NOT_OURS = ("/ohif",)
"""Pages that are another application's as it comes."""
GIVEN = {
    "/setup/destinations/destination": "?kind=stow",
    "/setup/people/user": "?name=admin",
    "/setup/routing/rule": "?number=1",
    "/worklist/assign": "?study={study}&entry=1",
}
"""What some pages are asked for, to show something that is there."""
OF_NOBODY = ("/", "/login", "/portal", "/share/{token}", "/visit")
"""Pages that are looked at as somebody who has not logged in, or lead who has to another."""
ON_A_PHONE = (
    *("/studies", "/studies/{study}", "/viewer/{study}", "/upload", "/me", "/links", "/setup", "/worklist"),
    "/worklist/steps",
)
SERIES = DATA / "series" / "mr-16"

pytestmark = [with_data, pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed: npm install")]


def pages() -> list[str]:
    """The patterns of today's pages."""
    table, _ = make_table(App(Start({"CHARRUA_WITHOUT": ""}), (), {}))
    paths = [route.path for route in table.routes if is_page(route) and not route.path.startswith(NOT_OURS)]
    return [path for path in paths if path not in OF_NOBODY and is_todays(path, parts=2)]


async def violations(page: Any, what: str, rules: dict[str, Any]) -> list[str]:
    """What axe has against what the page shows now, each as a line."""
    if not await page.evaluate("() => 'axe' in window"):
        await page.evaluate(AXE.read_text())
    if folder := os.environ.get("CHARRUA_SCREENSHOTS"):
        await page.screenshot(path=Path(folder) / f"{what.strip('/').replace('/', '-').replace(' ', '-')}.png")
    found = await page.evaluate(RUN, rules)
    return [f"{what}: {' | '.join(one)}" for one in found]


async def look(page: Any, what: str, *, phone: bool = False) -> list[str]:
    """Check what is shown in dark and for its colours in light, that it fits into 320 pixels, and all on a phone."""
    every = {"type": "tag", "values": TAGS}
    found = await violations(page, f"{what} dark", every)
    await page.emulate_media(color_scheme="light")
    found += await violations(
        page, f"{what} light", {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
    )
    await page.emulate_media(color_scheme="dark")
    await page.set_viewport_size({"width": 320, "height": 640})
    found += [f"{what} scrolls sideways at 320 pixels: {one}" for one in await page.evaluate(WIDER)]
    if phone:
        await page.set_viewport_size(dict(zip(("width", "height"), WIDTHS["phone"], strict=True)))
        await page.wait_for_timeout(100)
        found += await violations(page, f"{what} phone", every)
    await page.set_viewport_size(dict(zip(("width", "height"), WIDTHS["desk"], strict=True)))
    return found


async def visit(page: Any, path: str) -> None:
    """Open a page and wait until its scripts have filled it."""
    answer = await page.goto(path)
    assert answer.ok, path
    await page.wait_for_load_state("load")
    await page.wait_for_timeout(300)


async def fill(client: Any, study: str) -> str:
    """Make what the pages list; give the address of a link to the study."""
    rule = {"name": "All to PACS", "destinations": ["PACS"], "when": {"study_description": "*"}}
    answers = [
        await client.put("/peers/PACS", json={"host": "127.0.0.1", "port": 9}),
        await client.post("/routing/rules", json=rule),
        await client.post("/shares", json={"studies": [study], "asks_birth_date": True}),
        await client.post("/worklist", json={"patid": "4711", "patname": "SILVA^ANA"}),
        await client.put("/preferences/studies.searches", json=[{"name": "Knees", "query": "StudyDescription=knee"}]),
    ]
    assert all(answer.is_success for answer in answers), [answer.text for answer in answers]
    return str(answers[2].json()["link"])


async def order(archive: Any) -> None:
    """Have a message that is shown."""
    reader, writer = await asyncio.open_connection(*archive.hl7)
    writer.write(b"\x0bMSH|^~\\&|HIS||||20270101||ORM^O01|1|P|2.5\rPID|1||4711||Silva^Ana\rORC|NW|P1|F1\r\x1c\r")
    assert b"|AA|" in await reader.readuntil(b"\x1c\r")
    writer.close()


DIALOGS = ("Share", "Send", "Edit", "Assign", "Attach", "Delete…")
"""What opens from the actions of a chosen study."""
TOOLS = {"searches": "button.saved", "columns": "button.columns", "keys": "button.map", "field": "button.add-field"}
"""What opens from the line of tools of the list."""


async def dialogs(page: Any) -> list[str]:
    """Check each dialog that the study list opens."""
    await visit(page, "/studies")
    found: list[str] = []
    for name, button in TOOLS.items():
        await page.locator(button).click()
        found += await in_dialog(page, f"dialog-{name}")
    await page.locator("tbody input[type=checkbox]").first.check()
    found += await look(page, "/studies chosen")
    for name in DIALOGS:
        await page.locator(".sel-bar").get_by_role("button", name=name, exact=True).click()
        found += await in_dialog(page, f"dialog-{name.strip('…')}")
    return found


async def in_dialog(page: Any, what: str) -> list[str]:
    await page.locator("dialog[open]").wait_for()
    await page.wait_for_timeout(150)
    found = await look(page, what)
    await page.keyboard.press("Escape")
    await page.locator("dialog[open]").wait_for(state="detached")
    return found


@pytest.mark.settings(patient_portal="1")
async def test_axe_finds_nothing_on_any_page(archive, modality, browse, open_browser) -> None:
    images = [pydicom.dcmread(path) for path in sorted(SERIES.glob("*.dcm"))[:4]]
    study = images[0].StudyInstanceUID
    for image in images:
        image.PatientBirthDate = "19610412"
    await modality.give([*images, *a_study(images=2)])
    link = await fill(await browse(), study)
    await order(archive)
    await Performer(archive.peer).create(a_step(study))
    admin = await open_browser("Admin")
    found: list[str] = []
    for pattern in pages():
        path = (
            pattern.replace("{study}", study).replace("{entry}", "1").replace("{type}", "ORM").replace("{message}", "1")
        )
        await visit(admin, path + GIVEN.get(pattern, "").replace("{study}", study))
        found += await look(admin, path.replace(study, "uid"), phone=pattern in ON_A_PHONE)
    found += await dialogs(admin)
    await visit(admin, "/worklist")
    await admin.get_by_role("button", name="Add entry").click()
    found += await in_dialog(admin, "dialog-add-entry")
    nobody = await open_browser(None)
    for path in ("/login", "/portal", link):
        await visit(nobody, path)
        found += await look(nobody, "/share" if path == link else path, phone=True)
    await nobody.get_by_label("Date of birth of the patient").fill("1961-04-12")
    await nobody.get_by_role("button", name="Open the images").click()
    await nobody.wait_for_url("**/visit")
    await nobody.wait_for_timeout(300)
    found += await look(nobody, "/visit", phone=True)
    assert not found, "\n" + "\n".join(found)
