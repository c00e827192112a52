"""Links and the patient portal over HTTP: what visitors get, and that a JPEG link gives no DICOM by any call."""

from __future__ import annotations

import httpx
import pytest

from charrua_core.app import App, Start
from charrua_core.testing.dicomweb import path_of
from charrua_core.testing.objects import an_object
from charrua_web.catalogue import make_table

PASSWORD = "an unlikely password"
VISITORS_ROUTES = {
    "GET /studies/{study}/key-objects",
    "GET /studies/{study}/measurements",
    "GET /studies/{study}/series",
    "GET /studies/{study}/instances",
    "GET /studies/{study}/series/{series}/instances",
    "GET /studies/{study}/metadata",
    "GET /studies/{study}/series/{series}/metadata",
    "GET /studies/{study}/series/{series}/instances/{instance}/metadata",
    "GET /studies/{study}/rendered",
    "GET /studies/{study}/series/{series}/rendered",
    "GET /studies/{study}/series/{series}/instances/{instance}/rendered",
    "GET /studies/{study}/series/{series}/instances/{instance}/frames/{frames}/rendered",
    "GET /studies/{study}/thumbnail",
    "GET /studies/{study}/series/{series}/thumbnail",
    "GET /studies/{study}/series/{series}/instances/{instance}/thumbnail",
    "GET /studies/{study}/series/{series}/instances/{instance}/frames/{frames}/thumbnail",
    "GET /viewer/{study}",
}
"""What a visitor with a JPEG link may ask, beside what anybody may: a new one is to be thought about."""
JPEG = {"Accept": 'image/jpeg, multipart/related; type="image/jpeg"'}


@pytest.fixture
async def study(modality):
    """An image that is to be shared, in an archive with another one."""
    image = an_object(PatientID="4711", AccessionNumber="A1", PatientBirthDate="19610412")
    await modality.give(image, an_object(PatientID="4712", AccessionNumber="A2"))
    return image


async def doctor(archive, role: str = "Manager") -> httpx.AsyncClient:
    token = await archive.token(role)
    return httpx.AsyncClient(
        base_url=archive.url, headers={"Authorization": f"Bearer {token}"}, timeout=30, verify=False
    )


def browser(archive) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=archive.url, headers={"Origin": archive.url}, timeout=30, verify=False)


async def a_link(archive, study, **wish) -> dict:
    answer = await (await doctor(archive)).post("/shares", json={"studies": [str(study.StudyInstanceUID)], **wish})
    assert answer.status_code == 201, answer.text
    return answer.json()


def token_of(link: str) -> str:
    return link.rpartition("/")[2]


async def visitor(archive, study, **wish) -> httpx.AsyncClient:
    client = browser(archive)
    answer = await client.post("/share", json={"token": token_of((await a_link(archive, study, **wish))["link"])})
    assert answer.status_code == 200, answer.text
    return client


async def test_a_link_is_an_address_of_this_archive_with_a_long_token(archive, study) -> None:
    made = await a_link(archive, study)
    assert made["link"].startswith(f"{archive.url}/share/")
    assert len(token_of(made["link"])) == 43


async def test_a_visitor_sees_the_study_of_the_link_and_nothing_else(archive, study) -> None:
    client = await visitor(archive, study)
    assert (await client.get("/whoami")).json()["roles"] == ["Visitor"]
    seen = await client.get(f"/dicom-web{path_of(study, 1)}/series")
    assert [one["0020000E"]["Value"] for one in seen.json()] == [[study.SeriesInstanceUID]]
    assert (await client.get(f"/dicom-web{path_of(study, 3)}/rendered", headers=JPEG)).status_code == 200
    assert (await client.get("/dicom-web/studies/1.2.3/series")).json() == []
    assert (await client.get("/dicom-web/studies/1.2.3/metadata")).status_code == 404
    assert (await client.get("/dicom-web/studies")).status_code == 403


async def test_visitors_may_ask_what_is_meant_for_them_alone() -> None:
    table, _ = make_table(App(Start({}), (), {}))
    assert {f"{one.method} {one.path}" for one in table.routes if one.permission == "view"} == VISITORS_ROUTES


DICOM = [
    ("", 'multipart/related; type="application/dicom"; transfer-syntax=*'),
    ("", "application/zip"),
    ("", "application/zip; dicomdir=true"),
    ("/bulkdata", 'multipart/related; type="application/octet-stream"'),
]


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize(("below", "accept"), DICOM)
async def test_a_jpeg_link_gives_no_dicom(archive, study, depth, below, accept) -> None:
    path = f"/dicom-web{path_of(study, depth)}{below}"
    jpeg, dicom = await visitor(archive, study), await visitor(archive, study, dicom=True)
    assert (await jpeg.get(path, headers={"Accept": accept})).status_code == 403
    assert (await dicom.get(path, headers={"Accept": accept})).status_code == 200


async def test_a_jpeg_link_gives_neither_frames_nor_values_nor_objects_by_wado_uri(archive, study) -> None:
    jpeg, dicom = await visitor(archive, study), await visitor(archive, study, dicom=True)
    uids = {"studyUID": study.StudyInstanceUID, "seriesUID": study.SeriesInstanceUID, "objectUID": study.SOPInstanceUID}
    wado = str(httpx.URL("/wado", params={"requestType": "WADO", **uids}))
    one = f"/dicom-web{path_of(study, 3)}"
    for path in (f"{one}/frames/1", f"{one}/bulkdata/7FE00010", wado, f"{wado}&contentType=application/dicom"):
        assert (await jpeg.get(path)).status_code == 403
        assert (await dicom.get(path)).status_code == 200
    for content in [
        (await jpeg.get(f"{one}/metadata")).content,
        (await jpeg.get(f"{one}/thumbnail", headers=JPEG)).content,
    ]:
        assert study.PixelData not in content and b"InlineBinary" not in content


async def test_a_visit_ends_with_the_next_request_when_its_link_is_revoked(archive, study) -> None:
    made = await a_link(archive, study)
    client, admin = browser(archive), await doctor(archive, "Admin")
    assert (await client.post("/share", json={"token": token_of(made["link"])})).status_code == 200
    path = f"/dicom-web{path_of(study, 1)}/metadata"
    assert (await client.get(path)).status_code == 200
    assert (await admin.delete(f"/shares/{made['id']}")).status_code == 204
    assert (await client.get(path)).status_code == 401
    assert (await client.post("/share", json={"token": token_of(made["link"])})).status_code == 404
    assert (await admin.post(f"/shares/{made['id']}/restore")).status_code == 204
    assert (await client.post("/share", json={"token": token_of(made["link"])})).status_code == 200


async def test_a_link_takes_the_place_of_the_log_in_that_the_browser_had(archive, study) -> None:
    client = browser(archive)
    name = (await (await doctor(archive, "Admin")).get("/whoami")).json()["name"]
    made = await a_link(archive, study)
    await client.post("/login", json={"name": name, "password": PASSWORD})
    before = dict(client.cookies)
    await client.post("/share", json={"token": token_of(made["link"])})
    assert (
        await httpx.AsyncClient(base_url=archive.url, cookies=before, verify=False).get("/dicom-web/studies")
    ).status_code == 401


async def test_a_page_of_another_site_opens_nothing(archive, study) -> None:
    made = await a_link(archive, study)
    client = await visitor(archive, study)
    client.headers["Origin"] = "https://elsewhere.example"
    assert (await client.post("/share", json={"token": token_of(made["link"])})).status_code == 403


async def test_the_date_of_birth_is_asked_in_the_ways_that_it_is_written(archive, study) -> None:
    token = token_of((await a_link(archive, study, asks_birth_date=True))["link"])
    for given, status in (("", 403), ("1961-04-13", 403), ("12 April", 400), ("1961-04-12", 200), ("19610412", 200)):
        answer = await browser(archive).post("/share", json={"token": token, "birth_date": given})
        assert answer.status_code == status, given


@pytest.mark.parametrize(
    "body",
    [
        {"studies": "1.2.3"},
        {"studies": [1]},
        {"studies": []},
        {"studies": ["1.2.3"], "uses": True},
        {"studies": ["1.2.3"], "uses": 0},
        {"studies": ["1.2.3"], "validity": "for ever"},
        {"studies": ["1.2.3"], "forever": True},
        [],
    ],
)
async def test_a_wish_that_will_not_do_is_refused(archive, body) -> None:
    answer = await (await doctor(archive)).post("/shares", json=body)
    assert answer.status_code == 400 and answer.json()["detail"]


async def test_links_are_listed_with_what_they_lead_to(archive, study) -> None:
    manager = await doctor(archive)
    made = await manager.post("/shares", json={"studies": [study.StudyInstanceUID], "label": "Dr. Costa", "uses": 3})
    (link,) = (await manager.get("/shares", params={"study": study.StudyInstanceUID})).json()
    assert (link["id"], link["label"], link["uses_allowed"], link["state"]) == (
        made.json()["id"],
        "Dr. Costa",
        3,
        "works",
    )
    assert link["studies"][0]["patient_id"] == "4711"
    assert (await (await doctor(archive)).get("/shares")).json() == []
    assert token_of(made.json()["link"]) not in str(link)


# -- pages ---------------------------------------------------------------------------------------------------------------
HTML = {"Accept": "text/html"}


async def test_the_page_of_a_link_that_does_not_work_is_the_same_for_all(archive, study) -> None:
    made, admin = await a_link(archive, study), await doctor(archive, "Admin")
    await admin.delete(f"/shares/{made['id']}")
    revoked = await browser(archive).get(f"/share/{token_of(made['link'])}", headers=HTML)
    unknown = await browser(archive).get("/share/never-made", headers=HTML)
    assert (revoked.status_code, revoked.text) == (unknown.status_code, unknown.text)
    assert (revoked.status_code, "This link does not work" in revoked.text) == (404, True)


async def test_the_page_of_a_link_tells_nobody_and_no_cache_of_it(archive, study) -> None:
    page = await browser(archive).get(f"/share/{token_of((await a_link(archive, study))['link'])}", headers=HTML)
    assert page.status_code == 200 and "data-by-itself" in page.text
    assert '<meta name="referrer" content="no-referrer">' in page.text and 'content="noindex"' in page.text
    assert page.headers["cache-control"] == "no-store"
    assert study.PatientID not in page.text


@pytest.mark.parametrize(("wish", "asks"), [({"uses": 2}, "limited number"), ({"asks_birth_date": True}, "birth_date")])
async def test_a_link_that_counts_or_asks_is_not_opened_by_a_programme_that_looks_at_it(
    archive, study, wish, asks
) -> None:
    page = await browser(archive).get(
        f"/share/{token_of((await a_link(archive, study, **wish))['link'])}", headers=HTML
    )
    assert asks in page.text and "data-by-itself" not in page.text


async def test_a_visit_shows_the_study_and_offers_downloads_where_the_link_gives_dicom(archive, study) -> None:
    jpeg, dicom = await visitor(archive, study), await visitor(archive, study, dicom=True)
    shown = await jpeg.get("/visit", headers=HTML)
    assert shown.status_code == 200 and f"/viewer/{study.StudyInstanceUID}" in shown.text
    assert 'class="rail"' not in shown.text and "application/zip" not in shown.text
    offered = (await dicom.get("/visit", headers=HTML)).text
    assert (await dicom.get(offered.split('download href="')[1].split('"')[0])).content.startswith(b"PK")


async def test_a_visitor_comes_to_no_page_of_staff(archive, study) -> None:
    client = await visitor(archive, study, dicom=True)
    for path in ("/", "/studies", "/links", f"/studies/{study.StudyInstanceUID}"):
        assert (await client.get(path, headers=HTML)).status_code in (403, 404), path


async def test_who_is_no_visitor_is_told_that_the_visit_is_over_and_staff_are_led_home(archive) -> None:
    over = await browser(archive).get("/visit", headers=HTML)
    assert (over.status_code, "This visit is over" in over.text) == (401, True)
    assert (await (await doctor(archive)).get("/visit", headers=HTML)).headers["location"] == "/"


async def test_the_portals_page_is_there_where_it_is_open(archive) -> None:
    assert (await browser(archive).get("/portal", headers=HTML)).status_code == 404
    await archive.run("settings", "set", "patient_portal", "1")
    assert "accession_number" in (await browser(archive).get("/portal", headers=HTML)).text


# -- the manual's call -----------------------------------------------------------------------------------------------------
async def test_a_his_gets_a_link_by_accession_number(archive, study) -> None:
    his = await doctor(archive)
    link = await his.get("/createlink", params={"AccessionNumber": "A1"})
    assert link.headers["content-type"].startswith("text/plain")
    client = browser(archive)
    assert (await client.post("/share", json={"token": token_of(link.text)})).status_code == 200
    assert (await client.get(f"/dicom-web{path_of(study, 1)}/metadata")).status_code == 200
    told = await his.get("/createlink", params={"AccessionNumber": "A1"}, headers={"Accept": "application/json"})
    assert told.json()["link"].startswith(f"{archive.url}/share/") and not told.json()["dicom"]


async def test_a_his_is_told_why_there_is_no_link(archive, study, modality) -> None:
    await modality.give(an_object(PatientID="4711", AccessionNumber="A1"))
    his = await doctor(archive)
    for query, status in (
        ({}, 400),
        ({"AccessionNumber": "A9"}, 404),
        ({"AccessionNumber": "*"}, 404),
        ({"AccessionNumber": "A1"}, 409),
    ):
        answer = await his.get("/createlink", params=query)
        assert answer.status_code == status
        assert answer.json()["detail"]
    both = {"AccessionNumber": "A1", "StudyInstanceUID": study.StudyInstanceUID}
    assert (await his.get("/createlink", params=both)).status_code == 200


async def test_a_cookie_makes_no_link_by_a_get(archive, study) -> None:
    client = browser(archive)
    name = (await (await doctor(archive, "Admin")).get("/whoami")).json()["name"]
    await client.post("/login", json={"name": name, "password": PASSWORD})
    assert (await client.get("/createlink", params={"AccessionNumber": "A1"})).status_code == 401


# -- the portal -----------------------------------------------------------------------------------------------------------
async def test_the_portal_is_not_there_until_it_is_opened(archive, study) -> None:
    given = {"patient_id": "4711", "accession_number": "A1"}
    client = browser(archive)
    assert (await client.post("/portal", json=given)).status_code == 404
    await archive.run("settings", "set", "patient_portal", "1")
    wrong = await client.post("/portal", json={**given, "accession_number": "A2"})
    unknown = await client.post("/portal", json={**given, "patient_id": "4713"})
    assert (wrong.status_code, wrong.json()) == (unknown.status_code, unknown.json())
    assert (await client.post("/portal", json=given)).status_code == 200
    assert (await client.get(f"/dicom-web{path_of(study, 1)}/metadata")).status_code == 200
    assert (await client.get("/dicom-web/studies")).status_code == 403
