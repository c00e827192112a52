"""The studies of links, as somebody may see them: found by the one search of the archive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from charrua_core.archive.datasets.indexed import fact
from charrua_core.archive.search import OneOf, Query, search
from charrua_core.types import DicomJson, Identity, Level

if TYPE_CHECKING:
    from charrua_core.app import App

STUDY_UID, PATIENT_ID, PATIENT_NAME, BIRTH_DATE = "0020000D", "00100020", "00100010", "00100030"
ACCESSION_NUMBER, STUDY_DATE, STUDY_DESCRIPTION, MODALITIES = "00080050", "00080020", "00081030", "00080061"
TOLD = (STUDY_UID, PATIENT_ID, PATIENT_NAME, BIRTH_DATE, ACCESSION_NUMBER, STUDY_DATE, STUDY_DESCRIPTION, MODALITIES)
_UIDS_AT_ONCE = 200


async def studies_of(app: App, identity: Identity, uids: Sequence[str]) -> dict[str, DicomJson]:
    """Give those of the studies that the identity may see, by UID, with what TOLD names."""
    found = {}
    for start in range(0, len(uids), _UIDS_AT_ONCE):
        asked = OneOf("UI", tuple(uids[start : start + _UIDS_AT_ONCE]))
        found.update(await find(app, identity, {STUDY_UID: asked}))
    return found


async def studies_with(app: App, identity: Identity, accession_number: str) -> dict[str, DicomJson]:
    """Give the studies that have exactly this Accession Number, as far as the identity may see them."""
    if not is_plain(accession_number):
        return {}
    found = await find(app, identity, {ACCESSION_NUMBER: OneOf("SH", (accession_number,))}, _UIDS_AT_ONCE)
    return {uid: one for uid, one in found.items() if text(one, ACCESSION_NUMBER) == accession_number}


async def find(app: App, identity: Identity, keys: Mapping[str, OneOf], limit: int = 0) -> dict[str, DicomJson]:
    """Give the studies that match, by UID, with what TOLD names."""
    query = Query(Level.STUDY, keys=keys, return_keys=frozenset(TOLD), limit=limit)
    return {text(one.attributes, STUDY_UID): one.attributes async for one in search(app, query, identity)}


def text(attributes: DicomJson, tag: str) -> str:
    """Give an attribute as text, "" where there is none."""
    return fact((attributes.get(tag) or {}).get("Value", []))


def is_plain(value: str) -> bool:
    """Whether a text can be looked for as it is: no wildcard and no separator of values, which match more than themselves."""
    return 0 < len(value) <= 64 and value.isprintable() and not set(value) & set("*?\\")
