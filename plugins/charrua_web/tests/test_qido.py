"""QIDO-RS at the real socket: what is asked in a URL, and who is told what."""

from __future__ import annotations

import pytest

from charrua_core.testing.shelf import Shelf

BASES = ("/dicom-web", "/qido-rs")
STUDY_UID, SERIES_UID, SOP_UID = "0020000D", "0020000E", "00080018"
REQUEST = {"ScheduledProcedureStepID": "S1", "RequestedProcedureID": "RP1"}
REFERENCED = {"ReferencedSOPInstanceUID": "1.9.9", "ReferencedSOPClassUID": "1.2"}


@pytest.fixture
async def shelf(db):
    async with db.driver() as connection:
        yield Shelf(connection)


def values(answer, tag: str) -> list:
    """The first value of an attribute of each match."""
    assert answer.status_code == 200, answer.text
    return [one.get(tag, {}).get("Value", [None])[0] for one in answer.json()]


async def three_studies(shelf) -> None:
    """1.1: Núñez, CT and SR, newest; 1.2: Doe, MR, asked by a request; 1.3: without birth date, oldest."""
    await shelf.study(
        [{"Modality": "CT", "InstanceNumber": n, "SeriesNumber": 2, "SeriesDescription": "axial"} for n in (2, 10, 1)],
        [{"Modality": "SR", "SeriesNumber": 1, "SOPInstanceUID": None}],
        StudyInstanceUID="1.1",
        PatientID="A1",
        PatientName="Núñez^José",
        PatientBirthDate="19700101",
        StudyDate="20240301",
        StudyTime="101500",
        AccessionNumber="ACC1",
        StudyDescription="TÓRAX",
        StudyID="S1",
    )
    await shelf.study(
        [
            {
                "Modality": "MR",
                "SeriesNumber": 1,
                "RequestAttributesSequence": REQUEST,
                "ReferencedImageSequence": REFERENCED,
            }
        ],
        StudyInstanceUID="1.2",
        PatientID="B2",
        PatientName="Doe^Jane^Ann=山田^花子",
        PatientBirthDate="19800101",
        StudyDate="20240215",
        StudyTime="093000",
        AccessionNumber="ACC2",
        StudyDescription="Brain",
        ProcedureCodeSequence={"CodeValue": "P1", "CodeMeaning": "Brain MR"},
    )
    await shelf.study(
        [{"Modality": "CT", "SeriesNumber": 3, "KVP": 120}],
        StudyInstanceUID="1.3",
        PatientID="B*",
        PatientName="Roe^Ann",
        PatientBirthDate="",
        StudyDate="20230101",
        AccessionNumber="",
        StudyDescription="",
    )


STUDIES = [
    ("", ["1.1", "1.2", "1.3"]),
    ("PatientID=A1", ["1.1"]),
    ("00100020=A1", ["1.1"]),
    ("PatientID=a1", []),
    ("PatientID=", ["1.1", "1.2", "1.3"]),
    ("PatientID=*", ["1.1", "1.2", "1.3"]),
    ("PatientID=B*", ["1.2", "1.3"]),
    ("PatientID=?2", ["1.2"]),
    ("PatientName=nunez*", ["1.1"]),
    ("PatientName=N%C3%9A%C3%91EZ%5Ejos%C3%A9", ["1.1"]),
    ("PatientName=doe", []),
    ("PatientName=%E5%B1%B1%E7%94%B0*", ["1.2"]),
    ("PatientName=jan%20do&fuzzymatching=true", ["1.2"]),
    ("PatientName=ann&fuzzymatching=true", ["1.2", "1.3"]),
    ("PatientName=ann&fuzzymatching=false", []),
    ("StudyDate=20240215", ["1.2"]),
    ("StudyDate=20240215-", ["1.1", "1.2"]),
    ("StudyDate=-20240215", ["1.2", "1.3"]),
    ("StudyDate=20240101-20240229&StudyTime=0900-1000", ["1.2"]),
    ("StudyModality=SR", ["1.1"]),
    ("ModalitiesInStudy=SR,MR", ["1.1", "1.2"]),
    ("ModalitiesInStudy=SR&ModalitiesInStudy=MR", ["1.1", "1.2"]),
    ("ModalitiesInStudy=S*", ["1.1"]),
    ("Modality=MR", ["1.2"]),
    ("PatientBD=19700101", ["1.1"]),
    ('PatientBirthDate=""', ["1.3"]),
    ('AccessionNumber=""&emptyvaluematching=true', ["1.3"]),
    ("AccessionNumber=ACC1%5CACC2", ["1.1", "1.2"]),
    ("AccessionNumber=ACC1%5CACC2&multiplevaluematching=true", ["1.1", "1.2"]),
    ("AccessionNumber=ACC1%5CACC2&multiplevaluematching=false", []),
    ("StudyInstanceUID=1.1,1.3,1.9", ["1.1", "1.3"]),
    ("StudyInstanceUID=1.1%5C1.3", ["1.1", "1.3"]),
    ("0020000D=1.2&PatientID=A1", []),
    ("StudyDescription=torax", ["1.1"]),
    ("StudyDescription=*r*", ["1.1", "1.2"]),
    ("ProcedureCodeSequence.CodeValue=P1", ["1.2"]),
    ("00081032.00080100=P*&00081032.CodeMeaning=brain*", ["1.2"]),
    ("00081032.00080100=P2", []),
    ("NumberOfStudyRelatedInstances=4", ["1.1"]),
    ("limit=1", ["1.1"]),
    ("limit=1&offset=1", ["1.2"]),
    ("limit=0", []),
    ("offset=7", []),
    ("after=1.1", ["1.2", "1.3"]),
    ("after=1.1&limit=1", ["1.2"]),
    ("orderby=PatientName", ["1.2", "1.1", "1.3"]),
    ("orderby=-PatientBirthDate", ["1.2", "1.1", "1.3"]),
    ("orderby=StudyDate&offset=1&limit=1", ["1.2"]),
]


async def test_studies_are_found(archive, browse, shelf) -> None:
    await three_studies(shelf)
    client = await browse()
    for query, expected in STUDIES:
        answer = await client.get(f"/dicom-web/studies?{query}")
        assert (query, values(answer, STUDY_UID)) == (query, expected)


BELOW = [
    ("/series", SERIES_UID, ["1.1.1", "1.1.2", "1.2.1", "1.3.1"]),
    ("/studies/1.1/series", SERIES_UID, ["1.1.2", "1.1.1"]),
    ("/studies/1.1/series?Modality=CT", SERIES_UID, ["1.1.1"]),
    ("/studies/1.1/series?StudyInstanceUID=1.1&SeriesNumber=1", SERIES_UID, ["1.1.2"]),
    ("/studies/1.1/series?StudyInstanceUID=1.2", SERIES_UID, []),
    ("/studies/1.9/series", SERIES_UID, []),
    ("/series?PatientName=nunez*&Modality=SR", SERIES_UID, ["1.1.2"]),
    ("/series?RequestAttributesSequence.ScheduledProcedureStepID=S1", SERIES_UID, ["1.2.1"]),
    ("/series?StudyInstanceUID=1.1", SERIES_UID, ["1.1.2", "1.1.1"]),
    ("/instances?StudyDate=2024&Modality=MR", SOP_UID, ["1.2.1.1"]),
    ("/instances?00081140.00081155=1.9.9", SOP_UID, ["1.2.1.1"]),
    ("/instances?00081140.00081155=1.9.8,1.9.9", SOP_UID, ["1.2.1.1"]),
    ("/instances?KVP=120.0", SOP_UID, ["1.3.1.1"]),
    ("/studies/1.1/instances", SOP_UID, ["1.1.2.1", "1.1.1.3", "1.1.1.1", "1.1.1.2"]),
    ("/studies/1.1/instances?limit=2&offset=1", SOP_UID, ["1.1.1.3", "1.1.1.1"]),
    ("/studies/1.1/instances?after=1.1.1.3", SOP_UID, ["1.1.1.1", "1.1.1.2"]),
    ("/studies/1.1/series/1.1.1/instances", SOP_UID, ["1.1.1.3", "1.1.1.1", "1.1.1.2"]),
    ("/studies/1.1/series/1.1.1/instances?InstanceNumber=10", SOP_UID, ["1.1.1.2"]),
    ("/studies/1.1/series/1.1.1/instances?ImageNumber=10", SOP_UID, ["1.1.1.2"]),
    ("/studies/1.2/series/1.1.1/instances", SOP_UID, []),
]


async def test_series_and_instances_are_found(archive, browse, shelf) -> None:
    await three_studies(shelf)
    client = await browse()
    for base in BASES:
        for path, tag, expected in BELOW:
            assert (path, values(await client.get(base + path), tag)) == (path, expected)


async def test_sortorder_is_as_the_manual_has_it(archive, browse, shelf) -> None:
    given = [(2, 1, "-10", "1000"), (1, 2, "5", "0900"), (1, 1, "20", ""), (2, 2, "", "1100")]
    keywords = ("AcquisitionNumber", "InstanceNumber", "SliceLocation", "AcquisitionTime")
    await shelf.study([dict(zip(keywords, one, strict=True)) for one in given], StudyInstanceUID="1.1")
    client = await browse()
    expected = {0: "1324", 1: "3214", 2: "3124", 3: "1234", 4: "3214", 5: "2143"}
    for order, places in expected.items():
        found = await client.get(f"/qido-rs/studies/1.1/series/1.1.1/instances?sortorder={order}")
        assert (order, [uid[-1] for uid in values(found, SOP_UID)]) == (order, list(places))


TOLD = "00080020 00080030 00080050 00080056 00080061 00080090 00081030 00081190 00100010 00100020 00100030 00100040 0020000D"
TOLD_OF_SERIES = "00080056 00080060 0008103E 00081190 0020000D 0020000E 00200011 00201209 00400244 00400245 00400275"


async def test_what_is_told_of_a_study(archive, browse, shelf) -> None:
    await three_studies(shelf)
    client = await browse()
    [study] = (await client.get("/dicom-web/studies?PatientID=A1")).json()
    assert list(study) == [*TOLD.split(), "00200010", "00201206", "00201208"]
    assert study["00081190"] == {"vr": "UR", "Value": [f"{archive.url}/dicom-web/studies/1.1"]}
    assert study["00080061"]["Value"] == ["CT", "SR"]
    assert (study["00201206"]["Value"], study["00201208"]["Value"]) == ([2], [4])
    assert study["00080056"]["Value"] == ["ONLINE"]
    assert study["00100010"]["Value"] == [{"Alphabetic": "Núñez^José"}]
    assert study["00100040"] == {"vr": "CS"}


async def test_the_manuals_path_tells_the_institution_of_a_study_as_well(archive, browse, shelf) -> None:
    sur, norte = {"InstitutionName": "Sur", "Modality": "CT"}, {"InstitutionName": "Norte", "Modality": "MR"}
    await shelf.study([{}], [sur], [norte], StudyInstanceUID="1.1")
    client, limited = await browse(), await browse("Referring", {"Modality": ["CT"]})
    assert values(await client.get("/qido-rs/studies"), "00080080") == ["Norte"]
    assert values(await limited.get("/qido-rs/studies"), "00080080") == ["Sur"]
    assert values(await client.get("/dicom-web/studies?includefield=InstitutionName"), "00080080") == ["Norte"]
    assert "00080080" not in (await client.get("/dicom-web/studies")).json()[0]
    assert "InstitutionName" in (await client.get("/dicom-web/studies?InstitutionName=x")).headers["warning"]


async def test_what_is_told_of_series_and_instances(archive, browse, shelf) -> None:
    await three_studies(shelf)
    client = await browse()
    [series] = (await client.get("/dicom-web/studies/1.2/series")).json()
    assert list(series) == TOLD_OF_SERIES.split()
    assert series["00081190"]["Value"] == [f"{archive.url}/dicom-web/studies/1.2/series/1.2.1"]
    [series] = (await client.get("/dicom-web/series?PatientID=B2")).json()
    assert {*TOLD_OF_SERIES.split(), *TOLD.split()} <= set(series)
    [image] = (await client.get("/qido-rs/studies/1.2/series/1.2.1/instances")).json()
    assert list(image) == ["00080016", "00080018", "00080056", "00081190", "0020000D", "0020000E", "00200013"]
    assert image["00081190"]["Value"] == [f"{archive.url}/dicom-web/studies/1.2/series/1.2.1/instances/1.2.1.1"]


async def test_includefield_adds_to_what_is_told(archive, browse, shelf) -> None:
    await three_studies(shelf)
    client = await browse()

    async def told(path: str):
        return (await client.get(f"/dicom-web{path}")).json()[0]

    assert "00081032" not in await told("/studies?PatientID=B2")
    codes = await told("/studies?PatientID=B2&includefield=ProcedureCodeSequence.CodeValue")
    assert codes["00081032"]["Value"] == [{"00080100": {"vr": "SH", "Value": ["P1"]}}]
    codes = await told("/studies?PatientID=B2&includefield=00081032&includefield=PatientComments,PatientAge")
    assert set(codes["00081032"]["Value"][0]) == {"00080100", "00080104"}
    assert (codes["00104000"], codes["00101010"]) == ({"vr": "LT"}, {"vr": "AS"})
    assert "00081140" in await told("/instances?includefield=all&PatientID=B2")
    matched = await told("/instances?00081140.00081155=1.9.9")
    assert matched["00081140"]["Value"] == [{"00081155": {"vr": "UI", "Value": ["1.9.9"]}}]


async def test_what_cannot_be_answered_is_warned_of(archive, browse, shelf) -> None:
    await three_studies(shelf)
    client = await browse()
    answer = await client.get(
        "/dicom-web/studies?SOPInstanceUID=1&includefield=NoSuch%0Aone,KVP&TimezoneOffsetFromUTC=%2B0100"
    )
    assert values(answer, STUDY_UID) == ["1.1", "1.2", "1.3"]
    assert answer.headers["warning"] == (
        f"299 {archive.url}/dicom-web: These attributes are not supported here and were ignored: "
        "TimezoneOffsetFromUTC, NoSuch?one, SOPInstanceUID, KVP"
    )


REFUSED = [
    ("StudyDate=2024-01-01", "'01-01' is not a DA"),
    ("StudyDate=tomorrow", "'tomorrow' is not a DA"),
    ("StudyDate=20240101-&StudyDate=20250101", "stands alone"),
    ("StudyTime=25h", "'25h' is not a TM"),
    ("NoSuchKeyword=1", "'NoSuchKeyword' is neither an attribute"),
    ("studydate=20240101", "'studydate' is neither"),
    ("limit=-1", "limit is a number"),
    ("limit=ten", "limit is a number"),
    ("offset=1e3", "offset is a number"),
    ("fuzzymatching=yes", "fuzzymatching is true or false"),
    ("PatientID.CodeValue=1", "00100020 is no sequence"),
    ("ProcedureCodeSequence=1", "is a sequence"),
    ("after=1.2.3", "nothing '1.2.3' to come after"),
    ("orderby=NoSuch", "ordered by 'NoSuch'"),
    ("sortorder=1", "sortorder is of instances"),
    ('PatientID=""&emptyvaluematching=false', "emptyvaluematching"),
]


async def test_a_query_that_cannot_be_read_is_told_what_is_wrong(browse) -> None:
    client = await browse()
    for query, detail in REFUSED:
        answer = await client.get(f"/dicom-web/studies?{query}")
        assert answer.status_code == 400, query
        assert detail in answer.json()["detail"]
