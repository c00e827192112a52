"""Which entries a received study may belong to, the likeliest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core.archive.index.levels import tag_of, text_of
from charrua_core.archive.index.names import name_key
from charrua_core.types import DicomJson, Identity
from charrua_hl7.tables import entry
from charrua_hl7.worklist.entries import COLUMNS, OPEN, Entry, Status, of_row, value
from charrua_hl7.worklist.identity import is_same_patient
from charrua_hl7.worklist.listing import Asked, listed
from charrua_hl7.worklist.searching import seen_by

MOST = 20
LOOKED_AT = 500
AROUND = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Candidate:
    """An entry that a study may belong to, and why."""

    entry: Entry
    same_patient: bool
    same_accession: bool
    same_name: bool
    same_modality: bool
    same_day: bool

    @property
    def likelihood(self) -> tuple[int, bool]:
        """What it is ranked by."""
        weights = ((self.same_accession, 8), (self.same_patient, 8), (self.same_name, 4), (self.same_day, 2))
        score = sum(weight for holds, weight in weights if holds) + self.same_modality
        return score, self.entry.status in OPEN


async def candidates(
    connection: AsyncConnection, identity: Identity, study: DicomJson, searched: str = ""
) -> Sequence[Candidate]:
    """Give the entries that a study may belong to, the likeliest first; `searched` names others."""
    if searched:
        asked = Asked(search=searched, statuses=OPEN | {Status.DISCONTINUED}, limit=LOOKED_AT)
        found = (await listed(connection, identity, asked)).entries
    else:
        found = await _near(connection, identity, study)
    ranked = sorted((_ranked(one, study) for one in found), key=lambda one: one.likelihood, reverse=True)
    return ranked[:MOST]


async def _near(connection: AsyncConnection, identity: Identity, study: DicomJson) -> list[Entry]:
    waits = or_(entry.c.status.in_(sorted(OPEN)), entry.c.status == Status.DISCONTINUED)
    statement = (
        select(*COLUMNS).where(waits, or_(*_near_by(study))).order_by(entry.c.start_moment.desc()).limit(LOOKED_AT)
    )
    seen = seen_by(identity)
    return [of_row(row) for row in await connection.execute(statement) if seen(row.attributes)]


def _near_by(study: DicomJson) -> list[ColumnElement[bool]]:
    """Each by an index of its own."""
    patient, accession = _text(study, "PatientID"), _text(study, "AccessionNumber")
    near = [entry.c.patient_id == patient] * bool(patient) + [entry.c.accession_number == accession] * bool(accession)
    if name := name_key(_text(study, "PatientName")):
        near.append(entry.c.patient_name_key == name)
    first, last = _around(_text(study, "StudyDate"))
    return [*near, and_(entry.c.start_moment >= first, entry.c.start_moment <= last)]


def _around(day: str) -> tuple[str, str]:
    try:
        at = datetime.strptime(day, "%Y%m%d").astimezone()
    except ValueError:
        at = datetime.now().astimezone()
    return f"{at - AROUND:%Y%m%d}", f"{at + AROUND:%Y%m%d}999999"


def _ranked(one: Entry, study: DicomJson) -> Candidate:
    accession, name = _text(study, "AccessionNumber"), name_key(_text(study, "PatientName"))
    modalities = study.get(tag_of("ModalitiesInStudy"), {}).get("Value", ())
    day = value(one.step, tag_of("ScheduledProcedureStepStartDate"))
    return Candidate(
        one,
        same_patient=bool(_text(study, "PatientID")) and is_same_patient(one.attributes, study),
        same_accession=bool(accession) and value(one.attributes, tag_of("AccessionNumber")) == accession,
        same_name=bool(name) and name_key(value(one.attributes, tag_of("PatientName"))) == name,
        same_modality=one.modality in modalities,
        same_day=bool(day) and day == _text(study, "StudyDate"),
    )


def _text(study: DicomJson, keyword: str) -> str:
    return text_of(study.get(tag_of(keyword))).strip()
