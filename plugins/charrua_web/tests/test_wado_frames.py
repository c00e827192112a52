"""WADO-RS of frames: each in the form that was asked for, and errors where there is none."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
from dicomweb_client.api import DICOMwebClient
from pydicom.uid import (
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from charrua_core.testing.dicomweb import parts_of, path_of, trail_of
from charrua_core.testing.objects import a_study, an_object

FRAMES = [(np.arange(32 * 32, dtype=np.uint16) * number % 4096).reshape(32, 32) for number in (1, 2, 3)]


def an_image(syntax: str = ExplicitVRLittleEndian, **attributes: Any):
    """Three frames, native or in run length encoding."""
    pixels = b"".join(frame.tobytes() for frame in FRAMES)
    image = an_object(Rows=32, Columns=32, NumberOfFrames=3, PixelData=pixels, **attributes)
    if syntax == RLELossless:
        image.compress(RLELossless, generate_instance_uid=False)
    return image


@pytest.fixture
async def stored(modality):
    """A native image and one in run length encoding."""
    images = {syntax: an_image(syntax) for syntax in (ExplicitVRLittleEndian, RLELossless)}
    await modality.give(*images.values())
    return images


OCTETS = f"application/octet-stream; transfer-syntax={ExplicitVRLittleEndian}"
# What is accepted → the type of a part of the native image's answer, of the compressed one's; "" where there is none.
FORMS = {
    "": (OCTETS, OCTETS),
    "multipart/related; type=application/octet-stream": (OCTETS, OCTETS),
    'multipart/related; type="application/octet-stream"; transfer-syntax=*': (
        OCTETS,
        f"application/octet-stream; transfer-syntax={RLELossless}",
    ),
    "*/*; transfer-syntax=*": (OCTETS, f"image/dicom-rle; transfer-syntax={RLELossless}"),
    "multipart/related; type=image/dicom-rle": (f"image/dicom-rle; transfer-syntax={RLELossless}",) * 2,
    "multipart/related; type=image/jls": (f"image/jls; transfer-syntax={JPEGLSLossless}",) * 2,
    "multipart/related; type=image/jp2": (f"image/jp2; transfer-syntax={JPEG2000Lossless}",) * 2,
    "multipart/related; type=image/jphc": (f"image/jphc; transfer-syntax={HTJ2KLossless}",) * 2,
    f"multipart/related; type=image/jls; transfer-syntax={JPEGLSLossless}, */*;q=0.1": (
        f"image/jls; transfer-syntax={JPEGLSLossless}",
    )
    * 2,
    f"multipart/related; type=image/jpeg; transfer-syntax={JPEGBaseline8Bit}": ("", ""),
    "multipart/related; type=video/mp4": ("", ""),
    "text/html": ("", ""),
}


async def test_frames_have_the_form_that_is_accepted_and_lose_nothing(stored, browse) -> None:
    client = await browse()
    for accept, kinds in FORMS.items():
        for image, kind in zip(stored.values(), kinds, strict=True):
            path = f"/dicom-web{path_of(image)}/frames/3,1"
            answer = await client.get(path, headers={"Accept": accept})
            if not kind:
                assert answer.status_code == 406, accept
                continue
            parts = parts_of(answer)
            assert [head["Content-Type"] for head, _ in parts] == [kind, kind], accept
            assert [head["Content-Location"][-9:] for head, _ in parts] == ["/frames/3", "/frames/1"]
            for (_, data), frame in zip(parts, (FRAMES[2], FRAMES[0]), strict=True):
                assert np.array_equal(decoded(data, kind), frame), accept


def decoded(data: bytes, kind: str) -> np.ndarray:
    import imagecodecs
    from pydicom.pixels.decoders.rle import _rle_decode_frame

    kind, _, syntax = kind.partition("; transfer-syntax=")
    if syntax == RLELossless:
        return np.frombuffer(_rle_decode_frame(data, 32, 32, 1, 16), "<u2").reshape(32, 32)
    decoders = {
        "application/octet-stream": lambda data: np.frombuffer(data, "<u2").reshape(32, 32),
        "image/jls": imagecodecs.jpegls_decode,
        "image/jp2": imagecodecs.jpeg2k_decode,
        "image/jphc": imagecodecs.jpeg2k_decode,
    }
    return decoders[kind](data)


async def test_one_frame_may_be_had_without_parts_around_it(stored, browse) -> None:
    client, (image, *_) = await browse(), stored.values()
    headers = {"Accept": "application/octet-stream"}
    answer = await client.get(f"/dicom-web{path_of(image)}/frames/2", headers=headers)
    assert (answer.headers["content-type"], answer.content) == (OCTETS, FRAMES[1].tobytes())
    assert answer.headers["content-length"] == "2048"
    assert (await client.get(f"/dicom-web{path_of(image)}/frames/1,2", headers=headers)).status_code == 406


async def test_frames_that_are_none(modality, stored, browse) -> None:
    client, (image, *_) = await browse(), stored.values()
    report = an_object(Modality="SR", SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11", PixelData=None, Rows=None)
    await modality.give(report)
    for frames, status in {"4": 404, "1,4": 404, "0": 400, "-1": 400, "1,,2": 400, "one": 400, "1 ": 400}.items():
        answer = await client.get(f"/dicom-web{path_of(image)}/frames/{frames}")
        assert answer.status_code == status, frames
    assert (await client.get(f"/dicom-web{path_of(report)}/frames/1")).status_code == 422


async def test_frames_are_for_who_may_see_them_and_are_in_the_audit_trail(archive, modality, stored, browse) -> None:
    hidden = an_image(Modality="MR")
    await modality.give(hidden)
    client, (image, *_) = await browse("Referring", {"Modality": ["CT"]}), stored.values()
    assert (await client.get(f"/dicom-web{path_of(hidden)}/frames/1")).status_code == 404
    assert (await client.get(f"/dicom-web{path_of(image)}/frames/1")).status_code == 200
    (told,) = await trail_of(archive, "referring1", "110104")
    assert told["study_uids"] == [image.StudyInstanceUID]


async def test_what_is_deleted_is_gone_from_the_next_request_on(archive, stored, browse) -> None:
    client, (image, *_) = await browse(), stored.values()
    path = f"/dicom-web{path_of(image)}/frames/1"
    assert (await client.get(path)).status_code == 200
    await archive.run("archive", "delete", "study", image.StudyInstanceUID, "--reason", "test")
    assert (await client.get(path)).status_code == 404


async def test_a_series_that_is_moved_is_found_in_its_new_study_alone(archive, modality, browse) -> None:
    series, other = a_study(images=3), an_object()
    await modality.give(series, other)
    client = await browse()
    for image in series:  # one after another, as a viewer asks: what is found is kept for the next
        assert (await client.get(f"/dicom-web{path_of(image)}/frames/1")).status_code == 200
    await archive.run("archive", "assign-series", series[0].SeriesInstanceUID, other.StudyInstanceUID)
    for image in series:
        path = path_of(image)
        assert (await client.get(f"/dicom-web{path}/frames/1")).status_code == 404
        moved = path.replace(image.StudyInstanceUID, other.StudyInstanceUID)
        assert (await client.get(f"/dicom-web{moved}/frames/1")).status_code == 200


async def test_what_one_caller_was_given_is_not_kept_for_another(modality, browse) -> None:
    series = a_study(images=3, Modality="MR")
    await modality.give(series)
    all_seeing, some_seeing = await browse(), await browse("Referring", {"Modality": ["CT"]})
    for image in series:
        path = f"/dicom-web{path_of(image)}/frames/1"
        assert (await all_seeing.get(path)).status_code == 200
        assert (await some_seeing.get(path)).status_code == 404


async def test_dicomweb_client_retrieves_frames(archive, stored) -> None:
    headers = {"Authorization": f"Bearer {await archive.token()}"}
    client = DICOMwebClient(f"{archive.url}/dicom-web", headers=headers)
    for image in stored.values():
        uids = (image.StudyInstanceUID, image.SeriesInstanceUID, image.SOPInstanceUID)
        frames = await asyncio.to_thread(client.retrieve_instance_frames, *uids, [1, 3])
        assert frames == [FRAMES[0].tobytes(), FRAMES[2].tobytes()]
