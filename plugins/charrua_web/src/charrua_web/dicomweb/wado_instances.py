"""WADO-RS of whole objects: a study, a series, an instance (PS3.18 10.4.1.1.1)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from charrua_core.archive.datasets.part10 import file_meta
from charrua_core.archive.outgoing import Opener, Outgoing
from charrua_core.errors import StorageFailed, StudyNotFound
from charrua_core.web import HttpError, Part, Request, Response, WebRoute, choose, multipart_response
from charrua_core.web.response import Piece
from charrua_web.dicomweb import wado_trail
from charrua_web.dicomweb.wado_forms import Wanted, leaving, not_had, wanted_of
from charrua_web.dicomweb.wado_paths import ACCEPT, BASES, OBJECTS, STATUSES, TAG
from charrua_web.dicomweb.wado_selection import Selection, selected

if TYPE_CHECKING:
    from collections.abc import Sequence

DICOM = "application/dicom"
MULTIPART = f'multipart/related; type="{DICOM}"'
OFFERS = (MULTIPART, DICOM)


async def retrieve(request: Request) -> Response:
    """Give the objects as PS3.10 files.

    HttpError 406 where none of them can be had in a transfer syntax that is accepted; where some cannot, the answer is 206
    and a warning tells how many. An object that cannot be read breaks the answer off: what was sent until then is no whole
    multipart, so that nobody takes it for one.
    """
    offer, _ = choose(request, OFFERS)
    wanted = wanted_of(request, offer)
    chosen = await selected(request)
    kept = with_forms(request, chosen, wanted)
    if offer.type == DICOM:
        return await single(request, kept, wanted)
    left_out = chosen.total - kept.total
    status, headers = (206, [_warning(left_out)]) if left_out else (200, [])
    return multipart_response(_parts(request, kept, wanted), DICOM, status=status, headers=headers)


def with_forms(request: Request, chosen: Selection, wanted: Wanted) -> Selection:
    """Give those of the objects that can leave in a transfer syntax that the client takes. HttpError 406: none can."""
    lossy = request.app.settings["send_lossy"]
    kept = [run for run in chosen.runs if wanted.of(run.transfer_syntax_uid, lossy=lossy)]
    if not kept:
        raise not_had(chosen.runs[0].transfer_syntax_uid)
    return Selection(kept)


def _warning(left_out: int) -> tuple[str, str]:
    return (
        "Warning",
        f'299 Charrua "{left_out} objects cannot be had in the transfer syntaxes that the request accepts"',
    )


async def single(request: Request, chosen: Selection, wanted: Wanted) -> Response:
    """Give the one object without multipart around it. HttpError 406 where there are more."""
    if chosen.total > 1:
        raise HttpError(406, f"these are {chosen.total} objects: accept {MULTIPART}")

    async def pieces() -> AsyncGenerator[Piece, None]:
        async with aclosing(files(request, chosen, wanted)) as several:
            async for _, file in several:
                for piece in file:
                    yield piece

    return Response(200, pieces(), DICOM)


async def _parts(request: Request, chosen: Selection, wanted: Wanted) -> AsyncGenerator[Part, None]:
    async with aclosing(files(request, chosen, wanted)) as several:
        async for outgoing, file in several:
            yield Part(f"{DICOM}; transfer-syntax={outgoing.transfer_syntax_uid}", file)


async def files(
    request: Request, chosen: Selection, wanted: Wanted
) -> AsyncGenerator[tuple[Outgoing, Sequence[Piece]], None]:
    """Give each object with the pieces of its file, which last until the next is asked for; at the end tell the audit trail.

    Raises StudyNotFound where all were removed meanwhile, and what opening and transcoding raise.
    """
    app, opener, sent, whole = request.app, Opener(request.app), 0, False
    try:
        async with aclosing(chosen.records(app)) as found:
            async for record in found:
                async with leaving(app, await opener.open(record), wanted) as outgoing:
                    if not sent:
                        await asyncio.to_thread(_look_for_files, outgoing)  # of a later one, the answer has begun
                    yield outgoing, [meta_of(outgoing), *outgoing.segments]
                sent += 1
        if not sent:
            raise StudyNotFound
        whole = True
    finally:
        wado_trail.transferred(request, chosen.study_uids, sent, succeeded=whole)


def _look_for_files(outgoing: Outgoing) -> None:
    for piece in outgoing.segments:
        if not isinstance(piece, bytes) and not os.path.exists(piece.path):
            raise StorageFailed("the file of the object is not where it was")


def meta_of(outgoing: Outgoing) -> bytes:
    """Give what stands before the data set in a file that leaves; it tells nothing of who sent it to the archive."""
    return file_meta(outgoing.sop_class_uid, outgoing.sop_instance_uid, outgoing.transfer_syntax_uid)


ROUTES = tuple(
    WebRoute(
        "GET",
        path,
        retrieve,
        "retrieve",
        f"Retrieve {what}",
        TAG,
        BASES,
        query=(ACCEPT,),
        produces=(*OFFERS,),
        statuses=STATUSES,
    )
    for path, what in OBJECTS.items()
)
