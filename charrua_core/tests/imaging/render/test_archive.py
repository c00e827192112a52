"""Rendering out of an archive: one call to a worker process, edits applied, kept for the next who asks."""

from __future__ import annotations

import asyncio
import io
from struct import pack

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.uid import GrayscaleSoftcopyPresentationStateStorage, JPEGBaseline8Bit

from charrua_core.archive import remove
from charrua_core.archive.edit import edit
from charrua_core.archive.edit.values import from_keywords
from charrua_core.archive.search import OneOf, Query, instances
from charrua_core.errors import (
    FrameNotFound,
    FrameUndecodable,
    ImageInvalid,
    RenderingInvalid,
    StudyNotFound,
)
from charrua_core.imaging.render import RenderRequest, Window
from charrua_core.imaging.rendering import render, render_cine
from charrua_core.testing.objects import an_object
from charrua_core.types import SYSTEM, Level

PNG = RenderRequest("image/png")


@pytest.fixture
def store(intake):
    """A function that stores an object and gives its record."""

    async def store(image):
        await intake(image)
        return await record_of(intake.app, image)

    return store


@pytest.fixture
def at_once(intake, monkeypatch):
    """Work done in this process: starting another for each test takes seconds."""

    async def run(function, *arguments, timeout_s=None):
        return function(*arguments)

    monkeypatch.setattr(intake.app.imaging, "run", run)


async def record_of(app, image):
    query = Query(Level.IMAGE, keys={"00080018": OneOf("UI", (image.SOPInstanceUID,))}, relational=True)
    [record] = [one async for one in instances(app, query, SYSTEM)]
    return record


def pixels(rendered) -> list:
    return np.asarray(Image.open(io.BytesIO(rendered.data))).tolist()


async def test_a_frame_is_rendered_and_kept(intake, store, an_image):
    app, record = intake.app, await store(an_image([[0, 10], [20, 30]], frames=2))
    asked = RenderRequest("image/png", window=Window(15, 1))
    found = [await render(app, record, number, asked) for number in (1, 2, 1, 2)]
    assert [pixels(one) for one in found] == [[[0, 0]], [[255, 255]]] * 2
    assert app.imaging.figures.calls == 2
    many = await asyncio.gather(*(render(app, record, 1, PNG) for _ in range(10)))
    assert {one.data for one in many} == {many[0].data} and app.imaging.figures.calls == 3


async def test_without_wishes_it_is_a_jpeg(at_once, intake, store, an_image):
    found = await render(intake.app, await store(an_image([[0, 10], [20, 30]])))
    assert (found.media_type, Image.open(io.BytesIO(found.data)).format) == ("image/jpeg", "JPEG")


async def test_edits_in_force_are_seen_at_once(at_once, intake, store, an_image):
    image = an_image([[0, 10, 20]], WindowCenter=5, WindowWidth=1)
    record = await store(image)
    assert pixels(await render(intake.app, record, 1, PNG)) == [[0, 255, 255]]
    values = from_keywords({"WindowCenter": "15"})
    await edit.edit(intake.app, SYSTEM, Level.IMAGE, image.SOPInstanceUID, values)
    assert pixels(await render(intake.app, await record_of(intake.app, image), 1, PNG)) == [[0, 0, 255]]


async def test_an_image_is_shown_under_a_stored_presentation_state(at_once, intake, store, an_image):
    image = an_image([[1, 2]], dtype="u1")
    reference, series = Dataset(), Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = image.SOPClassUID, image.SOPInstanceUID
    series.SeriesInstanceUID, series.ReferencedImageSequence = image.SeriesInstanceUID, [reference]
    state = an_object(
        SOPClassUID=GrayscaleSoftcopyPresentationStateStorage, PixelData=None, ImageHorizontalFlip="Y", Modality="PR",
        ReferencedSeriesSequence=[series],
    )  # fmt: skip
    record, laid_over = await store(image), await store(state)
    assert pixels(await render(intake.app, record, 1, PNG)) == [[1, 2]]
    assert pixels(await render(intake.app, record, 1, PNG, state=laid_over)) == [[2, 1]]
    with pytest.raises(RenderingInvalid):
        await render(intake.app, record, 1, PNG, state=record)
    with pytest.raises(ImageInvalid):
        await render(intake.app, laid_over)


async def test_all_frames_become_a_moving_picture(at_once, intake, store, an_image):
    record = await store(an_image([[0, 10], [20, 30], [40, 50]], frames=3))
    found = await render_cine(intake.app, record, RenderRequest("image/gif"))
    assert Image.open(io.BytesIO(found.data)).n_frames == 3
    few = await render_cine(intake.app, record, RenderRequest("image/gif"), frames=[3, 1])
    assert Image.open(io.BytesIO(few.data)).n_frames == 2


async def test_what_cannot_be_rendered_is_an_error_and_is_not_kept(at_once, intake, store, an_image):
    app, record = intake.app, await store(an_image([[0, 10]]))
    for number in (0, 2):
        with pytest.raises(FrameNotFound):
            await render(app, record, number)
    with pytest.raises(RenderingInvalid):
        await render(app, record, 1, RenderRequest("image/gif"))
    with pytest.raises(RenderingInvalid):
        await render_cine(app, record, PNG)
    item = b"\xfe\xff\x00\xe0" + pack("<L", 0) + b"\xfe\xff\x00\xe0" + pack("<L", 4) + b"\xff\xd8\xff\xd9"
    damaged = an_image([[0, 10]], dtype="u1", transfer_syntax=JPEGBaseline8Bit, PixelData=item)
    damaged["PixelData"].is_undefined_length = True
    damaged_record = await store(damaged)
    for _ in range(2):
        with pytest.raises(FrameUndecodable):
            await render(app, damaged_record)
    assert app.image_cache.size_bytes == 0


async def test_a_deleted_image_is_not_shown_any_more(at_once, intake, store, an_image):
    image = an_image([[0, 10]])
    record = await store(image)
    await render(intake.app, record)
    await remove.delete(intake.app, SYSTEM, Level.STUDY, image.StudyInstanceUID, reason="test")
    with pytest.raises(StudyNotFound):
        await render(intake.app, record)
