"""WADO-RS of bulk data (PS3.18 10.4.1.1.5): one value of an object by its path, or all of an object, a series, a study."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Sequence
from functools import partial

from charrua_core.archive.datasets.bulk import BulkData
from charrua_core.archive.outgoing import open_bulk_data
from charrua_core.archive.search import InstanceRecord
from charrua_core.errors import BulkDataNotFound
from charrua_core.imaging.stored import stored_image, stored_object
from charrua_core.imaging.transcode import VIDEO
from charrua_core.web import Part, Request, Response, WebRoute, choose, multipart_response, multipart_whole, said_of
from charrua_web.dicomweb import wado_trail
from charrua_web.dicomweb.ranges import ranged
from charrua_web.dicomweb.wado_frame_forms import MEDIA, OCTETS
from charrua_web.dicomweb.wado_frames import answer_frames
from charrua_web.dicomweb.wado_lookup import Lookup
from charrua_web.dicomweb.wado_metadata import metadata, url_of_instance
from charrua_web.dicomweb.wado_paths import ACCEPT, BASES, INSTANCE, OBJECTS, STATUSES, TAG
from charrua_web.dicomweb.wado_pictures import Picture, etag_of, show_video
from charrua_web.dicomweb.wado_selection import selected

MULTIPART = f'multipart/related; type="{OCTETS}"'
PIXELS = frozenset({"7FE00010", "7FE00008", "7FE00009"})
_URI = re.compile(rb'"BulkDataURI":"[^"]*/bulkdata/([0-9A-F/]+)"')


async def value(lookup: Lookup, request: Request) -> Response:
    """Give one value: alone with ranges, or as the one part of a multipart.

    Encapsulated pixels are given frame by frame, as all frames of the object; a video as the stream that it is.
    """
    path = request.parameters["path"]
    record = await lookup.record(request)
    found = await open_bulk_data(request.app, record, path)
    wado_trail.transferred(request, [record.study_uid], 1)
    if found.encapsulated and path in PIXELS:
        return await _pixels(request, record)
    offer, _ = choose(request, (OCTETS, MULTIPART))
    if offer.part:
        return multipart_whole([_part(request, record, path, found)], OCTETS)
    tag = etag_of(await stored_object(request.app, record), Picture(request.app, record, {}, ""), path)
    return ranged(request, found.segments, OCTETS, tag, [("Cache-Control", "private, no-cache")])


async def _pixels(request: Request, record: InstanceRecord) -> Response:
    if record.transfer_syntax_uid in VIDEO:
        return await show_video(request, Picture(request.app, record, {}, said_of(request)))
    image = await stored_image(request.app, record)
    return await answer_frames(request, image, range(1, image.number_of_frames + 1))


def _part(request: Request, record: InstanceRecord, path: str, found: BulkData) -> Part:
    location = f"{url_of_instance(request, record)}/bulkdata/{path}"
    return Part(OCTETS, found.segments, {"Content-Location": location})


async def several(request: Request) -> Response:
    """Give all values that the metadata of the objects leave out, each a part with its place (Content-Location).

    Encapsulated pixels are among them as they lie in the data set, items with their heads.
    """
    choose(request, (MULTIPART,))
    chosen = await selected(request)

    async def parts() -> AsyncGenerator[Part, None]:
        sent = 0
        async for record, json in metadata(request, chosen.ids):
            for path in _URI.findall(json):
                name = path.decode()
                yield _part(request, record, name, await open_bulk_data(request.app, record, name))
                sent += 1
        if not sent:
            raise BulkDataNotFound
        wado_trail.transferred(request, chosen.study_uids, chosen.total)

    return multipart_response(parts(), OCTETS)


def routes(lookup: Lookup) -> Sequence[WebRoute]:
    """Give them."""
    of_frames = tuple(f'multipart/related; type="{media}"' for media in MEDIA)
    one = WebRoute(
        "GET",
        f"{INSTANCE}/bulkdata/{{path...}}",
        partial(value, lookup),
        "retrieve",
        "Retrieve one value of an instance",
        TAG,
        BASES,
        query=(ACCEPT,),
        produces=(OCTETS, MULTIPART, *of_frames[1:]),
        statuses={**STATUSES, 416: "The range is outside of the value"},
        description="The path is a tag, or leads to one through sequences and items: `54000100/0/54001010`.",
    )
    below = [
        WebRoute(
            "GET",
            f"{path}/bulkdata",
            several,
            "retrieve",
            f"Retrieve all bulk data of {what}",
            TAG,
            BASES,
            query=(ACCEPT,),
            produces=(MULTIPART,),
            statuses=STATUSES,
        )
        for path, what in OBJECTS.items()
    ]
    return [one, *below]
