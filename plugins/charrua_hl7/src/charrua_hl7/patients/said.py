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
from charrua_hl7.mapping.transforms import LENGTHS, clean_id, identifier
from charrua_hl7.message import Field, Message, Segment, part_of
from charrua_hl7.patients.who import Who

if TYPE_CHECKING:
    from charrua_core.app import App

NAME, BIRTH_DATE, SEX = (tag_of(keyword) for keyword in ("PatientName", "PatientBirthDate", "PatientSex"))
ADMISSION = tag_of("AdmissionID")
KEYS = frozenset({PATIENT_ID, ISSUER_OF_PATIENT_ID})
PATIENT_TAGS = TAGS[Level.PATIENT]
_OF_THE_PATIENT = "0010"
_PREGNANCY = tag_of("PregnancyStatus")
"""Group 0010 is what the patient is, this apart: it is as passing as all else that ADT says, which is of the visit."""


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
    patient = {tag: element for tag, element in told.items() if _is_of_the_patient(tag)}
    visit = {tag: element for tag, element in told.items() if not _is_of_the_patient(tag) and tag not in KEYS}
    return Said(who, patient, visit, message)


def _each(message: Message) -> Iterator[Message]:
    """Give a message for each PID, with what stands before the first."""
    names = [segment.name for segment in message.segments]
    head = list(message.segments[: names.index("PID")])
    for group in message.grouped("PID"):
        yield Message([*head, *group], message.separators)


def _is_of_the_patient(tag: str) -> bool:
    return tag.startswith(_OF_THE_PATIENT) and tag != _PREGNANCY and tag not in KEYS


def former_of(one: Said, segment: Segment) -> list[Who]:
    """Give who the patient of a segment MRG was: MRG-1, or MRG-4 where old systems put it.

    Lists of IDs have in common what has not changed; that is left out. Raises FieldMissing and ValueInvalid.
    """
    field = segment.field(1) or segment.field(4)
    named = _ids(field)
    if not named:
        raise FieldMissing("MRG-1 does not say who the patient was", "MRG^1^1")
    now = ids_in(one.message)
    former = [who for who in dict.fromkeys(named) if not who.is_like(one.who)]
    if not former:
        raise ValueInvalid("a patient cannot be merged into itself", "MRG^1^1")
    return [who for who in former if who not in now] or former


def ids_in(message: Message) -> list[Who]:
    """Give all IDs of PID-3."""
    pid = message.first("PID")
    return _ids(pid.field(3)) if pid else []


def _ids(field: Field) -> list[Who]:
    return [who for who in (_id(field, place) for place in range(1, len(field) + 1)) if who.patient_id]


def _id(field: Field, repetition: int) -> Who:
    """Give the patient of a CX as the mapping writes Patient ID and its issuer: the namespace, else the universal ID."""
    patient_id = identifier(part_of(field, repetition, 1), "LO") or ""
    authority = (clean_id(part_of(field, repetition, 4, number))[: LENGTHS["LO"]] for number in (1, 2))
    return Who(patient_id, next(filter(None, authority), ""))


def only_values(attributes: Mapping[str, Any]) -> DicomJson:
    """Give the attributes that have a value."""
    return {tag: dict(element) for tag, element in attributes.items() if element.get("Value")}
