"""The pictures, videos and documents that a light viewer shows: made by imaging's processes, a few at a time."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from functools import partial
from math import ceil
from typing import TYPE_CHECKING

from charrua_core.archive.search import InstanceRecord
from charrua_core.errors import CharruaError, ImagingBusy, ImagingTimeout
from charrua_core.imaging.documents import StoredFile, media_types, render_document
from charrua_core.imaging.frames import read_ranges, stream_ranges
from charrua_core.imaging.render.request import RenderRequest, Viewport
from charrua_core.imaging.rendering import VIDEO, render
from charrua_core.imaging.stored import stored_image, stored_object
from charrua_core.web import Entry
from charrua_web.media.told import Told

if TYPE_CHECKING:
    from charrua_core.app import App
    from charrua_core.web.response import Piece
    from charrua_web.dicomweb.wado_selection import Selection

FOLDER = "VIEWER"
SIDE = 1024
"""Columns or rows of a picture at most: larger images are made smaller, smaller ones are left."""
QUALITY = 85
PDF = "application/pdf"

Make = Callable[[], Awaitable[Entry | None]]


class Pictures:
    """What the viewer shows of the objects of a medium; fills in the names in what is told of them."""

    def __init__(self, app: App, chosen: Selection, told: Mapping[int, Told], most: int) -> None:
        self._app = app
        self._chosen = chosen
        self._told = told
        frames = sum(one.frames for one in told.values())
        self.every = ceil(frames / most) if most else 0
        """Of how many images one is shown; 0: none."""
        self._passed: dict[str, int] = {}
        self._numbers: dict[str, int] = {}

    async def entries(self) -> AsyncGenerator[Entry, None]:
        """Give the files."""
        async with aclosing(_ahead(self._makes())) as several:
            async for entry in several:
                if entry is not None:
                    yield entry

    async def _makes(self) -> AsyncGenerator[Make, None]:
        async with aclosing(self._chosen.records(self._app)) as found:
            async for record in found:
                told = self._told.get(record.instance_id)
                if told is None:
                    continue
                for make in self._of(record, told):
                    yield partial(self._noted, make, told)

    def _of(self, record: InstanceRecord, told: Told) -> list[Make]:
        if PDF in media_types(record.sop_class_uid):
            return [partial(self._document, record, told)]
        if not told.frames:
            told.note = "no picture"
            return []
        if record.transfer_syntax_uid.startswith(VIDEO):
            return [partial(self._video, record, told)]
        return [partial(self._picture, record, told, frame) for frame in self._frames(record, told)]

    def _frames(self, record: InstanceRecord, told: Told) -> list[int]:
        """Those that are shown: every n-th of the series, its first one among them."""
        passed = self._passed.get(record.series_uid, 0)
        self._passed[record.series_uid] = passed + told.frames
        if not self.every:
            return []
        return [frame for frame in range(1, told.frames + 1) if (passed + frame - 1) % self.every == 0]

    async def _noted(self, make: Make, told: Told) -> Entry | None:
        """What cannot be shown is told, and keeps nothing else from the medium."""
        try:
            return await _twice(make)
        except CharruaError as error:
            told.note = str(error)
            return None

    async def _picture(self, record: InstanceRecord, told: Told, frame: int) -> Entry:
        name = self._name(told, "JPG")  # before anything is waited for: names stand in the order of the frames
        layout = (await stored_image(self._app, record)).pixel_format
        is_large = max(layout.rows, layout.columns) > SIDE
        request = RenderRequest("image/jpeg", quality=QUALITY, viewport=Viewport(SIDE, SIDE) if is_large else None)
        made = await render(self._app, record, frame, request)
        told.pictures.append(name)
        return Entry(name, [made.data])

    async def _video(self, record: InstanceRecord, told: Told) -> Entry:
        image = await stored_image(self._app, record)
        pieces = await stream_ranges(image)
        (head,) = await read_ranges(image, [(pieces[0].offset, min(12, pieces[0].length))]) if pieces else [b""]
        if head[4:8] != b"ftyp":
            return await self._picture(record, told, 1)
        told.video = self._name(told, "MP4")
        return Entry(told.video, list[Piece](pieces))

    async def _document(self, record: InstanceRecord, told: Told) -> Entry:
        found = await stored_object(self._app, record)
        stored = StoredFile(str(found.path), found.dataset_offset, found.size_bytes, found.transfer_syntax_uid)
        made = await self._app.imaging.run(render_document, dict(found.attributes.elements), PDF, stored)
        told.document = self._name(told, "PDF")
        return Entry(told.document, [made.body])

    def _name(self, told: Told, extension: str) -> str:
        folder = told.file_id[-2]
        number = self._numbers[folder] = self._numbers.get(folder, 0) + 1
        return f"{FOLDER}/{folder}/P{number:07}.{extension}"


async def _twice(make: Make) -> Entry | None:
    """Give what is made, at the second try where imaging was too busy for the first."""
    try:
        return await make()
    except (ImagingBusy, ImagingTimeout):
        return await make()


async def _ahead(makes: AsyncIterator[Make]) -> AsyncGenerator[Entry | None, None]:
    """Give what is made, in order, while the next few are being made."""
    width = (os.cpu_count() or 1) + 1
    waiting: deque[asyncio.Future[Entry | None]] = deque()
    try:
        async for make in makes:
            waiting.append(asyncio.ensure_future(make()))
            if len(waiting) == width:
                yield await waiting.popleft()
        while waiting:
            yield await waiting.popleft()
    finally:
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
