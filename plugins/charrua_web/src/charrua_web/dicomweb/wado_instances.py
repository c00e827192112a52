"""WADO-RS of whole objects: a study, a series, an instance (PS3.18 10.4.1.1.1)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from charrua_core.web import ZIP, HttpError, Part, Request, Response, WebRoute, choose, multipart_response
from charrua_core.web.response import Piece
from charrua_web.dicomweb import wado_zip
from charrua_web.dicomweb.wado_files import files
from charrua_web.dicomweb.wado_forms import ANY, Wanted, not_had, wanted_of
from charrua_web.dicomweb.wado_paths import ACCEPT, BASES, OBJECTS, STATUSES, TAG
from charrua_web.dicomweb.wado_selection import Selection, selected

DICOM = "application/dicom"
MULTIPART = f'multipart/related; type="{DICOM}"'
OFFERS = (MULTIPART, DICOM, ZIP)


async def retrieve(request: Request) -> Response:
    """Give the objects as PS3.10 files.

    HttpError 406 where none of them can be had in a transfer syntax that is accepted; where some cannot, the answer is 206
    and a warning tells how many. An object that cannot be read breaks the answer off: what was sent until then is no whole
    multipart, so that nobody takes it for one.
    """
    offer, asked = choose(request, OFFERS)
    wanted = wanted_of(request, offer, ANY) if offer.type == ZIP else wanted_of(request, offer)
    chosen = await selected(request)
    kept = with_forms(request, chosen, wanted)
    if offer.type == DICOM:
        return await single(request, kept, wanted)
    if offer.type == ZIP:
        return wado_zip.respond(request, _all_of(chosen, kept), wanted, asked)
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


def _all_of(chosen: Selection, kept: Selection) -> Selection:
    """Whoever unpacks an archive sees no warning: it has all objects, or there is none."""
    missing = [run for run in chosen.runs if run not in kept.runs]
    if missing:
        raise not_had(missing[0].transfer_syntax_uid)
    return chosen


def _warning(left_out: int) -> tuple[str, str]:
    return (
        "Warning",
        f'299 Charrua "not to be had in the transfer syntaxes that are accepted, and left out: {left_out}"',
    )


async def single(request: Request, chosen: Selection, wanted: Wanted) -> Response:
    """Give the one object without multipart around it. HttpError 406 where there are more."""
    if chosen.total > 1:
        raise HttpError(406, f"these are {chosen.total} objects: accept {MULTIPART}")

    async def pieces() -> AsyncGenerator[Piece, None]:
        async with aclosing(files(request, chosen, wanted)) as several:
            async for _, _, file in several:
                for piece in file:
                    yield piece

    return Response(200, pieces(), DICOM)


async def _parts(request: Request, chosen: Selection, wanted: Wanted) -> AsyncGenerator[Part, None]:
    async with aclosing(files(request, chosen, wanted)) as several:
        async for _, outgoing, file in several:
            yield Part(f"{DICOM}; transfer-syntax={outgoing.transfer_syntax_uid}", file)


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
