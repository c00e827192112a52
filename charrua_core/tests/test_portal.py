"""The patient portal: Patient ID and Accession Number open what has both, and nothing can be guessed."""

from __future__ import annotations

from typing import Any

import pytest

from charrua_core import audit, shares
from charrua_core.app import App
from charrua_core.archive.search import Query, search
from charrua_core.errors import NotPermitted
from charrua_core.testing.objects import an_object
from charrua_core.types import Identity, Level, Origin

HERE = Origin("web", address="10.0.0.8")


@pytest.fixture
async def app(intake) -> App:
    await intake.app.change_setting("patient_portal", True, by="test")
    return intake.app


async def a_study(intake: Any, patient_id: str = "4711", accession: str = "A1") -> str:
    image = an_object(PatientID=patient_id, AccessionNumber=accession)
    await intake(image)
    return str(image.StudyInstanceUID)


async def entered(app: App, patient_id: str, accession: str, address: str = "10.0.0.8") -> Identity | None:
    session, _ = await shares.enter(app, patient_id, accession, Origin("web", address=address), agent="")
    return await app.accounts.sessions.identity(session)


async def refusal(app: App, patient_id: str, accession: str, address: str = "10.0.0.8") -> tuple[int, str]:
    with pytest.raises(NotPermitted) as refused:
        await entered(app, patient_id, accession, address)
    return refused.value.http_status, str(refused.value)


async def test_a_patient_sees_all_studies_of_the_accession_and_no_other(app, intake) -> None:
    wanted = {await a_study(intake), await a_study(intake)}
    await a_study(intake, accession="A2")
    await a_study(intake, patient_id="4712")
    patient = await entered(app, " 4711", "A1 ")
    assert patient is not None and patient.permissions == {"view"}
    query = Query(Level.STUDY, return_keys=frozenset({"0020000D"}))
    assert {one.attributes["0020000D"]["Value"][0] async for one in search(app, query, patient)} == wanted


@pytest.mark.parametrize(
    "given",
    [
        ("4711", "A2"),
        ("4712", "A1"),
        ("*", "*"),
        ("471?", "A1"),
        ("", ""),
        ("4711", ""),
        ("4711\\4712", "A1"),
        ("\0", "A1"),
    ],
)
async def test_what_is_wrong_is_answered_alike(app, intake, given) -> None:
    await a_study(intake)
    await a_study(intake, "", "")
    assert await refusal(app, *given) == (403, "there is no study with this Patient ID and this Accession Number")


async def test_the_portal_is_closed_until_it_is_opened(app, intake) -> None:
    await a_study(intake)
    patient, _ = await shares.enter(app, "4711", "A1", HERE, agent="")
    await app.change_setting("patient_portal", False, by="test")
    assert (await refusal(app, "4711", "A1"))[0] == 404
    assert await app.accounts.sessions.identity(patient) is None


async def test_the_portal_gives_dicom_where_links_do(app, intake) -> None:
    await a_study(intake)
    await app.change_setting("share_link_dicom", True, by="test")
    session, patient = await shares.enter(app, "4711", "A1", HERE, agent="")
    assert patient.permissions == {"view", "retrieve"}
    await app.change_setting("share_link_dicom", False, by="test")
    later = await app.accounts.sessions.identity(session)
    assert later is not None and later.permissions == {"view"}


async def test_guesses_from_one_address_soon_wait(app, intake) -> None:
    await a_study(intake)
    statuses = [(await refusal(app, "4711", f"B{number}"))[0] for number in range(8)]
    assert statuses[:6] == [403] * 6 and statuses[-1] == 429


async def test_guesses_at_one_patient_from_many_addresses_wait(app, intake) -> None:
    await a_study(intake)
    statuses = [(await refusal(app, "4711", f"B{number}", f"10.0.1.{number}"))[0] for number in range(60)]
    assert statuses[-1] == 429 and statuses.index(429) >= 50
    assert (await refusal(app, "4711", "A1", "10.0.2.1"))[0] == 429


async def test_who_comes_and_who_does_not_get_in_is_in_the_audit_trail_without_patient_data(app, intake) -> None:
    uid = await a_study(intake)
    await refusal(app, "4711", "B1")
    await entered(app, "4711", "A1")
    trail = await audit.read(app.db, event=audit.Event.USER_AUTHENTICATION)
    assert [(one["who"], one["succeeded"], one["study_uids"]) for one in trail] == [
        ("patient portal", True, [uid]),
        ("patient portal", False, []),
    ]
    assert "4711" not in repr([one["detail"] for one in trail])
