"""The page of performed steps: people find what modalities have done, and what has no order."""

from __future__ import annotations

from typing import Any

import pytest
from pydicom.uid import generate_uid
from sqlalchemy import select

from charrua_core import tables
from charrua_core.dicom import Acceptor, Dispatcher, Limits
from charrua_core.testing.objects import a_study
from charrua_core.testing.performed import Performer, a_discontinuation, a_scheduled_step, a_series, a_step, an_end
from charrua_core.types import Peer
from charrua_hl7.performed import listing, performed_services

HTML = {"Accept": "text/html"}


@pytest.fixture
async def ct(place):
    """A modality that tells the archive what it performs."""
    acceptor = Acceptor(Limits(), Dispatcher(performed_services(place.app)))
    await acceptor.start("127.0.0.1", 0)
    yield Performer(Peer("CHARRUA", "127.0.0.1", acceptor.port))
    await acceptor.stop(grace_s=0.5)


async def shown(client: Any, query: str = "") -> str:
    answer = await client.get(f"/worklist/steps{query}", headers=HTML)
    assert answer.status_code == 200, answer.text
    return str(answer.text)


def stray(study: str = "", accession: str = "", **attributes: Any) -> Any:
    """A step that names no scheduled one, as after an emergency."""
    scheduled = a_scheduled_step(study or generate_uid(), AccessionNumber=accession, ScheduledProcedureStepID="")
    return a_step(scheduled=[scheduled], **attributes)


async def test_steps_are_told_with_their_entries_and_those_without_one_say_why(place, admin, ct) -> None:
    made = (await admin.post("/worklist", json={"patid": "4711", "patname": "NÚÑEZ^JOSÉ", "descr": "THORAX"})).json()
    await admin.post("/worklist", json={"id": "A9", "patid": "99", "patname": "SILVA^ANA", "modality": "CT"})
    await ct.create(a_step(scheduled=[a_scheduled_step(made["study"], ScheduledProcedureStepID="")]))
    await ct.create(stray(PatientName="EMERGENCY^ONE", PatientID="E1"))
    _, uid = await ct.create(stray(PatientName="OTHER^TWO", PatientID="E2", accession="A9"))
    await ct.set(uid, a_discontinuation())
    page = await shown(admin)
    assert f'<a href="/worklist/{made["entry"]}">' in page
    assert "THORAX" in page
    assert page.index("OTHER, TWO") < page.index("EMERGENCY, ONE") < page.index("Núñez, José")
    assert page.count("without an entry") == 2
    assert "No order of its study or accession number has come." in page
    assert "An order of this accession number is of another patient" in page
    assert "Doctor canceled procedure" in page
    assert 'href="/worklist?search=A9&amp;date=all&amp;status=all"' in page
    assert 'href="/worklist?search=E1&amp;date=all&amp;status=all"' in page


async def test_steps_are_found_by_words_by_state_and_without_an_entry(place, admin, ct) -> None:
    made = (await admin.post("/worklist", json={"patid": "4711", "patname": "NÚÑEZ^JOSÉ"})).json()
    _, linked = await ct.create(a_step(scheduled=[a_scheduled_step(made["study"], ScheduledProcedureStepID="")]))
    await ct.set(linked, an_end())
    await ct.create(stray(PatientName="EMERGENCY^ONE", PatientID="E1", PerformedProcedureStepDescription="Skull"))
    for query, names in (
        ("", {"Núñez", "EMERGENCY"}),
        ("?entry=none", {"EMERGENCY"}),
        ("?state=COMPLETED", {"Núñez"}),
        ("?state=COMPLETED&entry=none", set()),
        ("?search=nunez+ct1", {"Núñez"}),
        ("?search=skull+e1", {"EMERGENCY"}),
        ("?search=skull+nunez", set()),
    ):
        page = await shown(admin, query)
        assert {name for name in ("Núñez", "EMERGENCY") if f">{name}," in page} == names, query
    for wrong in ("?state=DONE", "?entry=some", "?after=x", "?after=-1"):
        assert (await admin.get(f"/worklist/steps{wrong}", headers=HTML)).status_code == 400, wrong


async def test_a_list_that_is_long_has_pages(place, admin, ct, monkeypatch) -> None:
    monkeypatch.setattr(listing, "PAGE", 2)
    monkeypatch.setattr(listing, "BATCH", 2)
    for number in range(5):
        await ct.create(stray(PatientName=f"P{number}^X", PatientID=f"E{number}"))
    seen, query = [], ""
    for _ in range(3):
        page = await shown(admin, query)
        seen.append([f"P{number}" for number in range(5) if f"P{number}, X" in page])
        query = "?after=" + page.partition("?after=")[2].partition('"')[0]
    assert seen == [["P3", "P4"], ["P1", "P2"], ["P0"]]
    assert "?after=" not in page


async def test_a_stray_step_leads_to_its_study_and_has_its_entry_once_that_is_assigned(place, admin, ct) -> None:
    made = (await admin.post("/worklist", json={"patid": "4711", "patname": "NÚÑEZ^JOSÉ", "modality": "CT"})).json()
    images = a_study(PatientID="E1", PatientName="EMERGENCY^ONE", Modality="CT")
    uid = images[0].StudyInstanceUID
    await ct.create(stray(uid, PatientName="EMERGENCY^ONE", PatientID="E1"))
    assert "Assign its study" not in await shown(admin, "?entry=none")
    await place.come(*images)
    assert f'href="/worklist/assign?study={uid}"' in await shown(admin, "?entry=none")
    assert f'href="/studies/{uid}"' in await shown(await place.client("Radiologist"), "?entry=none")
    path = f"/worklist/entries/{made['entry']}/assign"
    assert (await admin.post(path, json={"study": uid})).status_code == 200
    assert "EMERGENCY" not in await shown(admin, "?entry=none")
    assert f'<a href="/worklist/{made["entry"]}">' in await shown(admin)
    assert (await admin.delete(path)).status_code == 200
    assert "EMERGENCY" in await shown(admin, "?entry=none")


async def test_a_study_is_found_by_the_series_of_a_step_that_names_another_one(place, admin, ct) -> None:
    images = a_study(PatientID="E1", Modality="CT")
    _, step = await ct.create(stray(PatientID="E1"))
    await ct.set(step, an_end(a_series(images[0].SeriesInstanceUID, [images[0].SOPInstanceUID])))
    await place.come(*images)
    page = await shown(admin)
    assert f'href="/worklist/assign?study={images[0].StudyInstanceUID}"' in page
    assert "1 of 1 images are here" in page


async def test_who_sees_a_part_is_told_of_the_steps_and_entries_in_it(place, admin, ct) -> None:
    made = (await admin.post("/worklist", json={"patid": "4711", "patname": "NÚÑEZ^JOSÉ", "modality": "MR"})).json()
    await ct.create(a_step(scheduled=[a_scheduled_step(made["study"], ScheduledProcedureStepID="")]))  # a CT's
    await ct.create(stray(PatientName="MAGNET^ONE", Modality="MR"))
    seen = await shown(await place.client("Manager", {"Modality": ["CT"]}))
    assert ("Núñez" in seen, "MAGNET" in seen) == (True, False)
    assert f"/worklist/{made['entry']}" not in seen
    assert "an entry that you do not see" in seen
    assert (await (await place.client("Referring")).get("/worklist/steps", headers=HTML)).status_code == 403


async def test_who_has_seen_which_steps_is_kept(place, admin, ct) -> None:
    await ct.create(stray(study := generate_uid()))
    await shown(admin)
    await place.app.audit.flush()
    async with place.app.db.reading() as connection:
        found = await connection.execute(select(tables.audit).where(tables.audit.c.study_uids.any(study)))
        [one] = [row for row in found if row.action == "R"]
    assert one.detail["steps"] == 1


async def test_the_page_is_walked_through_with_the_keyboard(place, admin, ct, browser_at) -> None:
    await ct.create(stray(PatientName="EMERGENCY^ONE", PatientID="E1"))
    page = await browser_at(place, "Manager")
    await page.goto("/worklist")
    await page.get_by_role("link", name="Performed steps").click()
    await page.get_by_role("link", name="Without an entry").click()
    await page.keyboard.press("n")  # adds entries, elsewhere
    await page.keyboard.press("j")
    assert await page.evaluate("document.activeElement.textContent") == "Look for its entry"
    await page.keyboard.press("/")
    await page.keyboard.type("nobody")
    await page.get_by_text("No step matches").wait_for()
    await page.get_by_role("searchbox").fill("")
    await ct.create(stray(PatientName="EMERGENCY^TWO", PatientID="E2"))
    await page.get_by_text("EMERGENCY, TWO").wait_for()
    assert page.faults == []
