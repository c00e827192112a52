"""WADO-RS of metadata (PS3.18 10.4.1.1.2): what the index keeps of each object, edits applied. No file is opened."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import AsyncGenerator
from contextlib import aclosing

from charrua_core.archive.outgoing import Opener
from charrua_core.archive.search import InstanceRecord, headers, listing
from charrua_core.errors import StudyNotFound
from charrua_core.web import Request, Response, WebRoute, form_of
from charrua_core.web.datasets import DATASETS
from charrua_web.dicomweb import wado_trail
from charrua_web.dicomweb.ranges import not_modified
from charrua_web.dicomweb.wado_paths import ACCEPT, BASES, OBJECTS, STATUSES, TAG
from charrua_web.dicomweb.wado_selection import BATCH, query_below


async def retrieve(request: Request) -> Response:
    """Give the metadata of the objects, with an ETag that every change of them changes."""
    form = form_of(request)
    found = await listing(request.app, query_below(request.parameters), request.identity)
    if not found.ids:
        raise StudyNotFound
    told = f"{found.state} {request.base} {form.media_type}".encode()
    tag = f'W/"{hashlib.blake2b(told, digest_size=12).hexdigest()}"'
    fields = [("ETag", tag), ("Cache-Control", "private, no-cache"), ("Vary", "Accept, Authorization")]
    if not_modified(request, tag):
        return Response(304, headers=fields)
    wado_trail.accessed(request, [request.parameters["study"]], len(found.ids))

    async def datasets() -> AsyncGenerator[bytes, None]:
        async with aclosing(metadata(request, found.ids)) as several:
            async for _, json in several:
                yield json

    return form.response(datasets(), fields)


async def metadata(request: Request, ids: array[int]) -> AsyncGenerator[tuple[InstanceRecord, bytes], None]:
    """Give each object with its DICOM JSON; those removed meanwhile are not among them."""
    app, opener = request.app, Opener(request.app)
    for start in range(0, len(ids), BATCH):
        batch = ids[start : start + BATCH]
        described = await headers(app, batch)
        for one in (described[instance_id] for instance_id in batch if instance_id in described):
            yield one.record, await opener.metadata(one, f"{url_of_instance(request, one.record)}/bulkdata")


def url_of_instance(request: Request, record: InstanceRecord) -> str:
    """Give the URL of an object."""
    series = f"{request.base}/studies/{record.study_uid}/series/{record.series_uid}"
    return f"{series}/instances/{record.sop_instance_uid}"


ROUTES = tuple(
    WebRoute(
        "GET",
        f"{path}/metadata",
        retrieve,
        "view",
        f"Retrieve the metadata of {what}",
        TAG,
        BASES,
        query=(ACCEPT,),
        produces=DATASETS,
        statuses={**STATUSES, 304: "It is what the client has (If-None-Match)"},
    )
    for path, what in OBJECTS.items()
)
