"""A message as people read it: its segments and fields with their names, and what it has made."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from charrua_hl7.errors import MessageRefused
from charrua_hl7.message import Message, Segment
from charrua_hl7.tables import entry, patient_change
from charrua_hl7.texts import decoded

if TYPE_CHECKING:
    from charrua_core.app import App

SEGMENTS = {
    "MSH": "Message Header",
    "MSA": "Message Acknowledgment",
    "ERR": "Error",
    "EVN": "Event Type",
    "PID": "Patient Identification",
    "PD1": "Patient Additional Demographic",
    "MRG": "Merge Patient Information",
    "NK1": "Next of Kin",
    "PV1": "Patient Visit",
    "PV2": "Patient Visit - Additional Information",
    "ORC": "Common Order",
    "OBR": "Observation Request",
    "OBX": "Observation",
    "IPC": "Imaging Procedure Control",
    "TQ1": "Timing/Quantity",
    "NTE": "Notes and Comments",
    "AL1": "Allergy Information",
    "DG1": "Diagnosis",
    "IN1": "Insurance",
    "GT1": "Guarantor",
    "SCH": "Scheduling Activity Information",
    "RGS": "Resource Group",
    "AIS": "Appointment Information - Service",
    "AIG": "Appointment Information - General Resource",
    "AIL": "Appointment Information - Location",
    "AIP": "Appointment Information - Personnel",
    "ZDS": "Study Instance UID (IHE)",
}
"""Names of segments (HL7 v2 appendix A)."""
MOST_SHOWN = 400
"""Characters of one value: a document in Base64 has millions."""
MOST_TEXT = 200_000
"""Characters of a message's text."""
MOST_MADE = 100
_VERSION = "2.5"


@dataclass(frozen=True, slots=True)
class Field:
    """A field that has a value: `parts` are its repetitions, each of components by number, without those that are empty."""

    number: int
    name: str
    written: str
    parts: Sequence[Sequence[tuple[int, str]]]


@dataclass(frozen=True, slots=True)
class Shown:
    """A segment."""

    name: str
    title: str
    fields: Sequence[Field]


def text_of(content: bytes) -> str:
    """Give a message's text, a segment a line, cut off where it is very long."""
    try:
        text = decoded(content)[0]
    except MessageRefused:  # a character set that nobody here can read
        text = content.decode("latin-1")
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip("\n")
    return text if len(text) <= MOST_TEXT else f"{text[:MOST_TEXT]}…"


def segments_of(content: bytes) -> list[Shown]:
    """Give a message's segments with all fields that have a value; [] where it cannot be read."""
    try:
        message = Message.parse(content)
        return [
            Shown(one.name, SEGMENTS.get(one.name, ""), list(_fields(one, message.version))) for one in message.segments
        ]
    except MessageRefused:
        return []


def _fields(segment: Segment, version: str) -> Iterator[Field]:
    for number in range(1, len(segment.raw)):
        if written := segment.written(number):
            parts = [list(_components(one)) for one in segment.field(number)]
            yield Field(number, field_name(segment.name, number, version), _cut(written), parts)


def _components(repetition: Sequence[Sequence[str]]) -> Iterator[tuple[int, str]]:
    for number, component in enumerate(repetition, 1):
        if text := " & ".join(filter(None, component)):
            yield number, _cut(text)


def _cut(text: str) -> str:
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}… ({len(text):,} characters)"


@cache
def field_name(segment: str, number: int, version: str = _VERSION) -> str:
    """Give the name that a field has in a version of HL7, "" where it has none."""
    import hl7apy  # only when somebody looks at a message

    for one in (version, _VERSION):
        try:
            name = str(hl7apy.load_reference(f"{segment}_{number}", "Field", one)[3])
            return re.sub(r"\bid\b", "ID", name.replace("_", " ").capitalize())
        except Exception:  # noqa: S112 -- a version, a segment or a field that the library does not know
            continue
    return ""


@dataclass(frozen=True, slots=True)
class Made:
    """What a message has made: entries of the worklist, and changes of patients."""

    entries: Sequence[Any]
    changes: Sequence[Any]


async def made_by(app: App, number: int) -> Made:
    """Give what has last been written by this message."""
    columns = (entry.c.id, entry.c.status, entry.c.accession_number, entry.c.modality, entry.c.step_id)
    its_entries = select(*columns).where(entry.c.message_id == number).order_by(entry.c.id).limit(MOST_MADE)
    its_changes = select(patient_change).where(patient_change.c.message_id == number).limit(MOST_MADE)
    async with app.db.reading() as connection:
        entries = (await connection.execute(its_entries)).mappings().all()
        changes = (await connection.execute(its_changes.order_by(patient_change.c.id))).mappings().all()
    return Made(entries, changes)
