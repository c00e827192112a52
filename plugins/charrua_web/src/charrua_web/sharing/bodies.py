"""What the calls of sharing are told, and how links are answered."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from charrua_core.shares import Share, Wish
from charrua_core.shares.studies import (
    ACCESSION_NUMBER,
    MODALITIES,
    PATIENT_ID,
    PATIENT_NAME,
    STUDY_DATE,
    STUDY_DESCRIPTION,
    STUDY_UID,
    text,
)
from charrua_core.types import DicomJson
from charrua_core.web import HttpError, Request, object_of

MOST_BYTES = 20_000
_FIELDS: dict[str, tuple[type, ...]] = {
    "studies": (list,),
    "validity": (str, type(None)),
    "dicom": (bool, type(None)),
    "uses": (int, type(None)),
    "asks_birth_date": (bool,),
    "label": (str,),
}
_TOLD = {
    "study_uid": STUDY_UID,
    "patient_name": PATIENT_NAME,
    "patient_id": PATIENT_ID,
    "accession_number": ACCESSION_NUMBER,
    "date": STUDY_DATE,
    "description": STUDY_DESCRIPTION,
    "modalities": MODALITIES,
}


async def wish_of(request: Request) -> Wish:
    """Read the wish for a link. HttpError 400 names the field that will not do."""
    given = await object_of(request, MOST_BYTES)
    for name, value in given.items():
        if name not in _FIELDS:
            raise HttpError(400, f"{name[:40]!r} is none of {', '.join(_FIELDS)}")
        if type(value) not in _FIELDS[name]:
            raise HttpError(400, f"{name}: {_said(_FIELDS[name])} is expected")
    studies = given.get("studies", [])
    if not all(isinstance(uid, str) for uid in studies):
        raise HttpError(400, "studies: a list of Study Instance UIDs is expected")
    return Wish(study_uids=studies, **{name: value for name, value in given.items() if name != "studies"})


async def texts_of(request: Request, *names: str) -> list[str]:
    """Read a JSON object of these texts, one that is not there as "". HttpError 400 where it has others."""
    given = await object_of(request, MOST_BYTES)
    if given.keys() - set(names) or not all(isinstance(one, str) for one in given.values()):
        raise HttpError(400, f"the body is a JSON object of the texts {' and '.join(names)}")
    return [given.get(name, "") for name in names]


def as_json(share: Share) -> dict[str, Any]:
    """Give a link as it is answered, without the token, which nobody has any more."""
    return {
        "id": share.id,
        "studies": [study_as_json(one) for one in share.studies],
        "made_by": share.made_by,
        "label": share.label,
        "dicom": share.dicom,
        "asks_birth_date": share.asks_birth_date,
        "uses_allowed": share.uses_allowed,
        "uses": share.uses,
        "made_at": share.made_at.isoformat(),
        "expires_at": moment(share.expires_at),
        "used_at": moment(share.used_at),
        "state": share.state,
    }


def study_as_json(study: DicomJson) -> dict[str, str]:
    """Give what tells a study from others."""
    return {name: text(study, tag) for name, tag in _TOLD.items()}


def moment(value: datetime | None) -> str | None:
    """Give a moment as JSON has it."""
    return value.isoformat() if value else None


def _said(types: tuple[type, ...]) -> str:
    names = {list: "a list", str: "a text", bool: "true or false", int: "a whole number", type(None): "null"}
    return " or ".join(names[one] for one in types)
