"""What is known here of a patient, and of their studies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core.tables import study
from charrua_core.types import DicomJson
from charrua_hl7.patients import rows
from charrua_hl7.patients.on_entries import alike, patient_in
from charrua_hl7.patients.said import BIRTH_DATE, KEYS, NAME, SEX, only_values
from charrua_hl7.patients.who import Who
from charrua_hl7.tables import entry

ALWAYS = frozenset({NAME, BIRTH_DATE, SEX})
"""What every study is given; of the rest what it says already (PS3.3 C.7.1.1, types 2 and 3)."""


@dataclass(frozen=True, slots=True)
class Study:
    """One study of a patient."""

    uid: str
    who: Who
    attributes: DicomJson


async def studies_of(tx: AsyncConnection, who: Who, issuers: Sequence[str]) -> list[Study]:
    """Give the studies of a patient that are shown, the newest first."""
    columns = (study.c.study_uid, study.c.patient_id, study.c.issuer, study.c.attributes)
    statement = select(*columns).where(who.kept_in(study, issuers), study.c.deleted_by.is_(None))
    found = await tx.execute(statement.order_by(study.c.first_received_at.desc()))
    return [Study(row.study_uid, Who(row.patient_id, row.issuer), row.attributes) for row in found]


async def known_of(tx: AsyncConnection, who: Who, issuers: Sequence[str]) -> DicomJson:
    """Give what is known of a patient: by their newest study, the last message on them, their newest entry, in that order."""
    studies = await studies_of(tx, who, issuers)
    last = await rows.last_of(tx, who)
    statement = select(entry.c.attributes).where(who.kept_in(entry, issuers))
    newest = await tx.scalar(statement.order_by(entry.c.changed_at.desc(), entry.c.id.desc()).limit(1))
    said: list[Mapping[str, Any]] = [studies[0].attributes] if studies else []
    said += [last.after] if last else []
    said += [newest] if newest else []
    known: DicomJson = {}
    for one in said:
        known |= only_values(patient_in(one))
    return {tag: element for tag, element in known.items() if tag not in KEYS}


def for_studies(said: Mapping[str, Mapping[str, Any]], studies: Sequence[Study]) -> dict[str, dict[str, Any] | None]:
    """Give what studies of one patient are to be given of what is said of them: where one of them says something else."""
    given: dict[str, dict[str, Any] | None] = {}
    for tag, element in patient_in(said).items():
        has = [one.attributes.get(tag) for one in studies]
        wanted = tag in ALWAYS or any(one is not None and one.get("Value") for one in has)
        if tag not in KEYS and wanted and not all(alike(one, element) for one in has):
            given[tag] = element if element.get("Value") or tag in ALWAYS else None
    return given
