"""A whole day of one patient at a running archive: ordered, examined, merged, reported, and the merge taken back."""

from __future__ import annotations

from base64 import b64encode

from charrua_core.testing.files import PDF
from charrua_core.testing.objects import a_study
from charrua_core.testing.waiting import until
from charrua_hl7.testing import Sender

NEW = "PID|||NEW^^^HOSP||Roe^Janet||19700102|F"


def message(event: str, *segments: str) -> str:
    return "\r".join([rf"MSH|^~\&|HIS|HOSP|CHARRUA||20270101||{event}|{event}1|P|2.5.1", *segments])


async def test_a_patient_is_merged_and_reported_and_the_merge_is_taken_back(archive, modality, browse) -> None:
    order = "OBR|1|P1|F1|CT^Chest||||||||||||||A1||||||CT"
    report = (
        f"{order}|F",
        f"OBX|1|ED|1^Chest report^L||^application^pdf^Base64^{b64encode(PDF).decode()}",
    )
    merge = message("ADT^A40^ADT_A39", NEW, "MRG|OLD^^^HOSP")
    admin = await browse("Admin")

    async def found(**keys: str) -> list[dict]:
        answer = await admin.get("/dicom-web/studies", params={**keys, "includefield": "ModalitiesInStudy"})
        return answer.json() if answer.status_code == 200 else []

    async with Sender(*archive.hl7) as his:
        ordered = await his.send(
            message("ORM^O01^ORM_O01", "PID|||OLD^^^HOSP||Doe^Jane||19700101|F", "ORC|NW|P1|F1", order)
        )
        assert ordered.text("MSA-1") == "AA"
        await modality.give(a_study(PatientID="OLD", PatientName="Doe^Jane", AccessionNumber="A1"))
        assert (await his.send(merge)).text("MSA-1") == "AA"
        await until(lambda: found(PatientID="NEW", PatientName="Roe^Janet"))
        assert (await his.send(message("ORU^R01^ORU_R01", NEW, *report))).text("MSA-1") == "AA"
    await until(lambda: found(PatientID="NEW", ModalitiesInStudy="DOC"))

    changes = (await admin.get("/hl7/patient-changes")).json()
    assert {(one["kind"], one["state"]) for one in changes} >= {("merge", "done")}
    for one in changes:
        answer = await admin.post(f"/hl7/patient-changes/{one['change']}/undo")
        assert answer.status_code == 204, answer.text
    assert len(await found(PatientID="OLD", PatientName="Doe^Jane")) == 1
