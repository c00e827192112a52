"""Destinations over HTTP: looked at, added, changed, tried and removed by those who may."""

from __future__ import annotations

import pytest

PATH = "/routing/destinations"


@pytest.fixture
async def admin(browse):
    return await browse("Admin")


async def test_a_destination_lives_over_http(admin, tmp_path) -> None:
    (tmp_path / "out").mkdir()
    place = {"kind": "folder", "options": {"folder": str(tmp_path / "out")}}
    assert (await admin.put(f"{PATH}/SHELF", json=place)).status_code == 201
    changed = await admin.put(f"{PATH}/SHELF", json={"window": "22:00-06:00", "options": {"path": "{SOPInstanceUID}"}})
    assert (changed.status_code, changed.json()["window"]) == (200, "22:00-06:00")
    assert changed.json()["options"] == {"folder": str(tmp_path / "out"), "path": "{SOPInstanceUID}"}
    assert [one["name"] for one in (await admin.get(PATH)).json()] == ["SHELF"]
    assert (await admin.post(f"{PATH}/SHELF/check")).json()["works"] is True
    (tmp_path / "out").rmdir()
    assert "there is no folder" in (await admin.post(f"{PATH}/SHELF/check")).json()["told"]
    assert (await admin.delete(f"{PATH}/SHELF")).status_code == 204
    assert (await admin.get(f"{PATH}/SHELF")).status_code == 404
    assert {"folder", "stow", "jpeg", "json"} <= {one["name"] for one in (await admin.get("/routing/kinds")).json()}


async def test_a_secret_is_written_and_never_read_and_stays_when_it_comes_back_masked(admin, archive) -> None:
    place = {"kind": "stow", "options": {"url": "https://pacs.example", "token": "hush"}}
    answer = await admin.put(f"{PATH}/WEB", json=place)
    assert "hush" not in answer.text
    again = await admin.put(f"{PATH}/WEB", json={"options": answer.json()["options"]})
    assert again.status_code == 200
    assert again.json() == answer.json()


@pytest.mark.parametrize(
    ("body", "status", "why"),
    [
        ({}, 400, "kind: it is missing"),
        ({"kind": 5}, 400, "another type"),
        ({"kind": "folder", "colour": "red"}, 400, "has no colour"),
        ({"kind": "folder"}, 409, "needs folder"),
        ({"kind": "folder", "options": {"folder": "/out"}, "concurrency": True}, 400, "another type"),
        ([], 400, "a JSON object"),
    ],
)
async def test_a_body_that_will_not_do_is_refused(admin, body, status, why) -> None:
    answer = await admin.put(f"{PATH}/A", json=body)
    assert (answer.status_code, why in answer.json()["detail"]) == (status, True)


async def test_who_may_not_configure_sees_no_destinations(browse) -> None:
    radiologist = await browse("Radiologist")
    assert (await radiologist.get(PATH)).status_code == 403
