"""What a message of ADT says: its patients, their visit, and the IDs that they had before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core.archive.index.levels import ISSUER_OF_PATIENT_ID, PATIENT_ID, TAGS, tag_of
from charrua_core.types import DicomJson, Level
from charrua_hl7.errors import FieldMissing, ValueInvalid
from charrua_hl7.mapping import patient_of
from charrua_hl7.message import NULL, Message, Segment, part_of
from charrua_hl7.patients.who import Who

if TYPE_CHECKING:
    from charrua_core.app import App

NAME, BIRTH_DATE, SEX = (tag_of(keyword) for keyword in ("PatientName", "PatientBirthDate", "PatientSex"))
ADMISSION = tag_of("AdmissionID")
KEYS = frozenset({PATIENT_ID, ISSUER_OF_PATIENT_ID})
PATIENT_TAGS = TAGS[Level.PATIENT]
_VISIT = "0038"
"""Group of the attributes of the visit (PS3.3 C.3.2 to C.3.5)."""
_LOCATION = tag_of("CurrentPatientLocation")


@dataclass(frozen=True, slots=True)
class Said:
    """One patient of a message. An attribute without Value is one that the message deletes."""

    who: Who
    patient: DicomJson
    visit: DicomJson
    message: Message
    """The message as if it spoke of this patient alone."""


async def said(app: App, tx: AsyncConnection, message: Message) -> list[Said]:
    """Give what a message says of each of its patients, in its order. Raises MessageRefused."""
    if not message.all("PID"):
        raise FieldMissing("the message has no segment PID", "PID")
    return [await _said(app, tx, one) for one in _each(message)]


async def _said(app: App, tx: AsyncConnection, message: Message) -> Said:
    told = await patient_of(app, tx, message)
    who = Who.of(told)
    if not who.patient_id:
        raise FieldMissing("the message has no Patient ID", "PID^1^3")
    visit = _visit(message) | {tag: element for tag, element in told.items() if tag.startswith(_VISIT)}
    patient = {tag: element for tag, element in told.items() if tag not in KEYS and tag not in visit}
    return Said(who, patient, visit, message)


def _each(message: Message) -> Iterator[Message]:
    """Give a message for each PID, with what stands before the first."""
    names = [segment.name for segment in message.segments]
    head = list(message.segments[: names.index("PID")])
    for group in message.grouped("PID"):
        yield Message([*head, *group], message.separators)


def _visit(message: Message) -> DicomJson:
    """What PV1 says of the visit: location as one text, and the visit's number (PS3.3 C.3.4, C.3.3)."""
    where = message.text("PV1-3")
    if where != NULL:
        where = "^".join(message.text(f"PV1-3.{number}").strip() for number in (1, 2, 3, 4)).strip("^")
    told = {_LOCATION: where, ADMISSION: message.text("PV1-19.1").strip()}
    return {tag: _element(text) for tag, text in told.items() if text}


def _element(text: str) -> dict[str, Any]:
    return {"vr": "LO"} if text == NULL else {"vr": "LO", "Value": [text[:64]]}


def former_of(one: Said, segment: Segment) -> list[Who]:
    """Give who the patient of a segment MRG was: MRG-1, or MRG-4 where old systems put it.

    Lists of IDs have in common what has not changed; that is left out. Raises FieldMissing and ValueInvalid.
    """
    field = segment.field(1) or segment.field(4)
    named = [who for who in (_id(field, place) for place in range(1, len(field) + 1)) if who.patient_id]
    if not named:
        raise FieldMissing("MRG-1 does not say who the patient was", "MRG^1^1")
    pid = one.message.first("PID")
    listed = pid.field(3) if pid else ()
    now = {_id(listed, place) for place in range(1, len(listed) + 1)}
    former = [who for who in dict.fromkeys(named) if not who.is_like(one.who)]
    if not former:
        raise ValueInvalid("a patient cannot be merged into itself", "MRG^1^1")
    return [who for who in former if who not in now] or former


def _id(field: Any, repetition: int) -> Who:
    return Who(part_of(field, repetition, 1).strip(), part_of(field, repetition, 4).strip())


def only_values(attributes: Mapping[str, Any]) -> DicomJson:
    """Give the attributes that have a value."""
    return {tag: dict(element) for tag, element in attributes.items() if element.get("Value")}
