"""Real files are seen as DCMTK's dcm2pnm shows them, within one level of 256, and as pydicom computes them.

A third of them, or all with CHARRUA_TEST_ALL in the environment.
"""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.pixels import apply_modality_lut, apply_voi, apply_windowing

from charrua_core.imaging.render.voi import windows_of
from charrua_core.testing.images import as_stored
from charrua_core.testing.outside import DATA, dcmtk, with_data, with_dcmtk

pytestmark = [with_data, with_dcmtk]

# What dcm2pnm, dcmj2pnm and dcml2pnm decode.
READ_BY_DCMTK = {
    "Implicit VR Little Endian",
    "Explicit VR Little Endian",
    "Explicit VR Big Endian",
    "Deflated Explicit VR Little Endian",
    "RLE Lossless",
    "JPEG Baseline (Process 1)",
    "JPEG Extended (Process 2 and 4)",
    "JPEG Lossless, Non-Hierarchical (Process 14)",
    "JPEG Lossless, Non-Hierarchical, First-Order Prediction (Process 14 [Selection Value 1])",
    "JPEG-LS Lossless Image Compression",
    "JPEG-LS Lossy (Near-Lossless) Image Compression",
}
EXCEPTIONS = {
    "98892001/CT2N": "pixels that are no squares stay so in dcm2pnm",
    "us/color-p": "pixels that are no squares stay so in dcm2pnm",
    "CT1_": "dcm2pnm widens the window to Pixel Padding Value, -2000",
    "ct-ge-28/0": "twenty-eight of one kind: two of them will do",
    "RI6XDosiGap": "dcm2pnm rounds rescaled values from 0 to 0.4 to integers",
    "enhanced/": "dcm2pnm knows no functional groups and no floating-point pixels",
    "CT0012": "dcm2pnm knows no functional groups",
    "seg": "dcm2pnm shows single bits of 1 as half of white, and labels as they are",
    "liver": "dcm2pnm shows single bits of 1 as half of white",
    "gdcm-US-ALOKA-16": "dcm2pnm does not take its palette",
    "YBR_FULL-RLE": "dcm2pnm rounds the parts of green one by one, and is 2 levels off in 1 of 1000 pixels",
}
ONCE = ("series/", "dicomdir-set/", "charset/")
"""Folders of files that differ in little: the first of each folder is compared."""


def compared() -> list[str]:
    found: dict[str, str] = {}
    with (DATA / "MANIFEST.csv").open() as file:
        for row in csv.DictReader(file):
            path = row["path"]
            fit = (
                row["state"] == "ok"
                and row["pixel_decode"].startswith("ok")
                and row["transfer_syntax"] in READ_BY_DCMTK
            )
            if fit and not any(part in path for part in EXCEPTIONS):
                found.setdefault(str(Path(path).parent) if path.startswith(ONCE) else path, path)
    return list(found.values())[:: 1 if os.environ.get("CHARRUA_TEST_ALL") else 3]


async def shown_by_dcmtk(path: Path, frame: int, target: Path) -> np.ndarray:
    """What dcm2pnm makes of it with the object's first window, or VOI LUT, or else all values that there are."""
    image = as_stored(path)
    flags = []
    if image.pixel_format.samples_per_pixel == 1 and image.pixel_format.bits_stored > 1:
        if windows_of(image.attributes):
            flags = ["+Wi", "1"]
        elif image.attributes.items("VOILUTSequence"):
            flags = ["+Wl", "1"]
        elif image.pixel_format.bits_stored > 8:
            flags = ["+Wm"]
    for program in ("dcm2pnm", "dcmj2pnm", "dcml2pnm"):
        status, said = await dcmtk(program, *flags, "+F", frame, "+op", path, target)
        if status == 0:
            return np.asarray(Image.open(target)).astype(int)
    raise AssertionError(said)


@pytest.mark.parametrize("name", compared() if (DATA / "MANIFEST.csv").exists() else [])
async def test_a_real_file_is_seen_as_dcmtk_shows_it(seen, tmp_path, name):
    path = DATA / name
    frame = (as_stored(path).number_of_frames + 1) // 2
    theirs = await shown_by_dcmtk(path, frame, tmp_path / "theirs.pnm")
    ours = (await seen(path, frame)).astype(int)
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= 1


GREY = [
    "modality/lut/vlut_04.dcm",
    "modality/mr/MR-SIEMENS-DICOM-WithOverlays.dcm",
    "series/ct-ge-28/01.dcm",
    "series/pt-qin/000001.dcm",
    "ts/wg04-MR4/MR4_RLE",
]


@pytest.mark.parametrize("name", GREY)
async def test_a_second_opinion_of_pydicom(seen, name):
    dataset = pydicom.dcmread(DATA / name)
    values = apply_modality_lut(dataset.pixel_array, dataset)
    if "WindowCenter" in dataset:
        values = apply_windowing(values, dataset)
    elif "VOILUTSequence" in dataset:
        values = apply_voi(values, dataset)
    greatest = 2 ** dataset.VOILUTSequence[0].LUTDescriptor[2] - 1 if "VOILUTSequence" in dataset else None
    least, greatest = (0, greatest) if greatest else (values.min(), values.max())
    theirs = (values - least) / (greatest - least) * 255
    assert np.abs(await seen(DATA / name, overlays=False) - theirs).max() <= 1
