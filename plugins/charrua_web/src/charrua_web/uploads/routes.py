"""What pages upload with: many small files in one request; large files and ZIP archives in pieces that are acknowledged."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import orjson

from charrua_core.errors import StorageFull
from charrua_core.web import HttpError, Request, Response, WebRoute, json_response, media_type
from charrua_web.dicomweb.incoming import MultipartReader
from charrua_web.uploads import rows
from charrua_web.uploads.appending import Appending, opened
from charrua_web.uploads.limits import MOST_IN_BATCH
from charrua_web.uploads.rows import Upload
from charrua_web.uploads.storing import remove_file
from charrua_web.uploads.taking import Taking, raise_trouble

if TYPE_CHECKING:
    from charrua_core.storage import Volume

TAG = "Upload"
OFFSET = "Upload-Offset"
_KEY = re.compile(r"[0-9A-Za-z_.\-]{1,128}", re.ASCII)
_LONGEST_NAME = 255
_NAME = re.compile(r';\s*filename="([^"]*)"')


# -- many small files ----------------------------------------------------------------------------------------------------
async def batch(request: Request) -> Response:
    """Store the files of a form, each as it arrives; all that are told of are in the archive."""
    given = media_type(request.headers.get("content-type") or "application/octet-stream")
    if given.type != "multipart/form-data":
        raise HttpError(415, "files are taken as multipart/form-data", {"Accept": "multipart/form-data"})
    taking = Taking(request.app, request.identity.name, request.origin)
    end = "broken off"
    try:
        reader = MultipartReader(_limited(request), given.parameters.get("boundary", ""))
        async for part in reader.parts():
            if len(taking) == MOST_IN_BATCH:
                raise HttpError(413, f"a request may bring {MOST_IN_BATCH} files at most")
            await taking.take(_file_name(part.headers), part.pieces)
        end = "answered"
    finally:
        results = await taking.finish(end=end)
    raise_trouble(results)
    return json_response({"results": [one.plain() for one in results]})


async def _limited(request: Request) -> AsyncIterator[bytes]:
    left: int = request.app.settings["stow_most_bytes"]
    async for piece in request.stream():
        left -= len(piece)
        if left < 0:
            raise HttpError(413, "the request is larger than this archive takes at once")
        yield piece


def _file_name(headers: Any) -> str:
    found = _NAME.search(headers.get("content-disposition", ""))
    return found[1].encode("latin_1").decode("utf-8", "replace")[-_LONGEST_NAME:] if found else ""


# -- large ones, in pieces -----------------------------------------------------------------------------------------------
async def begin(request: Request) -> Response:
    """Begin an upload, or give the unfinished one of this user and key, to go on where it stands."""
    name, key, size = _told(await request.body(1 << 12))
    app, who = request.app, request.identity.name
    if size > app.settings["upload_most_bytes"]:
        raise HttpError(413, f"a file may have {app.settings['upload_most_bytes']} bytes at most")
    volume = app.volumes.current
    await _check_room(volume, size, app.settings["storage_reserve_bytes"])
    made, new = await rows.add(app.db, who, request.origin.address, name, key, size, volume.id)
    if new and await rows.unfinished(app.db, who) > app.settings["upload_most_unfinished"]:
        await rows.remove(app.db, [made.id])
        raise HttpError(
            429, "too many uploads are under way: wait until one is done, or stop one", {"Retry-After": "30"}
        )
    if made.size_bytes != size:
        raise HttpError(409, "an upload of another file goes by this key")
    return _state(made, 201 if new else 200)


def _told(body: bytes) -> tuple[str, str, int]:
    try:
        told = orjson.loads(body)
        name, key, size = told.get("name", ""), told["key"], told["size"]
    except (ValueError, KeyError, AttributeError, TypeError):
        raise HttpError(400, "the body is JSON with key, size and at will name") from None
    if not (isinstance(key, str) and _KEY.fullmatch(key)):
        raise HttpError(400, "key is 1 to 128 letters, digits, points, _ and -")
    if isinstance(size, bool) or not isinstance(size, int) or not 0 < size < 1 << 62:
        raise HttpError(400, "size is the number of bytes of the file, at least 1")
    if not isinstance(name, str):
        raise HttpError(400, "name is text")
    return name.replace("\0", "")[-_LONGEST_NAME:], key, size


async def _check_room(volume: Volume, size: int, reserve: int) -> None:
    volume.check()
    free = (await volume.health()).free_bytes
    if free - size < reserve:
        raise StorageFull(
            f"there is no room for {size >> 20} MiB: {free >> 20} MiB are free, of which some are kept free"
        )


async def state(request: Request) -> Response:
    """Tell how far an upload is, and what became of its files."""
    return _state(await _own(request))


async def mine(request: Request) -> Response:
    """Tell of one's uploads, the newest first."""
    found = await rows.of_user(request.app.db, request.identity.name)
    return json_response({"uploads": [one.plain() for one in found]})


async def append(request: Request) -> Response:
    """Take bytes from where the browser says, and acknowledge them when they are on disk; after the last, storing begins."""
    upload = await _own(request)
    offset = request.headers.get(OFFSET)
    if not (offset.isascii() and offset.isdigit() and len(offset) < 19):
        raise HttpError(400, f"the header {OFFSET} says from which byte on these are")
    if upload.state != "receiving" or int(offset) > upload.received_bytes:
        raise HttpError(409, "these bytes are not the next ones", {OFFSET: str(upload.received_bytes)})
    volume = request.app.volumes.by_id(upload.volume_id)
    path = volume.upload_path(upload.file)
    with await asyncio.to_thread(opened, str(path)) as file:
        await Appending(request, upload, volume, file, int(offset)).run()
    return await state(request)


async def stop(request: Request) -> Response:
    """Stop an upload, and forget it: what is stored of it stays."""
    upload = await _own(request)
    await rows.remove(request.app.db, [upload.id])
    await asyncio.to_thread(remove_file, request.app, upload)
    return Response(204)


async def _own(request: Request) -> Upload:
    """Give the upload that the path names: another user's is none."""
    try:
        named = uuid.UUID(request.parameters["upload"])
    except ValueError:
        named = uuid.UUID(int=0)
    found = await rows.find(request.app.db, named)
    if found is None or found.who != request.identity.name:
        raise HttpError(404, "there is no such upload, or no more")
    return found


def _state(upload: Upload, status: int = 200) -> Response:
    told = json_response(upload.plain(), status)
    return Response(told.status, told.body, told.content_type, [(OFFSET, str(upload.received_bytes))])


_ONE = "/uploads/{upload}"
_REFUSED = {413: "It is larger than this archive takes", 507: "There is no room"}
_NONE = {404: "There is no such upload of this user"}

ROUTES = (
    WebRoute(
        "POST",
        "/uploads/files",
        batch,
        "store",
        "Upload many files",
        TAG,
        consumes=("multipart/form-data",),
        statuses={200: "What became of each, in their order", **_REFUSED},
        description="Files that are no DICOM objects, and DICOMDIR, are passed over.",
    ),
    WebRoute(
        "POST",
        "/uploads",
        begin,
        "store",
        "Begin to upload a large file or ZIP archive, or go on with it",
        TAG,
        consumes=("application/json",),
        statuses={
            201: "It has begun",
            200: "It has begun before",
            409: "The key is another file's",
            429: "Too many are under way",
            **_REFUSED,
        },
    ),
    WebRoute("GET", "/uploads", mine, "store", "List one's uploads of large files", TAG),
    WebRoute(
        "GET",
        _ONE,
        state,
        "store",
        "Tell how far an upload is",
        TAG,
        statuses={200: "Bytes received, state, and what became of its files", **_NONE},
    ),
    WebRoute(
        "PUT",
        _ONE,
        append,
        "store",
        "Send the next bytes",
        TAG,
        consumes=("application/octet-stream",),
        statuses={200: "So many bytes are on disk", 409: "These are not the next bytes", **_NONE, **_REFUSED},
        description=f"The header {OFFSET} says from which byte on they are; that of the answer, which is next.",
    ),
    WebRoute("DELETE", _ONE, stop, "store", "Stop an upload", TAG, statuses={204: "It is stopped", **_NONE}),
)
