"""No patient in the log: what is stored, searched, fetched, refused and damaged, at the level that tells most."""

from __future__ import annotations

import pytest

from charrua_core.testing.devices import Modality, Workstation
from charrua_core.testing.objects import a_study, an_object
from charrua_core.testing.running import Archive

CANARY = {
    "PatientName": "Kanarienvogel^Gelb",
    "PatientID": "CANARY4711",
    "PatientBirthDate": "19010203",
    "AccessionNumber": "CANARYACC",
    "ReferringPhysicianName": "Vogelarzt^Blau",
}
SECRETS = ("anarien", "CANARY", "19010203", "ogelarzt")


@pytest.mark.settings(log_level=2)
async def test_no_patient_is_in_the_log(archive: Archive, modality: Modality, workstation: Workstation) -> None:
    study = a_study(images=2, **CANARY)
    assert await modality.store(study) == [0, 0]
    uid = study[0].StudyInstanceUID
    await modality.give(an_object(**{**CANARY, "PatientID": "CANARY0815"}, StudyInstanceUID=uid))
    await modality.give(an_object(**CANARY, StudyInstanceUID=None))
    assert len(await workstation.find("STUDY", PatientName="Kanarien*", PatientID="", AccessionNumber="CANARYACC")) == 2
    with pytest.raises(LookupError):
        await workstation.find("PATIENT", root="STUDY", PatientName="Kanarien*")
    assert (await workstation.move("STUDY", StudyInstanceUID=uid)).completed == 3
    await archive.stop()
    told = archive.told()
    assert "association" in told
    assert [secret for secret in SECRETS if secret in told] == []
