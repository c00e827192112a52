"""Objects as the files in which they leave (PS3.10), one after another as the client takes them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from charrua_core.archive.datasets.part10 import file_meta
from charrua_core.archive.outgoing import Opener, Outgoing
from charrua_core.archive.search import InstanceRecord
from charrua_core.errors import StorageFailed, StudyNotFound
from charrua_core.web import Request
from charrua_core.web.response import Piece
from charrua_web.dicomweb import wado_trail
from charrua_web.dicomweb.wado_forms import Wanted, leaving
from charrua_web.dicomweb.wado_selection import Selection


async def files(
    request: Request, chosen: Selection, wanted: Wanted, tell: Callable[..., None] = wado_trail.transferred
) -> AsyncGenerator[tuple[InstanceRecord, Outgoing, Sequence[Piece]], None]:
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
                    yield record, outgoing, [meta_of(outgoing), *outgoing.segments]
                sent += 1
        if not sent:
            raise StudyNotFound
        whole = True
    finally:
        tell(request, chosen.study_uids, sent, succeeded=whole)


def _look_for_files(outgoing: Outgoing) -> None:
    for piece in outgoing.segments:
        if not isinstance(piece, bytes) and not os.path.exists(piece.path):
            raise StorageFailed("the file of the object is not where it was")


def meta_of(outgoing: Outgoing) -> bytes:
    """Give what stands before the data set in a file that leaves; it tells nothing of who sent it to the archive."""
    return file_meta(outgoing.sop_class_uid, outgoing.sop_instance_uid, outgoing.transfer_syntax_uid)
