"""STOW-RS (PS3.18 10.5): every object of a request goes to disk as it arrives, and is in the index before the answer."""

from __future__ import annotations

from collections.abc import AsyncIterator

from charrua_core import faults
from charrua_core.archive.datasets.xmlmodel import to_xml
from charrua_core.settings import Setting
from charrua_core.types import DicomJson
from charrua_core.web import (
    HttpError,
    MediaType,
    Request,
    Response,
    WebRoute,
    choose,
    json_response,
    media_type,
)
from charrua_core.web.datasets import DICOM_JSON, DICOM_XML
from charrua_web.choices import DICOMWEB
from charrua_web.dicomweb.incoming import IncomingPart, MultipartReader, PartCutOff
from charrua_web.dicomweb.intake import Intake
from charrua_web.dicomweb.stow_answer import REASONS, answer_of, status_of
from charrua_web.dicomweb.stow_metadata import METADATA, MetadataIntake

STOW = "/stow-rs"
DICOM = "application/dicom"
TAKEN = (DICOM, *METADATA)
CONSUMES = (*(f'multipart/related; type="{one}"' for one in TAKEN), *TAKEN)
PRODUCES = (DICOM_JSON, DICOM_XML, "application/json")

SETTINGS = (
    Setting(
        "stow_most_objects",
        int,
        10_000,
        minimum=1,
        maximum=1_000_000,
        unit="objects",
        help="Objects, or parts of bulk data, that one request of STOW-RS may bring; objects that came before are kept when "
        "there are more (413).",
        since="0.1",
        effect="now",
    ),
    Setting(
        "stow_most_bytes",
        int,
        1 << 36,
        minimum=1 << 20,
        maximum=1 << 50,
        unit="bytes",
        help="Bytes that one request of STOW-RS may have; the objects that came whole are kept when there are more (413).",
        since="0.1",
        effect="now",
    ),
)


async def store(request: Request) -> Response:
    """Store the objects of the request, of any study or of the one in its path.

    200 all are stored, 202 some are or were coerced, 400 there is no object, 409 none could be stored; 415, 413, 503, 507.
    """
    wanted, _ = choose(request, PRODUCES)
    given = _content_type(request)
    intake = Intake(request.app, request.identity.name, request.origin, request.parameters.get("study", ""))
    end = "broken off"
    try:
        await _take(intake, given, _limited(request), request.app.settings["stow_most_objects"])
        end = "answered"
    finally:
        await intake.finish(end=end)
    if not intake.outcomes:
        raise HttpError(400, "the request brings no object")
    faults.passing("before_reply")
    base = request.base.removesuffix(STOW) + DICOMWEB if request.base.endswith(STOW) else request.base
    return _answer(answer_of(intake.outcomes, base), status_of(intake.outcomes), wanted.type)


def _answer(told: DicomJson, status: int, form: str) -> Response:
    return Response(status, to_xml(told), form) if form == DICOM_XML else json_response(told, status, form)


def _content_type(request: Request) -> MediaType:
    """What the body is. HttpError 415 names what is taken, where it is something else or is compressed."""
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise HttpError(415, "bodies are taken without Content-Encoding", {"Accept-Encoding": "identity"})
    given = media_type(request.headers.get("content-type") or "application/octet-stream")
    takes = given.type in TAKEN or (given.type == "multipart/related" and given.part in ("", *TAKEN))
    if not takes:
        raise HttpError(415, f"objects are taken as {' or '.join(CONSUMES)}", {"Accept": ", ".join(CONSUMES)})
    return given


async def _take(intake: Intake, given: MediaType, body: AsyncIterator[bytes], most: int) -> None:
    """Take all objects of the body, `most` at most. HttpError where it is none; an object that is cut off is an outcome."""
    if given.type == DICOM:
        await intake.take(_viewed(body))
        return
    metadata = MetadataIntake(intake, most)
    try:
        if given.type in METADATA:
            await metadata.take(IncomingPart({}, _viewed(body)), given)
        else:
            await _take_parts(intake, metadata, given, body, most)
        await metadata.store()
    except PartCutOff as cut:
        if not intake.outcomes:
            raise
        intake.failed(cut)
    finally:
        metadata.close()


async def _take_parts(
    intake: Intake, metadata: MetadataIntake, given: MediaType, body: AsyncIterator[bytes], most: int
) -> None:
    """Take Part 10 files, or, where the first part is metadata or its type is the body's, metadata and bulk data."""
    root, number = given.part, 0
    async for part in MultipartReader(body, given.parameters.get("boundary", "")).parts():
        number += 1
        if number > most:
            raise HttpError(413, f"a request may bring {most} parts at most")
        kind = media_type(part.content_type or root or DICOM)
        root = root or kind.type
        if root in METADATA:
            await metadata.take(part, kind)
        else:
            await intake.take(part.pieces)


async def _viewed(body: AsyncIterator[bytes]) -> AsyncIterator[memoryview]:
    async for piece in body:
        yield memoryview(piece)


async def _limited(request: Request) -> AsyncIterator[bytes]:
    """The body's pieces. HttpError 413 where it is longer than a request may be."""
    left: int = request.app.settings["stow_most_bytes"]
    too_long = HttpError(413, f"a request may have {left} bytes at most")
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > left:
        raise too_long
    async for piece in request.stream():
        left -= len(piece)
        if left < 0:
            raise too_long
        yield piece


_STATUSES = {
    200: "All objects are stored",
    202: "Some are stored, or with changes; the answer names the others and why they are not",
    400: "There is no DICOM object in the request",
    409: "None could be stored; the answer says why",
    413: "The request is larger than this archive takes; the objects that came whole before are stored",
    415: "The body is of another media type, or compressed",
    503: "The database cannot be reached",
    507: "There is no room",
}


_DESCRIPTION = "Failure Reason (0008,1197) of an object: " + "; ".join(
    f"`{reason:04X}` {meaning}" for reason, meaning in REASONS.items()
)


def _route(path: str, summary: str) -> WebRoute:
    return WebRoute(
        "POST",
        path,
        store,
        "store",
        summary,
        tag="STOW-RS",
        bases=(DICOMWEB, STOW),
        consumes=CONSUMES,
        produces=PRODUCES,
        statuses=_STATUSES,
        description=f"{_DESCRIPTION}.",
    )


ROUTES = (
    _route("/studies", "Store objects of any studies"),
    _route("/studies/{study}", "Store objects of one study; those of others are refused"),
)
