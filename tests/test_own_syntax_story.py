"""The archive puts what it has stored into its own transfer syntax, and a kill -9 at any step of that loses nothing."""

from __future__ import annotations

import asyncio

import asyncpg
import numpy
import pytest
from pydicom import dcmread

from charrua_core.testing.devices import Modality
from charrua_core.testing.objects import an_object

OWN = {"archive_transfer_syntax": "jpeg 2000 lossless", "imaging_workers": 1}
JPEG_2000_LOSSLESS = "1.2.840.10008.1.2.4.90"
POINTS = ["after_rename", "before_commit", "after_commit"]


def an_image():
    pixels = (numpy.arange(64 * 64, dtype="uint16") % 4000).tobytes()
    return an_object(Rows=64, Columns=64, PixelData=pixels)


async def query(archive, statement):
    connection = await asyncpg.connect(archive.environment["CHARRUA_DATABASE_URL"])
    try:
        return await connection.fetch(statement)
    finally:
        await connection.close()


def pixels(row, archive):
    return dcmread(archive.data_dir / "volume-1" / row["path"]).pixel_array


@pytest.mark.parametrize("point", POINTS)
async def test_killed_at_any_step_the_object_is_whole_and_comes_into_its_syntax(start_archive, point):
    image = an_image()
    archive = await start_archive(settings=OWN, env={"CHARRUA_FAULT": f"{point}:2:kill"})
    assert await Modality(archive.peer).store(image) == [0x0000]  # the first passing of the point
    async with asyncio.timeout(30):
        await archive.process.wait()
    [row] = await query(archive, "SELECT path FROM core.instance")
    assert numpy.array_equal(pixels(row, archive), image.pixel_array)
    del archive.environment["CHARRUA_FAULT"]
    await query(archive, "UPDATE core.job SET state = 'due' WHERE state = 'running'")  # as when its lease is over
    await archive.start()
    await archive.settled()
    [row] = await query(archive, "SELECT path, transfer_syntax_uid FROM core.instance")
    assert row["transfer_syntax_uid"] == JPEG_2000_LOSSLESS
    assert numpy.array_equal(pixels(row, archive), image.pixel_array)
    assert await Modality(archive.peer).store(image) == [0x0000]  # a duplicate
    [_] = await query(archive, "SELECT FROM core.instance")
    await archive.stop()
    before = await archive.run("archive", "dump")
    await archive.run("archive", "regenerate")
    assert await archive.run("archive", "dump") == before
