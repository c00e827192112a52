"""The relevant priors of a study: the patient's earlier studies that have something in common with it, newest first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from charrua_core.archive.datasets.indexed import fact
from charrua_core.archive.search import Between, Match, OneOf, Query, search
from charrua_core.types import SYSTEM, DicomJson, Level
from charrua_routing.rule import Priors

if TYPE_CHECKING:
    from charrua_core.app import App

LOOKED_AT = 100
"""Earlier studies of a patient that are looked at."""

_PATIENT_ID, _ISSUER, _STUDY_DATE, _STUDY_UID = "00100020", "00100021", "00080020", "0020000D"
_COMMON = {"modality": "00080060", "body part": "00180015"}


async def of_study(app: App, study_uid: str, wanted: Priors) -> list[str]:
    """Give the UIDs of the priors; none for a patient without ID or a study without date, which have no certain past."""
    if not wanted.count:
        return []
    own = await _series(app, study_uid)
    about = own[0] if own else {}
    patient_id, issuer, date = (_value(about, tag) for tag in (_PATIENT_ID, _ISSUER, _STUDY_DATE))
    if not patient_id or not date:
        return []
    keys: dict[str, Match] = {_PATIENT_ID: OneOf("LO", (patient_id,)), _STUDY_DATE: Between("DA", "", date)}
    query = Query(Level.STUDY, keys=keys, limit=LOOKED_AT)
    earlier = [
        _value(found.attributes, _STUDY_UID)
        async for found in search(app, query, SYSTEM)
        # Wildcards in an ID would find other patients.
        if (_value(found.attributes, _PATIENT_ID), _value(found.attributes, _ISSUER)) == (patient_id, issuer)
    ]
    return await _alike(app, [uid for uid in earlier if uid != study_uid], own, wanted)


async def _alike(app: App, studies: Iterable[str], own: list[DicomJson], wanted: Priors) -> list[str]:
    found: list[str] = []
    for uid in studies:
        if len(found) == wanted.count:
            break
        if not wanted.same or _in_common(await _series(app, uid), own, wanted):
            found.append(uid)
    return found


def _in_common(series: list[DicomJson], own: list[DicomJson], wanted: Priors) -> bool:
    return all(
        {_value(one, _COMMON[name]).upper() for one in series}
        & {_value(one, _COMMON[name]).upper() for one in own} - {""}
        for name in wanted.same
    )


async def _series(app: App, study_uid: str) -> list[DicomJson]:
    query = Query(Level.SERIES, keys={_STUDY_UID: OneOf("UI", (study_uid,))})
    return [dict(found.attributes) async for found in search(app, query, SYSTEM)]


def _value(attributes: DicomJson, tag: str) -> str:
    return fact((attributes.get(tag) or {}).get("Value", []))
