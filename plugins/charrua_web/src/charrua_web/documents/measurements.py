"""Measurements over HTTP: saved as a structured report in the study, and given back of all reports that have some."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from charrua_core.errors import NotPermitted
from charrua_core.web import HttpError, Request, Response, WebRoute, json_response
from charrua_web.dicomweb import wado_trail
from charrua_web.documents import readback
from charrua_web.documents.document import author_now
from charrua_web.documents.images import Image, images, records_of, sees
from charrua_web.documents.measurement import Measurement, Saved, read_saved
from charrua_web.documents.report import measurement_report
from charrua_web.documents.reports import Document, documents
from charrua_web.documents.storing import store

PATH = "/studies/{study}/measurements"
TAG = "Measurements and key images"
SR_CLASSES = tuple(f"1.2.840.10008.5.1.4.1.1.88.{number}" for number in (22, 33, 34))
"""Enhanced, Comprehensive and Comprehensive 3D SR: those that can hold drawings."""
MOST_BODY = 4 << 20


async def show(request: Request) -> Response:
    """Give the measurements of the study's reports that are on images which the caller may see."""
    found = await documents(request, SR_CLASSES)
    drawn = [(one, readback.groups(one.report)) for one in found]
    named = {reference.sop_instance_uid for _, groups in drawn for _, _, reference in groups}
    seen = await images(request, await records_of(request, sorted(named)))
    wado_trail.accessed(request, [request.parameters["study"]], len(found))
    told: dict[str, dict[str, Any]] = {}
    for one in found:
        for measurement in readback.measurements(one.report, seen):
            told.setdefault(measurement.uid, _plain(measurement, one, request.identity.name, seen))
    return json_response(
        {"measurements": list(told.values()), "documents": [_told(one, request) for one, _ in drawn if _]}
    )


def _plain(measurement: Measurement, document: Document, login: str, seen: dict[str, Image]) -> dict[str, Any]:
    """A measurement with where it is and where it is told; the newest report tells how it is now."""
    return measurement.plain() | {
        "series": seen[measurement.instance].record.series_uid,
        "document": document.uid,
        "mine": document.is_by(login),
    }


def _told(document: Document, request: Request) -> dict[str, Any]:
    return {
        "document": document.uid,
        "title": document.report.title,
        "authors": list(document.report.authors),
        "at": document.report.content_at,
        "mine": document.is_by(request.identity.name),
    }


async def save(request: Request) -> Response:
    """Store measurements as one report of the caller's, which takes the place of earlier ones of the same author."""
    asked = read_saved(await request.body(MOST_BODY))
    replaced = await _replaced(request, asked)
    on = await images(request, _named(asked, replaced))
    _check(asked, on)
    author = author_now(request.identity.name, on.values())
    document = measurement_report(asked.measurements, on, author, [one.header for one in replaced])
    stored = await store(request, document)
    told = {
        "document": stored.sop_instance_uid,
        "series": stored.series_uid,
        "measurements": len(asked.measurements),
        "visible": await sees(request, request.identity, stored.sop_instance_uid),
    }
    return json_response(told, 201)


async def _replaced(request: Request, asked: Saved) -> Sequence[Document]:
    """The documents to be replaced. HttpError 404 for one that is not in force, NotPermitted for another author's."""
    if not asked.replaces:
        return ()
    known = {one.uid: one for one in await documents(request, SR_CLASSES)}
    if not known.keys() >= set(asked.replaces):
        raise HttpError(404, "a report that these measurements replace is not there any more; reload the study")
    replaced = [known[uid] for uid in asked.replaces]
    if not all(one.is_by(request.identity.name) for one in replaced):
        raise NotPermitted("a report is replaced by its author alone")
    return replaced


def _named(asked: Saved, replaced: Sequence[Document]) -> set[str]:
    """The images of the measurements; where there are none left, those of the replaced reports."""
    named = {one.instance for one in asked.measurements}
    return named or {one.sop_instance_uid for document in replaced for one in document.report.evidence}


def _check(asked: Saved, on: dict[str, Image]) -> None:
    """HttpError 400 for a measurement that is on no frame of an image."""
    for number, one in enumerate(asked.measurements, 1):
        image = on[one.instance]
        if not all(image.size):
            raise HttpError(400, f"measurement {number} is on an object that is no image")
        if one.frame > image.frames:
            raise HttpError(400, f"measurement {number} is on frame {one.frame} of an image of {image.frames}")


STATUSES = {
    400: "The request cannot be read",
    404: "There is no such study or image, or none that the caller may see",
    413: "There is more in it than one report takes",
    507: "There is no room",
}
ROUTES = (
    WebRoute(
        "GET",
        PATH,
        show,
        "view",
        "The measurements in a study",
        TAG,
        statuses={200: "Those on images that the caller may see", 404: STATUSES[404]},
        description="Of structured reports by template 1500 (PS3.16), also those of other programs, as far as the viewer has "
        "a tool for their shape. Points are column and row from the upper left corner of the frame.",
    ),
    WebRoute(
        "POST",
        PATH,
        save,
        "store",
        "Save measurements as a structured report",
        TAG,
        consumes=("application/json",),
        statuses={201: "They are stored", 403: "A report that is to be replaced is another's", **STATUSES},
        description="A Comprehensive SR by template 1500 in a series of its own. `replaces` names earlier reports of the "
        "caller that the new one takes the place of.",
    ),
)
