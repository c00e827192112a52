"""A study: what it says, its series and images, its documents, and the other studies of its patient."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from charrua_core.archive.search import Found, Match, NoValue, OneOf, Query, search
from charrua_core.audit import Event
from charrua_core.errors import StudyNotFound
from charrua_core.imaging.documents import media_types
from charrua_core.types import DicomJson, Level
from charrua_core.web import Request, Response, json_response
from charrua_web.choices import DICOMWEB
from charrua_web.studies.asked import ISSUER, PATIENT_ID, STUDY_UID
from charrua_web.studies.rows import TOLD, about_patient, moment, person, row_of, text

SERIES_UID, SOP_UID, SOP_CLASS = "0020000E", "00080018", "00080016"
MOST_SERIES, MOST_PRIORS, MOST_DOCUMENTS = 1_000, 20, 100
IMAGES_SHOWN = 200
_SERIES_TOLD = frozenset(
    {SERIES_UID, "00200011", "0008103E", "00080060", "00180015", "00201209", "00080021", "00080031"}
)
_IMAGE_TOLD = frozenset({SERIES_UID, SOP_UID, SOP_CLASS, "00200013", "00280008", "00280010", "00280011"})
_DOCUMENT_TOLD = frozenset({SERIES_UID, SOP_UID, SOP_CLASS, "00420010", "0008103E", "00080023", "00080033", "0040A043"})
_DOCUMENT_MODALITIES = ("SR", "DOC", "ECG", "HD", "EPS", "RESP", "AU", "KO", "PLAN", "OT", "M3D")
_FACTS: tuple[tuple[str, Callable[[DicomJson], str]], ...] = (
    ("Patient ID", lambda study: " · ".join(part for part in (text(study, PATIENT_ID), text(study, ISSUER)) if part)),
    ("Accession", lambda study: text(study, "00080050")),
    ("Study ID", lambda study: text(study, "00200010")),
    ("Referring", lambda study: person(study, "00080090")),
    ("Institution", lambda study: text(study, "00080080")),
)


async def details(request: Request) -> Response:
    """Answer with all that the pane beside the list and the page of a study show."""
    told = await details_for(request, request.parameters["study"])
    return replace(json_response(told), headers=[("Cache-Control", "no-store")])


async def details_for(request: Request, uid: str) -> dict[str, Any]:
    """Give it. Raises StudyNotFound."""
    found = await the_study(request, uid)
    request.app.audit.later(
        Event.PATIENT_RECORD, "R", request.identity.name, request.origin, study_uids=[uid], form="study"
    )
    study = found.attributes
    return {
        "study": row_of(found),
        "patient": {"name": person(study, "00100010"), "about": about_patient(study)},
        "facts": [{"label": label, "text": said} for label, tell in _FACTS if (said := tell(study))],
        "series": [_series(one) for one in await _below(request, Level.SERIES, uid, _SERIES_TOLD, MOST_SERIES)],
        "documents": await _documents(request, uid),
        "priors": await _priors(request, found),
    }


async def the_study(request: Request, uid: str) -> Found:
    """Give the study. Raises StudyNotFound where there is none that the caller may see."""
    query = Query(Level.STUDY, keys={STUDY_UID: OneOf("UI", (uid,))}, return_keys=TOLD, limit=1, facts=True)
    async with aclosing(search(request.app, query, request.identity)) as matches:
        async for found in matches:
            return found
    raise StudyNotFound


async def images(request: Request) -> Response:
    """Answer with the images of a series, a page at a time."""
    study, series, after = request.parameters["study"], request.parameters["series"], request.query.first("after")
    keys: dict[str, Match] = {SERIES_UID: OneOf("UI", (series,))}
    found = await _below(request, Level.IMAGE, study, _IMAGE_TOLD, IMAGES_SHOWN + 1, keys, after)
    if not found and not after:
        raise StudyNotFound
    told = {"images": [_image(one) for one in found[:IMAGES_SHOWN]], "more": len(found) > IMAGES_SHOWN}
    return replace(json_response(told), headers=[("Cache-Control", "no-store")])


async def _below(
    request: Request,
    level: Level,
    study: str,
    told: frozenset[str],
    limit: int,
    keys: dict[str, Match] | None = None,
    after: str = "",
) -> list[Found]:
    keys = {STUDY_UID: OneOf("UI", (study,)), **(keys or {})}
    query = Query(level, keys=keys, return_keys=told, relational=True, by_number=True, limit=limit, after=after)
    async with aclosing(search(request.app, query, request.identity)) as matches:
        return [found async for found in matches]


def _series(found: Found) -> dict[str, Any]:
    series = found.attributes
    return {
        "uid": text(series, SERIES_UID),
        "number": text(series, "00200011"),
        "description": text(series, "0008103E"),
        "modality": text(series, "00080060"),
        "body_part": text(series, "00180015"),
        "images": int(text(series, "00201209") or 0),
        "at": moment(series, "00080021", "00080031"),
    }


def _image(found: Found) -> dict[str, Any]:
    image = found.attributes
    return {
        "uid": text(image, SOP_UID),
        "number": text(image, "00200013"),
        "frames": int(text(image, "00280008") or 1),
        "size": "×".join(part for part in (text(image, "00280011"), text(image, "00280010")) if part),
        "document": media_types(text(image, SOP_CLASS))[:1],
    }


async def _documents(request: Request, study: str) -> list[dict[str, Any]]:
    """Give what is read rather than looked at: reports, letters, electrocardiograms."""
    keys: dict[str, Match] = {"00080060": OneOf("CS", _DOCUMENT_MODALITIES)}
    found = await _below(request, Level.IMAGE, study, _DOCUMENT_TOLD, MOST_DOCUMENTS, keys)
    return [_document(study, one) for one in found if media_types(text(one.attributes, SOP_CLASS))]


def _document(study: str, found: Found) -> dict[str, Any]:
    document = found.attributes
    series, uid = text(document, SERIES_UID), text(document, SOP_UID)
    concept: DicomJson = next(iter(document.get("0040A043", {}).get("Value", ())), {})
    title = text(document, "00420010") or text(concept, "00080104") or text(document, "0008103E")
    return {
        "uid": uid,
        "title": title,
        "at": moment(document, "00080023", "00080033"),
        "href": f"{DICOMWEB}/studies/{study}/series/{series}/instances/{uid}/rendered",
    }


async def _priors(request: Request, found: Found) -> list[dict[str, Any]]:
    """Give the other studies of the same patient of the same issuer."""
    patient, issuer = text(found.attributes, PATIENT_ID), text(found.attributes, ISSUER)
    if not patient:
        return []
    keys: dict[str, Match] = {PATIENT_ID: OneOf("LO", (patient.replace("*", "?"),))}
    keys[ISSUER] = OneOf("LO", (issuer,)) if issuer else NoValue("LO")
    query = Query(Level.STUDY, keys=keys, return_keys=TOLD, limit=MOST_PRIORS + 1, facts=True)
    async with aclosing(search(request.app, query, request.identity)) as matches:
        rows = [row_of(one) async for one in matches]
    return [row for row in rows if row["uid"] != text(found.attributes, STUDY_UID)][:MOST_PRIORS]
