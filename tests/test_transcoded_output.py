"""What a peer does not take as it is stored reaches it in a transfer syntax that it takes, with the pixels that it had."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy
import pytest
from pydicom import dcmread

from charrua_core.imaging.codecs import syntaxes
from charrua_core.testing.devices import Modality, received_of
from charrua_core.testing.objects import an_object
from charrua_core.testing.outside import DATA, dcmtk, storescp, with_data, with_dcmtk

EXPLICIT, IMPLICIT = syntaxes.EXPLICIT_LITTLE_ENDIAN, syntaxes.IMPLICIT_LITTLE_ENDIAN
DECODERS = {
    syntaxes.JPEG_BASELINE: "dcmdjpeg",
    syntaxes.JPEG_EXTENDED: "dcmdjpeg",
    syntaxes.JPEG_LOSSLESS: "dcmdjpeg",
    syntaxes.JPEG_LOSSLESS_SV1: "dcmdjpeg",
    syntaxes.JPEG_LS: "dcmdjpls",
    syntaxes.JPEG_LS_NEAR: "dcmdjpls",
    syntaxes.RLE: "dcmdrle",
}
LARGEST_BYTES = 800_000
SOUND = ("ok", "odd")


def compressed() -> dict[str, Path]:
    """The sound compressed images by SOP Instance UID."""
    with (DATA / "MANIFEST.csv").open() as file:
        rows = [
            row for row in csv.DictReader(file) if row["state"] in SOUND and row["rows"] and row["sop_instance_uid"]
        ]
    kept = [row for row in rows if int(row["bytes"]) < LARGEST_BYTES]
    codecs = {*DECODERS, *syntaxes.JPEG_2000_FAMILY}
    return {row["sop_instance_uid"]: DATA / row["path"] for row in kept if row["transfer_syntax_uid"] in codecs}


@with_data
@with_dcmtk
async def test_every_compression_reaches_a_receiver_of_explicit_little_endian_alone(archive, workstation, tmp_path):
    images = compressed()
    assert len({received_of(path).transfer_syntax_uid for path in images.values()}) >= 10
    assert set(await Modality(archive.peer).store(list(images.values()))) == {0x0000}
    studies = [str(one.StudyInstanceUID) for one in await workstation.find("STUDY", StudyInstanceUID="")]
    (tmp_path / "came").mkdir()
    async with storescp(archive, tmp_path / "came", "+B"):
        outcome = await workstation.move("STUDY", destination="DCMTK", StudyInstanceUID=studies)
    assert (outcome.status, outcome.completed) == (0x0000, len(images))
    came = {str(one.SOPInstanceUID): one for one in map(dcmread, (tmp_path / "came").iterdir())}
    assert set(came) == set(images)
    for uid, path in images.items():
        assert came[uid].file_meta.TransferSyntaxUID == EXPLICIT
        await same_pixels(came[uid], path, tmp_path / "decoded.dcm")


async def same_pixels(came, path: Path, decoded: Path) -> None:
    """What came has the pixels that DCMTK, or another codec where DCMTK has none, makes of the file."""
    syntax = received_of(path).transfer_syntax_uid
    expected = dcmread(path)
    if syntax in DECODERS:
        status, said = await dcmtk(DECODERS[syntax], path, decoded)
        assert status == 0, said
        expected = dcmread(decoded)
    difference = came.pixel_array.astype(int) - expected.pixel_array
    assert came.PhotometricInterpretation in ("RGB", expected.PhotometricInterpretation), path
    if syntax in syntaxes.LOSSY:  # decoders round and interpolate colours each in their way
        assert abs(difference).mean() < 1, path
    else:
        assert not difference.any(), path


def an_image(syntax: str = EXPLICIT, **attributes):
    pixels = (numpy.arange(64 * 64, dtype="uint16") % 4000).tobytes()
    return an_object(transfer_syntax=syntax, **{"Rows": 64, "Columns": 64, "PixelData": pixels, **attributes})


@pytest.mark.parametrize(
    ("taken", "leaves_in"),
    [
        ((EXPLICIT, syntaxes.JPEG_LS), EXPLICIT),
        ((syntaxes.JPEG_LS, IMPLICIT), IMPLICIT),
        ((syntaxes.DEFLATED_EXPLICIT,), syntaxes.DEFLATED_EXPLICIT),
        ((syntaxes.JPEG_2000_LOSSLESS, syntaxes.JPEG_LS), syntaxes.JPEG_LS),
        ((syntaxes.JPEG_2000_LOSSLESS,), syntaxes.JPEG_2000_LOSSLESS),
        ((syntaxes.RLE,), syntaxes.RLE),
    ],
)
async def test_of_what_is_taken_the_object_leaves_in_what_costs_least(modality, workstation, taken, leaves_in):
    image = an_image()
    await modality.store(image)
    workstation.takes = taken
    outcome = await workstation.get("STUDY", StudyInstanceUID=image.StudyInstanceUID)
    assert outcome.status == 0x0000
    [came] = workstation.received
    assert (came.transfer_syntax_uid, came.sop_instance_uid) == (leaves_in, image.SOPInstanceUID)


async def test_nothing_becomes_lossy_unless_the_archive_is_told_so(archive, modality, workstation):
    image = an_image(BitsAllocated=8, BitsStored=8, HighBit=7, Rows=128)
    await modality.store(image)
    workstation.takes = [syntaxes.JPEG_BASELINE]
    outcome = await workstation.move("STUDY", StudyInstanceUID=image.StudyInstanceUID)
    assert (outcome.status, outcome.failed_uids) == (0xA702, (image.SOPInstanceUID,))
    await archive.run("settings", "set", "send_lossy", "true")
    outcome = await workstation.move("STUDY", StudyInstanceUID=image.StudyInstanceUID)
    assert outcome.status == 0x0000
    [came] = workstation.received
    assert came.transfer_syntax_uid == syntaxes.JPEG_BASELINE
    assert came.attributes.SOPInstanceUID == came.sop_instance_uid != image.SOPInstanceUID
    assert (came.attributes.LossyImageCompression, came.attributes.ImageType[0]) == ("01", "DERIVED")


async def test_what_is_edited_and_compressed_leaves_edited_and_uncompressed(archive, modality, workstation):
    image = an_image()
    plain = image.pixel_array.copy()
    image.compress(syntaxes.RLE, generate_instance_uid=False)
    await modality.store(image)
    await archive.run("archive", "edit", "study", str(image.StudyInstanceUID), "PatientName=Roe^Richard")
    workstation.takes = [IMPLICIT]
    outcome = await workstation.move("STUDY", StudyInstanceUID=image.StudyInstanceUID)
    assert outcome.status == 0x0000
    [came] = workstation.received
    attributes = came.attributes
    assert (came.transfer_syntax_uid, str(attributes.PatientName)) == (IMPLICIT, "Roe^Richard")
    assert attributes.PixelData == plain.tobytes()
