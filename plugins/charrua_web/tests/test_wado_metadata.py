"""WADO-RS of metadata and bulk data: what the index keeps, without a file; and the values that it leaves in the files."""

from __future__ import annotations

import asyncio
import random

import numpy as np
import pydicom
from dicomweb_client.api import DICOMwebClient
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, RLELossless

from charrua_core.testing.dicomweb import parts_of, path_of, trail_of
from charrua_core.testing.objects import a_study, an_object

JSON = {"Accept": "application/dicom+json"}
OCTETS = {"Accept": "application/octet-stream"}


def without_bulk(image: Dataset) -> dict:
    return {tag: element for tag, element in image.to_json_dict().items() if tag != "7FE00010"}


async def test_metadata_of_each_level_are_those_of_the_objects(modality, browse) -> None:
    study = a_study(series=2, images=3, PatientName="Müller^Jürgen", SpecificCharacterSet="ISO_IR 100")
    await modality.give(study)
    client = await browse()
    for depth, number in ((1, 6), (2, 3), (3, 1)):
        answer = await client.get(f"/dicom-web{path_of(study[0], depth)}/metadata", headers=JSON)
        assert answer.headers["content-type"] == "application/dicom+json"
        told = answer.json()
        assert len(told) == number
        for one, image in zip(told, study, strict=False):
            assert one.pop("7FE00010") == {
                "vr": "OW",
                "BulkDataURI": f"{client.base_url}/dicom-web{path_of(image)}/bulkdata/7FE00010".replace(
                    "//dicom", "/dicom"
                ),
            }
            assert Dataset.from_json(one).PatientName == image.PatientName
            assert set(one) == set(without_bulk(image))
    xml = parts_of(
        await client.get(
            f"/dicom-web{path_of(study[0], 2)}/metadata?accept=multipart/related;type=application/dicom%2bxml"
        )
    )
    assert [head["Content-Type"] for head, _ in xml] == ["application/dicom+xml"] * 3
    assert "Müller".encode() in xml[0][1]


async def test_metadata_need_no_file(archive, modality, browse) -> None:
    study = a_study(images=3)
    await modality.give(study)
    files = list(archive.data_dir.rglob("*.dcm"))
    assert len(files) == 3
    for file in files:
        file.unlink()
    answer = await (await browse()).get(f"/dicom-web{path_of(study[0], 2)}/metadata")
    assert len(answer.json()) == 3


async def test_a_tag_tells_whether_metadata_have_changed(archive, modality, browse) -> None:
    ct = an_object()
    mr = an_object(Modality="MR", StudyInstanceUID=ct.StudyInstanceUID)
    await modality.give(ct, mr)
    all_seeing, some_seeing = await browse(), await browse("Referring", {"Modality": ["CT"]})
    path = f"/dicom-web{path_of(ct, 1)}/metadata"
    first = await all_seeing.get(path)
    tag = first.headers["etag"]
    again = await all_seeing.get(path, headers={"If-None-Match": tag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    filtered = await some_seeing.get(path, headers={"If-None-Match": tag})
    assert [one["00080060"]["Value"] for one in filtered.json()] == [["CT"]]
    await archive.run("archive", "edit", "study", ct.StudyInstanceUID, "PatientName=Roe^Richard")
    edited = await all_seeing.get(path, headers={"If-None-Match": tag})
    assert {one["00100010"]["Value"][0]["Alphabetic"] for one in edited.json()} == {"Roe^Richard"}
    assert "04000561" in edited.json()[0]
    await modality.give(an_object(StudyInstanceUID=ct.StudyInstanceUID))
    more = await all_seeing.get(path, headers={"If-None-Match": edited.headers["etag"]})
    assert len(more.json()) == 3


async def test_metadata_and_values_are_for_who_may_see_them(archive, modality, browse) -> None:
    shown, hidden = an_object(), an_object(Modality="MR")
    await modality.give(shown, hidden)
    client = await browse("Referring", {"Modality": ["CT"]})
    ends = [(depth, end) for depth in (1, 2, 3) for end in ("metadata", "bulkdata")] + [(3, "bulkdata/7FE00010")]
    for depth, end in ends:
        assert (await client.get(f"/dicom-web{path_of(shown, depth)}/{end}")).status_code == 200, end
        assert (await client.get(f"/dicom-web{path_of(hidden, depth)}/{end}")).status_code == 404, end
    for event in ("110103", "110104"):
        told = await trail_of(archive, "referring1", event)
        assert {tuple(one["study_uids"]) for one in told} == {(shown.StudyInstanceUID,)}


def a_waveform() -> Dataset:
    """An object with values in items, too long for the index."""
    items = []
    for number in (1, 2):
        item = Dataset()
        item.WaveformBitsAllocated = 16
        item.add_new("WaveformData", "OW", random.Random(number).randbytes(4000))
        items.append(item)
    return an_object(WaveformSequence=items)


async def test_each_bulk_data_uri_gives_its_value(modality, browse) -> None:
    image = a_waveform()
    await modality.give(image)
    client = await browse()
    (told,) = (await client.get(f"/dicom-web{path_of(image)}/metadata")).json()
    items = told["54000100"]["Value"]
    values = {told["7FE00010"]["BulkDataURI"]: image.PixelData}
    for item, sent in zip(items, image.WaveformSequence, strict=True):
        values[item["54001010"]["BulkDataURI"]] = sent.WaveformData
    for uri, value in values.items():
        answer = await client.get(uri, headers=OCTETS)
        assert (answer.headers["content-type"], answer.content) == ("application/octet-stream", value)
        ((head, content),) = parts_of(await client.get(uri, headers={"Accept": "multipart/related"}))
        assert (head["Content-Location"], content) == (uri, value)
    parts = parts_of(await client.get(f"/dicom-web{path_of(image, 1)}/bulkdata"))
    assert {head["Content-Location"]: content for head, content in parts} == values


async def test_a_value_is_had_by_ranges(modality, browse) -> None:
    image = an_object()
    await modality.give(image)
    client, path = await browse(), f"/dicom-web{path_of(image)}/bulkdata/7FE00010"
    part = await client.get(path, headers={**OCTETS, "Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, image.PixelData[10:20])
    assert part.headers["content-range"] == "bytes 10-19/128"
    whole = await client.get(path, headers={**OCTETS, "Range": "bytes=0-1,5-6"})
    assert (whole.status_code, whole.content) == (200, image.PixelData)
    assert (await client.get(path, headers={**OCTETS, "Range": "bytes=128-"})).status_code == 416
    tag = part.headers["etag"]
    assert (await client.get(path, headers={**OCTETS, "If-None-Match": tag})).status_code == 304
    for missing in ("00091010", "7FE00010/0/7FE00010", "nonsense", "7fe00010"):
        assert (await client.get(f"/dicom-web{path_of(image)}/bulkdata/{missing}")).status_code == 404


async def test_pixels_are_little_endian_and_compressed_ones_come_by_frame(modality, browse) -> None:
    pixels = np.arange(3 * 64, dtype="<u2").tobytes()
    frames = {"NumberOfFrames": 3, "PixelData": pixels}
    big = an_object(
        transfer_syntax=ExplicitVRBigEndian, **{**frames, "PixelData": np.arange(3 * 64, dtype=">u2").tobytes()}
    )
    packed = an_object(**frames)
    packed.compress(RLELossless, generate_instance_uid=False)
    await modality.give(big, packed)
    client = await browse()
    assert (await client.get(f"/dicom-web{path_of(big)}/bulkdata/7FE00010", headers=OCTETS)).content == pixels
    parts = parts_of(await client.get(f"/dicom-web{path_of(packed)}/bulkdata/7FE00010"))
    assert b"".join(content for _, content in parts) == pixels


async def test_an_edited_value_is_not_told_as_it_was(archive, modality, browse) -> None:
    image = an_object()
    await modality.give(image)
    await archive.run("archive", "edit", "study", image.StudyInstanceUID, "PatientName=Roe^Richard")
    answer = await (await browse()).get(f"/dicom-web{path_of(image)}/bulkdata/00100010", headers=OCTETS)
    assert answer.content == b"Roe^Richard"


async def test_dicomweb_client_retrieves_metadata_and_bulk_data(archive, modality) -> None:
    study = a_study(series=2, images=2)
    await modality.give(study)
    client = DICOMwebClient(f"{archive.url}/dicom-web", headers={"Authorization": f"Bearer {await archive.token()}"})
    uids = (study[0].StudyInstanceUID, study[0].SeriesInstanceUID, study[0].SOPInstanceUID)
    assert len(await asyncio.to_thread(client.retrieve_study_metadata, uids[0])) == 4
    assert len(await asyncio.to_thread(client.retrieve_series_metadata, *uids[:2])) == 2
    told = await asyncio.to_thread(client.retrieve_instance_metadata, *uids)
    assert told["00080018"]["Value"] == [uids[2]]
    # The client leaves the port out of its header Host, and with it out of the URIs that it is told.
    uri = told["7FE00010"]["BulkDataURI"].replace("http://127.0.0.1", archive.url)
    values = await asyncio.to_thread(client.retrieve_bulkdata, uri)
    assert values == [study[0].PixelData]
    (read,) = [pydicom.Dataset.from_json(one) for one in [told] if one.pop("7FE00010")]
    assert read.PatientID == study[0].PatientID
