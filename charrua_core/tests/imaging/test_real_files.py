"""Every image of the real files decodes to what an independent decoder makes of it.

DCMTK stands for JPEG, JPEG-LS and RLE, pydicom's own code for native frames, Pillow (another build of OpenJPEG) for JPEG
2000 and pylibjpeg-openjpeg for HTJ2K. Lossless frames must be equal; of lossy ones, samples may differ by `TOLERANCE`.
"""

from __future__ import annotations

import csv
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels import pixel_array

from charrua_core.archive.datasets.header import scan
from charrua_core.errors import CharruaError, FrameUndecodable, HeaderDamaged, ImageInvalid
from charrua_core.imaging import Decoded, PixelFormat, native_frame
from charrua_core.imaging.codecs import LOSSY, NATIVE, decode_frame
from charrua_core.testing.devices import received_of
from charrua_core.testing.outside import DATA, program, with_data, with_dcmtk

TOLERANCE = 2
EVERY_FRAME = "CHARRUA_TEST_ALL" in os.environ
"""Else the first, the middle and the last."""
JPEG = {f"1.2.840.10008.1.2.4.{number}": "dcmdjpeg" for number in (50, 51, 57, 70)}
DCMTK = {
    **JPEG,
    "1.2.840.10008.1.2.4.80": "dcmdjpls",
    "1.2.840.10008.1.2.4.81": "dcmdjpls",
    "1.2.840.10008.1.2.5": "dcmdrle",
}
JPEG_2000 = ("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91")
NOT_BY_PILLOW = "ts/j2k-lossless/GDCMJ2K_TextGBR.dcm"  # it has boxes of JP2 around the code stream
DEFLATED_FRAMES = "1.2.840.10008.1.2.8.1"

NO_IMAGES = {
    "charset/chrJapMulti.dcm": "no Pixel Data",
    "charset/chrJapMultiExplicitIR6.dcm": "no Pixel Data",
    "charset/chrKoreanMulti.dcm": "no Pixel Data",
    "odd/csa_slice_norm.dcm": "no Pixel Data",
    "odd/PrivateMDNTags.dcm": "no transfer syntax",
}
UNDECODABLE: dict[str, tuple[type[CharruaError], str]] = {
    # The stream's SIZ segment is damaged by what pydicom's authors put into it; no decoder takes it.
    "malformed/JPEG2000-embedded-sequence-delimiter.dcm": (FrameUndecodable, "the stream has 1024 × "),
    # The last 62 bytes are missing.
    "malformed/MR_truncated.dcm": (FrameUndecodable, "8130 bytes of 8192"),
    "malformed/badVR.dcm": (ImageInvalid, "number_of_frames is no number"),
}
NOT_BY_OTHERS = {"malformed/GH364.dcm": "DCMTK does not read its sequences; the frame is whole"}

NEEDED_META = ("TransferSyntaxUID", "MediaStorageSOPClassUID", "MediaStorageSOPInstanceUID")


def _images() -> list[Any]:
    if not (DATA / "MANIFEST.csv").exists():
        return []
    with (DATA / "MANIFEST.csv").open() as manifest:
        rows = [row for row in csv.DictReader(manifest) if row["rows"] and row["path"] not in NO_IMAGES]
    return [pytest.param(row["path"], row["transfer_syntax_uid"], id=row["path"]) for row in rows]


def _decoded(dataset: Dataset, pixel_format: PixelFormat, index: int) -> Decoded:
    if pixel_format.transfer_syntax_uid not in NATIVE:
        return decode_frame(
            get_frame(dataset.PixelData, index, number_of_frames=pixel_format.number_of_frames), pixel_format
        )
    keyword = next(name for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData") if name in dataset)
    place = native_frame(pixel_format, index)
    value = dataset[keyword].value[place.offset : place.offset + place.length]
    return decode_frame(value, pixel_format, place.skipped_bits)


class Reference:
    """An object as somebody else decodes it."""

    def __init__(self, path: Path, dataset: Dataset, uid: str, folder: Path) -> None:
        self._dataset, self._plugin = dataset, "pillow" if uid in JPEG_2000 and NOT_BY_PILLOW not in str(path) else ""
        if uid in DCMTK:
            decoded = folder / "decoded.dcm"
            subprocess.run([program(DCMTK[uid]) or "", path, decoded], check=True, capture_output=True)
            self._dataset = pydicom.dcmread(decoded)
        elif uid == DEFLATED_FRAMES:  # nobody else decodes it: the object that it was made from
            self._dataset = pydicom.dcmread(DATA / "seg" / "liver.dcm")

    def frame(self, index: int) -> NDArray[Any]:
        number = int(self._dataset.get("NumberOfFrames", 1) or 1)
        return pixel_array(self._dataset, index=index if number > 1 else None, raw=True, decoding_plugin=self._plugin)

    @property
    def photometric_interpretation(self) -> str:
        return str(self._dataset.PhotometricInterpretation)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("decoded")


@with_data
@with_dcmtk
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "uid"), _images())
def test_an_image_is_decoded_as_others_decode_it(name: str, uid: str, folder: Path) -> None:
    dataset = pydicom.dcmread(DATA / name, force=True)
    if name in UNDECODABLE:
        error, message = UNDECODABLE[name]
        with pytest.raises(error, match=message):
            _decoded(dataset, PixelFormat.from_dataset(dataset, uid), 0)
        return
    pixel_format = PixelFormat.from_dataset(dataset, uid)
    reference = None if name in NOT_BY_OTHERS else Reference(DATA / name, dataset, uid, folder)
    last = pixel_format.number_of_frames - 1
    for index in range(last + 1) if EVERY_FRAME else sorted({0, last // 2, last}):
        decoded = _decoded(dataset, pixel_format, index)
        assert (decoded.pixels.shape, decoded.pixels.dtype) == (pixel_format.shape, pixel_format.dtype)
        if reference is not None:
            difference = np.abs(decoded.pixels.astype("f8") - reference.frame(index)).max()
            assert difference <= (TOLERANCE if uid in LOSSY else 0)
            if uid in JPEG:
                assert decoded.photometric_interpretation == reference.photometric_interpretation


@with_data
@pytest.mark.filterwarnings("ignore")
def test_the_index_says_of_an_image_what_the_object_says() -> None:
    different = []
    for name, uid in (parameters.values for parameters in _images()):
        dataset = pydicom.dcmread(DATA / name, force=True)
        if name in UNDECODABLE or not all(keyword in dataset.file_meta for keyword in NEEDED_META):
            continue
        try:
            header = scan(received_of(DATA / name).data_set, uid)
        except HeaderDamaged:  # not admitted to the archive
            continue
        if PixelFormat.from_json(orjson.loads(header.json), uid) != PixelFormat.from_dataset(dataset, uid):
            different.append(name)
    assert different == []
