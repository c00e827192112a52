"""One story of the whole: real series go in by STOW-RS, and are found and fetched by every service, and over DIMSE."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from dicomweb_client.api import DICOMwebClient
from pydicom import dcmread
from pydicom.dataset import Dataset

from charrua_core.testing.outside import DATA, dcmtk, with_data, with_dcmtk

PIXEL_DATA = "7FE00010"
FILES = [*sorted((DATA / "series" / "mr-16").glob("*.dcm")), *sorted((DATA / "series" / "ct-ge-28").glob("*.dcm"))[:8]]

pytestmark = [with_data, with_dcmtk]


class Given:
    """What is stored."""

    def __init__(self) -> None:
        self.objects = {one.SOPInstanceUID: one for one in map(dcmread, FILES)}
        self.series: dict[tuple[str, str], list[Dataset]] = defaultdict(list)
        for one in self.objects.values():
            self.series[one.StudyInstanceUID, one.SeriesInstanceUID].append(one)
        self.studies = {study for study, _ in self.series}


def value(attributes: dict, tag: str):
    return attributes[tag]["Value"][0]


def same(told: Dataset, given: Dataset) -> bool:
    """Whether an object came back as it was, but for group lengths and padding, which nobody has to keep."""
    return [one for one in told if one.tag.element] == [
        one for one in given if one.tag.element and one.tag != 0xFFFCFFFC
    ]


async def test_series_go_in_and_are_found_and_fetched_by_every_service(archive, workstation, tmp_path) -> None:
    given = Given()
    token = await archive.token("Radiologist")
    # dicomweb-client names the server without its port: the addresses that it is told could not be used.
    await archive.run("settings", "set", "web_url", archive.url)
    client = DICOMwebClient(f"{archive.url}/dicom-web", headers={"Authorization": f"Bearer {token}"})
    await asyncio.to_thread(stow, client, given)
    for check in (qido, metadata, frames, rendered, bulk_data, instances):
        await asyncio.to_thread(check, client, given)
    await dimse(archive, given, tmp_path)


def stow(client: DICOMwebClient, given: Given) -> None:
    for objects in given.series.values():
        answer = client.store_instances(objects)
        assert {one.ReferencedSOPInstanceUID for one in answer.ReferencedSOPSequence} == {
            one.SOPInstanceUID for one in objects
        }
        assert "FailedSOPSequence" not in answer


def qido(client: DICOMwebClient, given: Given) -> None:
    studies = client.search_for_studies(fields=["ModalitiesInStudy"])
    assert {value(one, "0020000D") for one in studies} == given.studies
    for study, series in given.series:
        (patient,) = {str(one.PatientID) for one in given.series[study, series]}
        found = client.search_for_studies(search_filters={"PatientID": patient})
        assert study in {value(one, "0020000D") for one in found}
        assert series in {value(one, "0020000E") for one in client.search_for_series(study)}
        images = client.search_for_instances(study, series, fields=["InstanceNumber", "SliceLocation"])
        told = {value(one, "00080018"): value(one, "00200013") for one in images}
        assert told == {one.SOPInstanceUID: one.InstanceNumber for one in given.series[study, series]}


def metadata(client: DICOMwebClient, given: Given) -> None:
    for (study, series), objects in given.series.items():
        told = client.retrieve_series_metadata(study, series)
        assert {value(one, "00080018") for one in told} == {one.SOPInstanceUID for one in objects}
        for attributes in told:
            original = given.objects[value(attributes, "00080018")]
            assert attributes[PIXEL_DATA]["BulkDataURI"]
            for one in original:
                if (
                    one.VR in ("LO", "CS", "UI", "IS", "DA", "TM")
                    and one.value
                    and one.tag.element
                    and not one.tag.is_private
                ):
                    values = one.value if one.VM > 1 else [one.value]
                    assert list(map(str, attributes[f"{int(one.tag):08X}"]["Value"])) == list(map(str, values))


def frames(client: DICOMwebClient, given: Given) -> None:
    for one in given.objects.values():
        uids = one.StudyInstanceUID, one.SeriesInstanceUID, one.SOPInstanceUID
        assert client.retrieve_instance_frames(*uids, frame_numbers=[1]) == [one.PixelData]


def rendered(client: DICOMwebClient, given: Given) -> None:
    for study, series in given.series:
        one = given.series[study, series][0]
        picture = client.retrieve_instance_rendered(study, series, one.SOPInstanceUID, media_types=("image/png",))
        assert picture.startswith(b"\x89PNG")
        assert int.from_bytes(picture[16:20]) == one.Columns


def bulk_data(client: DICOMwebClient, given: Given) -> None:
    for study, series in given.series:
        for attributes in client.retrieve_series_metadata(study, series)[:3]:
            (told,) = client.retrieve_bulkdata(attributes[PIXEL_DATA]["BulkDataURI"])
            assert told == given.objects[value(attributes, "00080018")].PixelData


def instances(client: DICOMwebClient, given: Given) -> None:
    for study in given.studies:
        told = client.retrieve_study(study)
        assert {one.SOPInstanceUID for one in told} == {
            one.SOPInstanceUID for one in given.objects.values() if one.StudyInstanceUID == study
        }
        assert [one.SOPInstanceUID for one in told if not same(one, given.objects[one.SOPInstanceUID])] == []


async def dimse(archive, given: Given, folder) -> None:
    """The same objects by C-FIND and C-GET."""
    called = ("-S", "-aet", "WORKSTATION", "-aec", archive.peer.aet, archive.peer.host, str(archive.peer.port))
    for study, series in given.series:
        keys = ("-k", f"StudyInstanceUID={study}", "-k", f"SeriesInstanceUID={series}")
        status, said = await dcmtk("findscu", *called, "-k", "QueryRetrieveLevel=IMAGE", *keys, "-k", "SOPInstanceUID")
        assert status == 0, said
        assert all(one.SOPInstanceUID in said for one in given.series[study, series])
        status, said = await dcmtk("getscu", "+B", "-od", folder, *called, "-k", "QueryRetrieveLevel=SERIES", *keys)
        assert status == 0, said
    fetched = [dcmread(path) for path in folder.iterdir() if path.is_file() and not path.name.endswith(".log")]
    assert {one.SOPInstanceUID for one in fetched} == set(given.objects)
    assert [one.SOPInstanceUID for one in fetched if not same(one, given.objects[one.SOPInstanceUID])] == []
