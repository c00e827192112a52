"""Objects go from one transfer syntax to another and stay what they are, or say what became of them, or are refused."""

from __future__ import annotations

import csv
import itertools
import os
import threading
import time
from collections.abc import Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from struct import unpack

import numpy
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence

from charrua_core.archive.datasets.part10 import file_meta, read_file_meta
from charrua_core.archive.datasets.source import SegmentSource
from charrua_core.errors import CodecUnavailable, ImageInvalid, NotProven
from charrua_core.imaging.codecs import syntaxes
from charrua_core.imaging.codecs.encoded import EncodeOptions
from charrua_core.imaging.encapsulation import JoinedBits, encapsulated
from charrua_core.imaging.proof import prove
from charrua_core.imaging.transcode import transcoded
from charrua_core.testing.objects import an_object, part10
from charrua_core.testing.outside import DATA, dcmtk, with_data, with_dcmtk
from charrua_core.types import Arrival, FileRange, Origin

EXPLICIT, IMPLICIT = syntaxes.EXPLICIT_LITTLE_ENDIAN, syntaxes.IMPLICIT_LITTLE_ENDIAN
SR = "1.2.840.10008.5.1.4.1.1.88.11"
TARGETS = {
    "explicit": EXPLICIT,
    "implicit": IMPLICIT,
    "big endian": syntaxes.EXPLICIT_BIG_ENDIAN,
    "deflated": syntaxes.DEFLATED_EXPLICIT,
    "RLE": syntaxes.RLE,
    "JPEG Lossless": syntaxes.JPEG_LOSSLESS_SV1,
    "JPEG-LS": syntaxes.JPEG_LS,
    "JPEG 2000": syntaxes.JPEG_2000_LOSSLESS,
    "HTJ2K": syntaxes.HTJ2K_LOSSLESS,
}


class Stored:
    """A file with an object, as it is transcoded from and to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.meta = read_file_meta(path)
        self.syntax = self.meta.transfer_syntax_uid
        offset = self.meta.dataset_offset
        self.data_set = FileRange(path, offset, path.stat().st_size - offset)

    def read(self) -> Dataset:
        return dcmread(self.path, force=True)


class Desk:
    """Transcodes file to file, each into a new file of the test's folder."""

    def __init__(self, imaging, folder: Path) -> None:
        self.imaging, self.folder = imaging, folder
        self._numbers = itertools.count()

    def file(self) -> Path:
        return self.folder / f"{next(self._numbers)}.dcm"

    def stored(self, image: Dataset) -> Stored:
        path = self.file()
        path.write_bytes(part10(image))
        return Stored(path)

    @asynccontextmanager
    async def made(self, old: Stored, wanted: str, **options):
        chosen = EncodeOptions(**options)
        async with transcoded(self.imaging, [old.data_set], old.syntax, wanted, self.file, chosen) as made:
            yield made

    async def transcode(self, old: Stored, wanted: str, **options) -> Stored:
        path = self.file()
        arrival = Arrival("0" * 32, datetime.now(UTC), Origin("cli"))
        async with self.made(old, wanted, **options) as made:
            with path.open("wb") as file, SegmentSource(made.segments) as source:
                file.write(file_meta(old.meta.sop_class_uid, made.sop_instance_uid, wanted, arrival))
                for at in range(0, source.size, 1 << 20):
                    file.write(source.read(at, 1 << 20))
        return Stored(path)

    async def prove(self, old: Stored, new: Stored) -> None:
        await prove(self.imaging, old.data_set, old.syntax, new.data_set, new.syntax)


@pytest.fixture
def desk(imaging, tmp_path) -> Desk:
    return Desk(imaging, tmp_path)


def an_image(*, frames: int = 1, shape=(16, 12), dtype="uint16", stored: int | None = None, **attributes) -> Dataset:
    """An image with noise for pixels."""
    samples = shape[2] if len(shape) > 2 else 1
    allocated = numpy.dtype(dtype).itemsize * 8
    bits = stored or allocated
    info = numpy.iinfo(dtype)
    pixels = numpy.random.default_rng(7).integers(
        0 if info.min == 0 else -1 << (bits - 1), 1 << (bits - 1), (frames, *shape)
    )
    values = {
        "Rows": shape[0],
        "Columns": shape[1],
        "SamplesPerPixel": samples,
        "PhotometricInterpretation": "RGB" if samples == 3 else "MONOCHROME2",
        "BitsAllocated": allocated,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": int(info.min < 0),
        "NumberOfFrames": frames if frames > 1 else None,
        "PlanarConfiguration": 0 if samples == 3 else None,
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "PixelData": pixels.astype(dtype).tobytes(),
    }
    return an_object(**{**values, **attributes})


def sampled(limit_bytes: int = 300_000) -> Iterator[Path]:
    """A sound file of each transfer syntax and kind of pixels."""
    kinds = set()
    with (DATA / "MANIFEST.csv").open() as file:
        for row in csv.DictReader(file):
            kind = (row["transfer_syntax_uid"], row["bits"], row["photometric"], bool(row["frames"]))
            if row["state"] == "ok" and row["rows"] and int(row["bytes"]) < limit_bytes and kind not in kinds:
                kinds.add(kind)
                yield DATA / row["path"]


@with_data
@pytest.mark.parametrize("name", TARGETS)
async def test_real_files_keep_every_value_and_every_element(desk, name):
    carried = 0
    for path in sampled():
        old = Stored(path)
        if old.syntax in syntaxes.LOSSY or (
            name == "big endian" and old.read().BitsAllocated == 32
        ):  # whose words differ
            continue
        try:
            new = await desk.transcode(old, TARGETS[name])
        except CodecUnavailable as error:
            assert any(word in str(error) for word in ("1 bits", "32 bits", "64 bits", "floating")), (path, error)
            continue
        assert new.read().file_meta.TransferSyntaxUID == TARGETS[name]
        await desk.prove(old, new)
        carried += 1
    assert carried >= 20


IMAGES = {
    "unsigned": an_image(stored=12),
    "signed": an_image(dtype="int16", stored=12),
    "bytes": an_image(dtype="uint8", shape=(9, 7)),
    "colour": an_image(dtype="uint8", shape=(8, 8, 3)),
    "frames": an_image(frames=5, stored=10),
}


@pytest.mark.parametrize("kind", IMAGES)
async def test_any_syntax_to_any_other_and_back(desk, kind):
    first = desk.stored(IMAGES[kind])
    new = first
    for wanted in (*TARGETS.values(), *reversed(TARGETS.values())):
        new = await desk.transcode(new, wanted) if wanted != new.syntax else new
        await desk.prove(first, new)
    assert new.read().PixelData == first.read().PixelData
    assert new.read().PhotometricInterpretation == first.read().PhotometricInterpretation


@with_dcmtk
@pytest.mark.parametrize(
    ("wanted", "program"),
    [(syntaxes.JPEG_LOSSLESS_SV1, "dcmdjpeg"), (syntaxes.JPEG_LS, "dcmdjpls"), (syntaxes.RLE, "dcmdrle")],
)
@pytest.mark.parametrize("kind", IMAGES)
async def test_dcmtk_decodes_to_the_same_pixels(desk, kind, wanted, program):
    first = desk.stored(IMAGES[kind])
    new = await desk.transcode(first, wanted)
    decoded = desk.file()
    assert await dcmtk(program, new.path, decoded) == (0, "")
    back = dcmread(decoded)
    assert numpy.array_equal(back.pixel_array, IMAGES[kind].pixel_array)


async def test_what_lossy_compression_makes_is_another_object_and_says_so(desk):
    image = an_image(
        dtype="uint8", shape=(64, 64), LossyImageCompressionRatio="2", LossyImageCompressionMethod="ISO_14495_1"
    )
    image.SourceImageSequence = Sequence([_reference("1.2.3")])
    old = desk.stored(image)
    new, again = [(await desk.transcode(old, syntaxes.JPEG_BASELINE, quality=60)).read() for _ in range(2)]
    assert (
        new.SOPInstanceUID == new.file_meta.MediaStorageSOPInstanceUID == again.SOPInstanceUID != image.SOPInstanceUID
    )
    assert list(new.ImageType) == ["DERIVED", "PRIMARY", "AXIAL"]
    assert new.LossyImageCompression == "01"
    assert list(new.LossyImageCompressionMethod) == ["ISO_14495_1", "ISO_10918_1"]
    assert new.LossyImageCompressionRatio[0] == 2
    assert 1 < new.LossyImageCompressionRatio[1] < 20
    assert [item.ReferencedSOPInstanceUID for item in new.SourceImageSequence] == ["1.2.3", image.SOPInstanceUID]
    assert new.DerivationCodeSequence[0].CodeValue == "113040"
    assert "ISO_10918_1" in new.DerivationDescription
    assert abs(new.pixel_array.astype(int) - image.pixel_array).mean() < 40


def _reference(uid: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", uid
    return item


async def test_what_a_lossy_stream_held_says_so_wherever_it_goes(desk):
    lossy = await desk.transcode(desk.stored(an_image(dtype="uint8")), syntaxes.JPEG_BASELINE)
    silent = lossy.read()
    del silent.LossyImageCompression, silent.LossyImageCompressionMethod
    new = (await desk.transcode(desk.stored(silent), EXPLICIT)).read()
    assert (new.LossyImageCompression, new.LossyImageCompressionMethod) == ("01", "ISO_10918_1")
    assert new.SOPInstanceUID == silent.SOPInstanceUID


COMPRESSED = an_image(transfer_syntax=syntaxes.RLE)
VIDEO = an_image(dtype="uint8", shape=(8, 8, 3), transfer_syntax="1.2.840.10008.1.2.4.102")
for _image in (COMPRESSED, VIDEO):
    _image.PixelData = encapsulate([_image.PixelData])
    _image["PixelData"].VR = "OB"
FLOAT = an_object(PixelData=None, FloatPixelData=bytes(256), BitsAllocated=32)


@pytest.mark.parametrize(
    ("image", "wanted", "why"),
    [
        (an_image(), syntaxes.JPEG_BASELINE, "16 bits allocated"),
        (an_image(dtype="int8"), syntaxes.JPEG_BASELINE, "signed pixels"),
        (an_image(dtype="uint32"), syntaxes.JPEG_2000_LOSSLESS, "32 bits allocated"),
        (an_image(BitsAllocated=1, BitsStored=1, HighBit=0), syntaxes.JPEG_LS, "1 bits allocated"),
        (an_image(dtype="uint8", shape=(8, 8, 3)), syntaxes.JPEG_EXTENDED, "8 bits allocated"),
        (FLOAT, syntaxes.HTJ2K_LOSSLESS, "floating-point"),
        (VIDEO, EXPLICIT, "a video leaves only as it came"),
        (an_image(dtype="uint8"), "1.2.840.10008.1.2.4.102", "a video leaves only as it came"),
        (an_image(), "1.2.3.4", "nothing encodes"),
    ],
)
async def test_what_a_syntax_cannot_carry_is_refused(desk, image, wanted, why):
    with pytest.raises(CodecUnavailable, match=why):
        await desk.transcode(desk.stored(image), wanted)


async def test_pixels_that_are_fewer_than_the_object_says_are_refused(desk):
    with pytest.raises(ImageInvalid, match="2 frames and says 3"):
        await desk.transcode(desk.stored(an_image(frames=2, NumberOfFrames=3)), syntaxes.JPEG_LS)


async def test_floating_point_pixels_change_their_data_set_alone(desk):
    new = (await desk.transcode(desk.stored(FLOAT), IMPLICIT)).read()
    assert new.FloatPixelData == FLOAT.FloatPixelData


@pytest.mark.parametrize("name", TARGETS)
async def test_an_object_without_pixels_changes_its_data_set_alone(desk, name):
    report = an_object(SOPClassUID=SR, **dict.fromkeys(("PixelData", "Rows", "Columns", "BitsAllocated")))
    new = await desk.transcode(desk.stored(report), TARGETS[name])
    assert new.read().StudyInstanceUID == report.StudyInstanceUID
    assert (await desk.transcode(new, EXPLICIT)).data_set.length == desk.stored(report).data_set.length


async def test_an_icon_is_left_as_it_is(desk):
    image = an_image(stored=12)
    image.IconImageSequence = Sequence([_icon()])
    new = (await desk.transcode(desk.stored(image), syntaxes.JPEG_LS)).read()
    assert new.IconImageSequence[0].PixelData == _icon().PixelData


@with_data
async def test_an_icon_whose_pixels_are_encapsulated_stays_behind_where_the_others_are_not(desk):
    old = Stored(DATA / "modality/mg/GH133.dcm")
    assert "IconImageSequence" in old.read()
    new = await desk.transcode(old, EXPLICIT)
    assert "IconImageSequence" not in new.read()
    with pytest.raises(NotProven):
        await desk.prove(old, new)


def _icon() -> Dataset:
    icon = Dataset()
    icon.SamplesPerPixel, icon.PhotometricInterpretation, icon.Rows, icon.Columns = 1, "MONOCHROME2", 4, 4
    icon.BitsAllocated, icon.BitsStored, icon.HighBit, icon.PixelRepresentation = 8, 8, 7, 0
    icon.PixelData = bytes(range(16))
    return icon


async def test_bits_beside_the_pixels_stay_in_syntaxes_that_hold_whole_words(desk):
    image = an_image(BitsStored=10, HighBit=12)
    packed = await desk.transcode(desk.stored(image), syntaxes.RLE)
    back = (await desk.transcode(packed, EXPLICIT)).read()
    assert (back.PixelData, back.BitsStored, back.HighBit) == (image.PixelData, 10, 12)


async def test_bits_beside_the_pixels_are_told_by_the_proof(desk):
    image = an_image(stored=12)
    image.PixelData = bytes([0, 0x10]) + image.PixelData[2:]  # an overlay of old devices in bit 12
    old = desk.stored(image)
    with pytest.raises(NotProven, match="frame 1: bits outside of Bits Stored"):
        await desk.prove(old, await desk.transcode(old, syntaxes.JPEG_LS))


async def test_other_pixels_are_told_by_the_proof(desk):
    old = desk.stored(an_image(frames=3))
    new = await desk.transcode(old, syntaxes.HTJ2K_LOSSLESS)
    other = an_image(frames=3, SOPInstanceUID=old.read().SOPInstanceUID)
    other.PixelData = other.PixelData[:-2] + b"\0\0"
    with pytest.raises(NotProven, match="an element beside"):
        await desk.prove(desk.stored(other), new)
    changed = old.read()
    changed.PixelData = other.PixelData
    with pytest.raises(NotProven, match="frame 3: the pixels are others"):
        await desk.prove(desk.stored(changed), new)


def test_frames_beyond_four_gigabytes_get_the_extended_offset_table():
    lengths = [1 << 31, (1 << 31) - 1, 100]
    [head, body, end] = encapsulated(lengths, [FileRange("frames", 0, 1 << 32)])
    assert unpack("<HH2sHL3Q", head[:36]) == (0x7FE0, 1, b"OV", 0, 24, 0, (1 << 31) + 8, (1 << 32) + 16)
    assert unpack("<HH2sHL3Q", head[36:72]) == (0x7FE0, 2, b"OV", 0, 24, 1 << 31, 1 << 31, 100)
    assert head[72:] == bytes.fromhex("e07f1000 4f420000 ffffffff feff00e0 00000000")
    assert end == bytes.fromhex("feffdde0 00000000")
    assert body == FileRange("frames", 0, 1 << 32)


async def test_frames_of_single_bits_that_begin_within_a_byte_go_through_a_compression(desk):
    bits = numpy.random.default_rng(3).integers(0, 2, 7 * 5 * 3, numpy.uint8)
    packed = numpy.packbits(bits, bitorder="little").tobytes()
    shape = {"Rows": 5, "Columns": 3, "NumberOfFrames": 7}
    image = an_image(BitsAllocated=1, BitsStored=1, HighBit=0, PixelData=packed, **shape)
    compressed = await desk.transcode(desk.stored(image), syntaxes.DEFLATED_FRAMES)
    await desk.prove(desk.stored(image), compressed)
    assert (await desk.transcode(compressed, EXPLICIT)).read().PixelData[: len(packed)] == packed


@pytest.mark.parametrize("bits", [5, 8, 13, 16, 27])
def test_frames_of_single_bits_are_joined_without_padding(bits):
    frames = [numpy.random.default_rng(n).integers(0, 2, bits, numpy.uint8) for n in range(7)]
    joined = JoinedBits(bits)
    given = b"".join(joined.whole_bytes(numpy.packbits(one, bitorder="little").tobytes()) for one in frames)
    expected = numpy.packbits(numpy.concatenate(frames), bitorder="little").tobytes()
    assert given + joined.rest() == expected


class Memory:
    """The most that this process had beyond what it had at first, in bytes."""

    def __enter__(self):
        self._stop = threading.Event()
        self.most, self._first = 0, self._now()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _watch(self):
        while not self._stop.is_set():
            self.most = max(self.most, self._now() - self._first)
            time.sleep(0.01)

    def _now(self) -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system does not tell how much memory is used")
async def test_memory_does_not_grow_with_the_frames(desk):
    image = an_image(frames=1, shape=(256, 256), stored=12)
    frame, image.NumberOfFrames, image.PixelData = image.PixelData, 500, b""
    path = desk.file()
    content = part10(image)[:-12]
    with path.open("wb") as file:
        file.write(content + b"\xe0\x7f\x10\0OW\0\0" + (500 * len(frame)).to_bytes(4, "little"))
        for _ in range(500):
            file.write(frame)
    with Memory() as memory:
        new = await desk.transcode(Stored(path), syntaxes.HTJ2K_LOSSLESS)
        back = await desk.transcode(new, EXPLICIT)
    assert back.data_set.length == Stored(path).data_set.length
    assert memory.most < 32 << 20
    assert sorted(desk.folder.iterdir()) == sorted([path, new.path, back.path])
