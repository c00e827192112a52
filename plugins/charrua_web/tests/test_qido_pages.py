"""QIDO-RS: pages, what their headers say, who sees what, and the forms of an answer."""

from __future__ import annotations

import csv
import io

import orjson
import pytest
from dicomweb_client.api import DICOMwebClient

from charrua_core.testing.objects import a_study
from charrua_core.testing.shelf import Shelf
from charrua_core.testing.waiting import until

STUDY_UID, SERIES_UID, SOP_UID = "0020000D", "0020000E", "00080018"
PATHS = ("/studies", "/series", "/instances", "/studies/1.1/series", "/studies/1.1/instances")


@pytest.fixture
async def shelf(db):
    async with db.driver() as connection:
        yield Shelf(connection)


def uids(answer, tag: str = STUDY_UID) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [one[tag]["Value"][0] for one in answer.json()]


def total(answer) -> tuple[int, str]:
    return int(answer.headers["x-total-count"]), answer.headers["x-total-count-relation"]


async def some_studies(shelf, number: int, **attributes) -> None:
    for day in range(number):
        await shelf.study(
            [{"Modality": "CT"}], [{"Modality": "SR"}], StudyDate=f"202401{day % 28 + 1:02}", **attributes
        )


# -- pages ---------------------------------------------------------------------------------------------------------------
@pytest.mark.settings(query_results=5)
async def test_a_page_tells_how_many_there_are(archive, browse, shelf) -> None:
    await some_studies(shelf, 8, PatientName="Doe^Jane", PatientComments="x")
    client = await browse()
    expected = {
        "": (5, (8, "eq"), "3 "),
        "limit=8": (5, (8, "eq"), "3 "),
        "limit=2&offset=1": (2, (8, "eq"), "5 "),
        "limit=0": (0, (8, "eq"), "8 "),
        "offset=5": (3, (8, "eq"), None),
        "offset=9": (0, (8, "eq"), None),
        "PatientName=doe*&limit=2": (2, (8, "eq"), "6 "),
        "PatientComments=x&limit=2": (2, (3, "gte"), ""),
        "PatientComments=x&offset=6": (2, (8, "eq"), None),
        "orderby=StudyDate&offset=2&limit=2": (2, (8, "eq"), "4 "),
        "orderby=StudyDate&offset=9": (0, (8, "eq"), None),
        "PatientID=nobody": (0, (0, "eq"), None),
    }
    for query, (told, number, left) in expected.items():
        answer = await client.get(f"/dicom-web/studies?{query}")
        assert (query, len(uids(answer)), total(answer)) == (query, told, number)
        warning = f"299 {archive.url}/dicom-web: There are {left}additional results that can be requested"
        assert (query, answer.headers.get("warning")) == (query, warning if left is not None else None)
        assert ("next" in answer.links) == (left is not None)


@pytest.mark.parametrize(
    "path", ["/studies?PatientName=doe*&limit=3", "/series?limit=3", "/studies?orderby=StudyDate&limit=3"]
)
async def test_the_links_lead_through_all_once(archive, browse, shelf, path: str) -> None:
    await some_studies(shelf, 8, PatientName="Doe^Jane")
    tag = SERIES_UID if "series" in path else STUDY_UID
    client = await browse()
    expected, met = uids(await client.get(f"/dicom-web{path.replace('limit=3', '')}"), tag), []
    url = f"/dicom-web{path}"
    while url:
        answer = await client.get(url)
        met += uids(answer, tag)
        url = answer.links.get("next", {}).get("url", "")
        assert not url.startswith("/")
    assert met == expected


async def test_a_walk_meets_what_was_there_once_while_objects_arrive(archive, modality, browse) -> None:
    async def arrive(count: int, date: str) -> None:
        await modality.store(*[image for _ in range(count) for image in a_study(StudyDate=date)])

    await arrive(6, "20240101")
    client = await browse()
    expected, met = set(uids(await client.get("/dicom-web/studies"))), []
    url = "/dicom-web/studies?limit=2"
    while url:
        answer = await client.get(url)
        met += uids(answer)
        await arrive(2, "20250101")
        url = answer.links.get("next", {}).get("url", "")
    assert len(met) == len(set(met))
    assert set(met) == expected


@pytest.mark.settings(query_results=0)
async def test_a_long_page_is_told_whole_while_it_is_made(archive, browse, shelf) -> None:
    await shelf.study([{"InstanceNumber": number} for number in range(1, 701)], StudyInstanceUID="1.1")
    client = await browse()
    for query, told, number in (
        ("", 700, (700, "eq")),
        ("?limit=600", 600, (700, "eq")),
        ("?limit=600&KVP=%22%22", 600, (700, "eq")),
        ("?limit=650&offset=60", 640, (700, "eq")),
        ("?limit=600&after=1.1.1.10", 500, (700, "eq")),
    ):
        answer = await client.get(f"/dicom-web/studies/1.1/instances{query}")
        assert (query, len(uids(answer, SOP_UID)), total(answer)) == (query, told, number)
        assert ("warning" in answer.headers) == (answer.links != {}) == (told in (500, 600))
    following = (await client.get("/dicom-web/studies/1.1/instances?limit=600")).links["next"]["url"]
    assert len(uids(await client.get(following), SOP_UID)) == 100


async def test_what_the_client_has_is_not_sent_again(archive, browse, shelf) -> None:
    await some_studies(shelf, 3)
    client = await browse()
    first = await client.get("/dicom-web/studies")
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "private, no-cache"
    again = await client.get("/dicom-web/studies", headers={"If-None-Match": f'"other", {tag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    for path, headers in (
        ("/dicom-web/studies?limit=2", {}),
        ("/dicom-web/studies?includefield=PatientComments", {}),
        ("/dicom-web/studies", {"Accept": "text/csv"}),
    ):
        assert (await client.get(path, headers={"If-None-Match": tag, **headers})).status_code == 200
    await some_studies(shelf, 1)
    assert (await client.get("/dicom-web/studies", headers={"If-None-Match": tag})).status_code == 200


# -- who sees what -------------------------------------------------------------------------------------------------------
async def test_who_sees_one_modality_is_told_of_that_alone(archive, browse, shelf) -> None:
    await shelf.study(
        [{"Modality": "CR"}, {"Modality": "CR"}], [{"Modality": "CT"}], StudyInstanceUID="1.1", PatientID="A"
    )
    await shelf.study([{"Modality": "CT"}], StudyInstanceUID="1.2", PatientID="B")
    everybody, limited = await browse(), await browse("Referring", {"Modality": ["CR"]})
    seen = {path: await limited.get(f"/dicom-web{path}") for path in PATHS}
    assert [total(seen[path]) for path in PATHS] == [(1, "eq"), (1, "eq"), (2, "eq"), (1, "eq"), (2, "eq")]
    for answer in seen.values():
        assert set(uids(answer)) == {"1.1"}
    assert uids(seen["/series"], SERIES_UID) == ["1.1.1"]
    assert set(uids(seen["/instances"], SOP_UID)) == {"1.1.1.1", "1.1.1.2"}
    [study] = seen["/studies"].json()
    assert [study[tag]["Value"] for tag in ("00080061", "00201206", "00201208")] == [["CR"], [1], [2]]
    for hidden in (
        "/studies?ModalitiesInStudy=CT",
        "/studies?PatientID=B",
        "/studies/1.2/series",
        "/series?Modality=CT",
    ):
        answer = await limited.get(f"/dicom-web{hidden}")
        assert (hidden, uids(answer), total(answer)) == (hidden, [], (0, "eq"))
    assert (await limited.get("/dicom-web/studies?after=1.2")).status_code == 400
    assert (await limited.get("/dicom-web/studies?limit=0")).headers["x-total-count"] == "1"
    for path in PATHS:
        known = (await everybody.get(f"/dicom-web{path}")).headers["etag"]
        assert (await limited.get(f"/dicom-web{path}", headers={"If-None-Match": known})).status_code == 200


async def test_who_may_not_query_is_refused(archive, browse) -> None:
    assert (await (await browse(None)).get("/dicom-web/studies")).status_code == 401


async def test_each_search_is_in_the_trail_without_what_was_looked_for(archive, browse, db) -> None:
    client = await browse()
    await client.get("/dicom-web/studies?PatientName=Doe^Jane&limit=1")
    await client.get("/dicom-web/studies?StudyDate=tomorrow&PatientName=Doe^Jane")
    await client.head("/dicom-web/instances?00081140.00081155=1.9.9")
    async with db.driver() as connection:

        async def written() -> bool:
            nonlocal rows
            rows = await connection.fetch("select succeeded, detail from core.audit where event = '110112' order by id")
            return len(rows) == 3

        rows = []
        await until(written)
    told = [(row["succeeded"], orjson.loads(bytes(row["detail"]))) for row in rows]
    assert [(one, detail["level"], detail["keys"], detail["status"]) for one, detail in told] == [
        (True, "STUDY", ["00100010"], "200"),
        (False, "STUDY", ["00080020", "00100010"], "400"),
        (True, "IMAGE", ["00081140"], "200"),
    ]
    assert not any("Doe" in str(detail) for _, detail in told)


# -- forms ---------------------------------------------------------------------------------------------------------------
async def test_a_table_has_what_was_asked(archive, browse, shelf) -> None:
    await shelf.study(StudyInstanceUID="1.1", PatientName="=cmd^|", StudyDescription='Say "hi", then\ngo')
    client = await browse()
    answer = await client.get("/dicom-web/studies", headers={"Accept": "text/csv"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    [row] = csv.DictReader(io.StringIO(answer.text, newline=""))
    assert (row["StudyInstanceUID"], row["PatientName"]) == ("1.1", "'=cmd^|")
    assert row["StudyDescription"] == 'Say "hi", then\ngo'
    everything = await client.get("/dicom-web/studies?includefield=all", headers={"Accept": "text/csv"})
    assert "StudyDescription" in everything.text.splitlines()[0]


async def test_xml_is_a_part_for_each_match(archive, browse, shelf) -> None:
    await some_studies(shelf, 2)
    accept = {"Accept": 'multipart/related; type="application/dicom+xml"'}
    answer = await (await browse()).get("/qido-rs/studies", headers=accept)
    assert answer.headers["content-type"].startswith('multipart/related; type="application/dicom+xml"; boundary=')
    assert answer.text.count("<NativeDicomModel") == 2
    assert 'keyword="ModalitiesInStudy"' in answer.text


@pytest.mark.parametrize(("accept", "status"), [("application/json", 200), ("*/*", 200), ("image/png", 406), ("", 200)])
async def test_the_form_is_what_the_request_accepts(archive, browse, accept: str, status: int) -> None:
    answer = await (await browse()).get("/dicom-web/studies", headers={"Accept": accept})
    assert answer.status_code == status
    if status == 200:
        assert answer.headers["content-type"] == ("application/json" if "json" in accept else "application/dicom+json")


async def test_dicomweb_client_finds_what_was_stored(archive, modality) -> None:
    import asyncio

    study = a_study(series=2, images=3, PatientName="Núñez^José", SpecificCharacterSet="ISO_IR 100")
    await modality.store(*study, *a_study())
    headers = {"Authorization": f"Bearer {await archive.token()}"}
    client = DICOMwebClient(url=f"{archive.url}/dicom-web", headers=headers)

    def ask() -> tuple:
        uid = study[0].StudyInstanceUID
        return (
            client.search_for_studies(search_filters={"PatientName": "nunez*"}, fields=["PatientAge"]),
            client.search_for_series(uid, search_filters={"Modality": "CT"}),
            client.search_for_instances(uid, study[0].SeriesInstanceUID, limit=2, offset=1),
            client.search_for_instances(fuzzymatching=True, search_filters={"PatientName": "jos"}),
            client.search_for_studies(limit=1, get_remaining=True),
            client.search_for_studies(search_filters={"PatientID": "nobody"}),
        )

    studies, series, two, images, everything, nothing = await asyncio.to_thread(ask)
    assert [one[STUDY_UID]["Value"] for one in studies] == [[study[0].StudyInstanceUID]]
    assert [one[SERIES_UID]["Value"][0] for one in series] == [study[0].SeriesInstanceUID, study[3].SeriesInstanceUID]
    assert [one["00200013"]["Value"] for one in two] == [[2], [3]]
    assert (len(images), len(everything), nothing) == (6, 2, [])
