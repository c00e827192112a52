"""Orders as steps of the worklist, by the mappings that are in force where nobody has saved others."""

from __future__ import annotations

from pydicom.datadict import keyword_for_tag

from charrua_hl7.mapping import ordered_steps, patient_of
from charrua_hl7.message import Message

ORDER = (
    "MSH|^~\\&|RIS|HOSPITAL|PACS|RADIOLOGY|20231115130000||ORM^O01^ORM_O01|1|P|2.5.1\r"
    "PID|1||4711^^^HOSPITAL^MR||Doe^Jane||19800115|F\r"
    "ORC|NW|P1^RIS|F1^PACS||SC\r"
    "TQ1|1||||||20231116140000||S\r"
    "OBR|1|P1^RIS|F1^PACS|71260^CT CHEST^C4||||||||||||||A1|RP1|S1||||CT\r"
    "ZDS|1.2.3.4.5^^Application^DICOM"
)


def told(attributes):
    """Give attributes by keyword, those of the step among them, each with its first value or None."""
    named = {}
    for tag, element in attributes.items():
        keyword, values = keyword_for_tag(tag), element.get("Value")
        if keyword == "ScheduledProcedureStepSequence":
            named |= told(values[0])
        else:
            named[keyword] = values[0] if values else None
    return named


async def test_an_order_is_a_step(open_archive) -> None:
    app = await open_archive()
    async with app.db.transaction() as tx:
        [step] = await ordered_steps(app, tx, Message.parse(ORDER.encode()))
        patient = await patient_of(app, tx, Message.parse(ORDER.encode()))
    found = told(step.attributes)
    assert (step.control, step.order_status) == ("NW", "SC")
    assert (found["PatientID"], found["AccessionNumber"], found["StudyInstanceUID"]) == ("4711", "A1", "1.2.3.4.5")
    assert (found["Modality"], found["ScheduledProcedureStepStartDate"]) == ("CT", "20231116")
    assert (found["ScheduledProcedureStepStartTime"], found["RequestedProcedurePriority"]) == ("140000", "STAT")
    assert told(patient)["PatientName"] == {"Alphabetic": "Doe^Jane"}
