"""Which patient is meant: a Patient ID and who issued it.

Messages name the issuer (PID-3.4, assigning authority); studies and entries often do not. The rule: two of the same ID are
the same patient where their issuers are the same, or where one has none, unless two issuers are known here for this ID; then
one without issuer is nobody else's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Table, literal, select, tuple_, union
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core.archive.index.levels import ISSUER_OF_PATIENT_ID, PATIENT_ID
from charrua_core.tables import study
from charrua_core.types import DicomJson
from charrua_hl7.tables import entry, patient_change
from charrua_hl7.worklist.entries import value

REMEMBERED = (
    patient_change.c.kind == "merge",
    patient_change.c.undone_at.is_(None),
    patient_change.c.ended_by.is_(None),
)
"""Merges in force."""


class Who(NamedTuple):
    """A patient, as a message, an entry or a study names them."""

    patient_id: str
    issuer: str = ""

    @classmethod
    def of(cls, attributes: Mapping[str, Any]) -> Who:
        """Give the patient that a data set names."""
        return cls(value(attributes, PATIENT_ID), value(attributes, ISSUER_OF_PATIENT_ID))

    def is_like(self, other: Who) -> bool:
        """Whether both have one ID, and no two issuers."""
        return self.patient_id == other.patient_id and (
            self.issuer == other.issuer or not (self.issuer and other.issuer)
        )

    def as_attributes(self) -> DicomJson:
        """Give the attributes that name the patient, those without value included."""
        named = {PATIENT_ID: self.patient_id, ISSUER_OF_PATIENT_ID: self.issuer}
        return {tag: {"vr": "LO", **({"Value": [text]} if text else {})} for tag, text in named.items()}

    def kept_in(self, table: Table, issuers: Iterable[str]) -> ColumnElement[bool]:
        """Give the condition on rows of entries or studies that are of this patient, under one of these issuers."""
        return tuple_(table.c.patient_id, table.c.issuer).in_([(self.patient_id, issuer) for issuer in issuers])


async def issuers_of(tx: AsyncConnection, who: Who, *others: Who) -> list[str]:
    """Give the issuers, "" among them, under which this patient is kept here; `others` are known to be somebody else."""
    merge = patient_change.c
    found = union(
        select(study.c.issuer).where(study.c.patient_id == who.patient_id, study.c.deleted_by.is_(None)),
        select(entry.c.issuer).where(entry.c.patient_id == who.patient_id),
        select(merge.former_issuer).where(merge.former_id == who.patient_id, *REMEMBERED),
        select(literal(who.issuer)),
    )
    known = {str(issuer) for issuer in await tx.scalars(found) if issuer}
    known |= {other.issuer for other in others if other.patient_id == who.patient_id and other.issuer}
    return ["", *known] if len(known) <= 1 else [who.issuer]
