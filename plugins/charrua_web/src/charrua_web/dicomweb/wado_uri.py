"""WADO-URI (PS3.18 9): one object, named and asked for by query parameters alone. Their names may be in any letters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from charrua_core.errors import ImageInvalid, RenderingInvalid
from charrua_core.imaging.codecs.syntaxes import EXPLICIT_LITTLE_ENDIAN
from charrua_core.imaging.render.request import LARGEST_SIDE
from charrua_core.imaging.stored import stored_image
from charrua_core.types import is_valid_uid
from charrua_core.web import HttpError, Parameter, Request, Response, WebRoute, chosen_of
from charrua_web.choices import DICOMWEB
from charrua_web.dicomweb import wado_trail
from charrua_web.dicomweb.wado_forms import Wanted
from charrua_web.dicomweb.wado_instances import DICOM, single, with_forms
from charrua_web.dicomweb.wado_lookup import Lookup
from charrua_web.dicomweb.wado_paths import STATUSES
from charrua_web.dicomweb.wado_pictures import MOVING, STILL, Picture, show
from charrua_web.dicomweb.wado_selection import selected_below

PARAMETERS = {
    "requestType": "WADO",
    "studyUID": "Study Instance UID",
    "seriesUID": "Series Instance UID",
    "objectUID": "SOP Instance UID",
    "contentType": "Media types of the answer, the best first; application/dicom is the object itself",
    "charset": "Character sets of texts: UTF-8 must be among them",
    "transferSyntax": "Transfer syntax of the object itself, * for that in which it is stored",
    "frameNumber": "The frame that is shown, from 1",
    "rows": "Most rows of the picture",
    "columns": "Most columns of the picture",
    "region": "Part of the image: left, top, right and bottom edge, each from 0 to 1",
    "windowCenter": "Center of the window",
    "windowWidth": "Width of the window",
    "imageQuality": "Of lossy compression, 1 to 100",
    "annotation": "patient, technique, or both: what is written upon the picture",
    "presentationUID": "SOP Instance UID of the presentation state that it is shown under",
    "presentationSeriesUID": "Series Instance UID of the presentation state",
    "anonymize": "Not supported",
}
_UIDS = {"studyuid": "study", "seriesuid": "series", "objectuid": "instance"}
_IMAGES = ("rows", "columns", "region", "windowcenter", "windowwidth", "imagequality", "annotation", "framenumber")


async def retrieve(lookup: Lookup, request: Request) -> Response:
    """Give the object as PS3.10 file or as people see it.

    HttpError 400 for parameters that break a rule, 406 for what cannot be had of the object, 501 for `anonymize`.
    """
    asked = _asked(request)
    uids = {name: _uid(asked, key) for key, name in _UIDS.items()}
    accepts = asked.get("contenttype") or _of_header(request)
    record = await lookup.of(uids, request.identity)
    picture = Picture(request.app, record, {}, accepts)
    offer, _ = chosen_of(accepts, await _offers(picture))
    if offer.type == DICOM:
        return await _file(request, asked, uids)
    _refuse_charset(asked)
    wado_trail.accessed(request, [record.study_uid], 1)
    if asked.keys() & {"transfersyntax"}:
        raise HttpError(400, "transferSyntax is for the object itself: contentType=application/dicom")
    frames = _numbers(asked, "framenumber")
    shown = await _picture(lookup, request, picture, asked, uids)
    return await show(request, shown, frames)


def _asked(request: Request) -> dict[str, str]:
    """The parameters by their names in small letters, the first of each that has a value."""
    asked: dict[str, str] = {}
    for name, value in request.query:
        if value:
            asked.setdefault(name.lower(), value)
    if asked.get("requesttype", "").upper() != "WADO":
        raise HttpError(400, "requestType=WADO is missing")
    if "anonymize" in asked:
        raise HttpError(501, "this archive does not de-identify what it sends: ask without anonymize")
    return asked


def _uid(asked: Mapping[str, str], name: str) -> str:
    uid = asked.get(name, "")
    if not is_valid_uid(uid):
        named = next(one for one in PARAMETERS if one.lower() == name)
        raise HttpError(400, f"{named} is no UID" if uid else f"{named} is missing")
    return uid


def _of_header(request: Request) -> str:
    """The header Accept; nobody who asks for everything wants an object in a form that a browser does not show."""
    accept = request.headers.get("accept")
    return "" if "*/*" in accept and "image/" not in accept else accept


async def _offers(picture: Picture) -> Sequence[str]:
    """The media types of the object, the default first (PS3.18 9.4.1)."""
    if picture.documents:
        return (*picture.documents, DICOM)
    if picture.is_video:
        return (*STILL, "video/mp4", "video/mpeg", "video/mp2t", DICOM)
    try:
        await stored_image(picture.app, picture.record)
    except ImageInvalid:
        return (DICOM,)
    return (*STILL, *MOVING, DICOM)


async def _file(request: Request, asked: Mapping[str, str], uids: Mapping[str, str]) -> Response:
    if meant := [name for name in _IMAGES if name in asked]:
        raise HttpError(400, f"{', '.join(meant)}: these are for pictures, and the object itself is asked for")
    syntax = asked.get("transfersyntax", "")
    if syntax and syntax != "*" and not is_valid_uid(syntax):
        raise HttpError(400, "transferSyntax is no UID")
    wanted = Wanted([syntax]) if syntax else Wanted([EXPLICIT_LITTLE_ENDIAN], by_default=True)
    return await single(request, with_forms(request, await selected_below(request, uids), wanted), wanted)


def _refuse_charset(asked: Mapping[str, str]) -> None:
    named = [one.partition(";")[0].strip().lower() for one in asked.get("charset", "").split(",")]
    if named != [""] and not {"utf-8", "*"} & set(named):
        raise HttpError(406, "texts can be had in UTF-8")


async def _picture(
    lookup: Lookup, request: Request, picture: Picture, asked: Mapping[str, str], uids: Mapping[str, str]
) -> Picture:
    """The picture with what else was asked of it."""
    parameters: dict[str, str] = {}
    if picture.documents:
        return picture
    for name, given in (("quality", "imagequality"), ("annotation", "annotation")):
        if given in asked:
            parameters[name] = asked[given]
    if {"windowcenter", "windowwidth"} & asked.keys():
        if not {"windowcenter", "windowwidth"} <= asked.keys() or "presentationuid" in asked:
            raise HttpError(400, "windowCenter and windowWidth come together, and not under a presentation state")
        parameters["window"] = f"{asked['windowcenter']},{asked['windowwidth']}"
    if {"rows", "columns", "region"} & asked.keys():
        image = await stored_image(request.app, picture.record)
        parameters["viewport"] = _viewport(asked, image.pixel_format.columns, image.pixel_format.rows)
    state = None
    if {"presentationuid", "presentationseriesuid"} & asked.keys():
        named = {"series": _uid(asked, "presentationseriesuid"), "instance": _uid(asked, "presentationuid")}
        state = await lookup.of({"study": uids["study"], **named}, request.identity)
    return Picture(picture.app, picture.record, parameters, picture.accepts, state)


def _viewport(asked: Mapping[str, str], columns: int, rows: int) -> str:
    """The part and its size as `viewport` of PS3.18 8.3.5.1.3; of a size with one side the other follows."""
    left, top, right, bottom = _region(asked.get("region", "0,0,1,1"))
    part = (left * columns, top * rows, (right - left) * columns, (bottom - top) * rows)
    height, width = (*_numbers(asked, "rows"), 0)[0], (*_numbers(asked, "columns"), 0)[0]
    if not (width or height):
        width, height = max(1, round(part[2])), max(1, round(part[3]))
    size = f"{width or LARGEST_SIDE},{height or LARGEST_SIDE}"
    return f"{size},{','.join(format(one, '.6f') for one in part)}" if "region" in asked else size


def _region(text: str) -> tuple[float, float, float, float]:
    try:
        left, top, right, bottom = map(float, text.split(","))
    except ValueError:
        left, top, right, bottom = 1, 1, 0, 0
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise RenderingInvalid("region is left, top, right and bottom edge, each from 0 to 1")
    return left, top, right, bottom


def _numbers(asked: Mapping[str, str], name: str) -> list[int]:
    """The parameter's number, if it is there."""
    text = asked.get(name)
    if text is None:
        return []
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text)):
        raise HttpError(400, f"{name} is no number from 1")
    return [int(text)]


def routes(lookup: Lookup) -> Sequence[WebRoute]:
    """Give them."""
    return [
        WebRoute(
            "GET",
            "/wado",
            partial(retrieve, lookup),
            "retrieve",
            "Retrieve an object, itself or rendered",
            "WADO-URI",
            ("", DICOMWEB),
            query=[Parameter(name, said) for name, said in PARAMETERS.items()],
            produces=(*STILL, *MOVING, DICOM, "text/html", "application/pdf"),
            statuses={**STATUSES, 501: "De-identification is not supported"},
        ),
    ]
