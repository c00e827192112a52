"""Frame N of a stored object is the bytes that were sent for it, whatever way they lie in the file."""

from __future__ import annotations

import zlib
from struct import pack

import numpy as np
import pytest
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)

from charrua_core.archive.edit import edit
from charrua_core.archive.edit.values import from_keywords
from charrua_core.archive.search import Query, instances
from charrua_core.errors import FrameNotFound, FrameUndecodable, ImageInvalid
from charrua_core.imaging.frames import read_frame, read_frames, read_stream
from charrua_core.imaging.stored import stored_image
from charrua_core.testing.images import as_stored
from charrua_core.testing.objects import an_object, part10
from charrua_core.types import SYSTEM, Level

FRAMES = [bytes([number]) * 128 for number in (1, 2, 3)]
COMPRESSED = [b"\xff\xd8" + bytes([number]) * (20 * number) + b"\xff\xd9" for number in (1, 2, 3)]


def item(value: bytes) -> bytes:
    return b"\xfe\xff\x00\xe0" + pack("<L", len(value)) + value


def compressed(value: bytes, frames: int = 3, syntax: str = JPEGBaseline8Bit, **more):
    image = an_object(transfer_syntax=syntax, NumberOfFrames=frames, PixelData=value, **more)
    image["PixelData"].is_undefined_length = True
    return image


def halves(frame: bytes) -> tuple[bytes, bytes]:
    return frame[:10], frame[10:]


@pytest.fixture
def stored(tmp_path):
    """A function that gives an object as the archive would have it."""

    def stored(image):
        path = tmp_path / "image.dcm"
        path.write_bytes(part10(image))
        return as_stored(path)

    return stored


async def test_the_index_of_an_archive_tells_where_frames_lie(intake):
    await intake(an_object(NumberOfFrames=3, PixelData=b"".join(FRAMES)))
    [record] = [one async for one in instances(intake.app, Query(Level.IMAGE, relational=True), SYSTEM)]
    assert await read_frames(await stored_image(intake.app, record), [2, 3]) == FRAMES[1:]


async def test_edits_in_force_tell_how_pixels_are_shown(intake):
    image = an_object(NumberOfFrames=3, PixelData=b"".join(FRAMES))
    await intake(image)
    [record] = [one async for one in instances(intake.app, Query(Level.IMAGE, relational=True), SYSTEM)]
    before = await stored_image(intake.app, record)
    values = from_keywords({"WindowCenter": "40", "WindowWidth": "400"})
    await edit.edit(intake.app, SYSTEM, Level.IMAGE, image.SOPInstanceUID, values)
    after = await stored_image(intake.app, record)
    assert (before.attributes.number("WindowCenter"), after.attributes.number("WindowCenter")) == (None, 40)
    assert await read_frame(after, 2) == FRAMES[1]
    assert before.state != after.state


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian])
async def test_native_frames_are_cut_by_their_size(stored, syntax):
    image = an_object(transfer_syntax=syntax, NumberOfFrames=3, PixelData=b"".join(FRAMES))
    found = stored(image)
    assert [await read_frame(found, number) for number in (1, 2, 3)] == FRAMES
    assert await read_frames(found, [3, 1, 3]) == [FRAMES[2], FRAMES[0], FRAMES[2]]


async def test_a_packed_frame_begins_on_a_byte_wherever_it_lies_in_the_file(stored):
    bits = np.random.default_rng(1).integers(0, 2, (5, 7 * 3), dtype=np.uint8)
    packed = np.packbits(bits.ravel(), bitorder="little").tobytes()
    image = an_object(
        NumberOfFrames=5,
        Rows=7,
        Columns=3,
        BitsAllocated=1,
        BitsStored=1,
        HighBit=0,
        PixelData=packed + b"\0" * (len(packed) % 2),
    )
    found = stored(image)
    for number in range(1, 6):
        expected = np.packbits(bits[number - 1], bitorder="little").tobytes()
        assert await read_frame(found, number) == expected


async def test_native_4_2_2_takes_two_bytes_a_pixel(stored):
    image = an_object(
        PhotometricInterpretation="YBR_FULL_422", SamplesPerPixel=3, PlanarConfiguration=0, BitsAllocated=8, BitsStored=8,
        HighBit=7, NumberOfFrames=3, PixelData=b"".join(FRAMES),
    )  # fmt: skip
    assert await read_frame(stored(image), 2) == FRAMES[1]


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(encapsulate(COMPRESSED, has_bot=True), id="basic table"),
        pytest.param(encapsulate(COMPRESSED, has_bot=False), id="one fragment each"),
        pytest.param(encapsulate(COMPRESSED, fragments_per_frame=2, has_bot=True), id="basic table, two fragments each"),
        pytest.param(
            item(b"") + b"".join(item(half) for one in COMPRESSED for half in halves(one)),
            id="told by how frames begin",
        ),
        pytest.param(
            item(b"") + item(COMPRESSED[0]) + b"".join(map(item, halves(COMPRESSED[1]))) + item(COMPRESSED[2]),
            id="one is in two",
        ),
    ],
)  # fmt: skip
async def test_compressed_frames_are_joined_from_their_fragments(stored, value):
    found = stored(compressed(value))
    frames = [await read_frame(found, number) for number in (1, 2, 3)]
    assert [frame.rstrip(b"\0") for frame in frames] == COMPRESSED


async def test_the_extended_offset_table_tells_frames_apart(stored):
    value, offsets, lengths = encapsulate_extended(COMPRESSED)
    found = stored(compressed(value, ExtendedOffsetTable=offsets, ExtendedOffsetTableLengths=lengths))
    assert (await read_frame(found, 3)).rstrip(b"\0") == COMPRESSED[2]


async def test_all_fragments_of_a_single_frame_are_its_own(stored):
    value = item(b"") + b"".join(map(item, halves(COMPRESSED[0])))
    found = stored(compressed(value, frames=1, syntax=JPEG2000Lossless))
    assert await read_frame(found, 1) == COMPRESSED[0] == await read_stream(found)


@pytest.mark.parametrize("number", [0, -1, 4, 10**9])
@pytest.mark.parametrize(
    "image", [an_object(NumberOfFrames=3, PixelData=b"".join(FRAMES)), compressed(encapsulate(COMPRESSED))]
)
async def test_a_frame_that_does_not_exist_is_not_found(stored, image, number):
    with pytest.raises(FrameNotFound):
        await read_frame(stored(image), number)


async def test_an_object_without_pixels_says_so(intake):
    await intake(an_object(PixelData=None))
    [record] = [one async for one in instances(intake.app, Query(Level.IMAGE, relational=True), SYSTEM)]
    with pytest.raises(ImageInvalid):
        await stored_image(intake.app, record)


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(an_object(NumberOfFrames=4, PixelData=b"".join(FRAMES)), id="fewer bytes than frames"),
        pytest.param(compressed(item(b"") + item(b"ab") * 5, 4, RLELossless), id="fragments that say nothing"),
    ],
)
async def test_frames_that_are_not_there_or_cannot_be_told_apart_are_damage(stored, image):
    with pytest.raises(FrameUndecodable):
        await read_frame(stored(image), 4)


async def test_a_deflated_object_that_ends_too_early_is_damage(stored, monkeypatch):
    image = an_object(transfer_syntax=DeflatedExplicitVRLittleEndian, NumberOfFrames=3, PixelData=b"".join(FRAMES))
    found = stored(image)
    content = found.path.read_bytes()
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    found.path.write_bytes(content[: found.dataset_offset] + deflater.compress(b"\0" * 300) + deflater.flush())
    with pytest.raises(FrameUndecodable):
        await read_frame(found, 2)
