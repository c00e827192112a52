"""Key images: selected, told to all who see them, and taken back by who selected them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from charrua_core.testing.objects import a_study, an_object
from charrua_core.testing.outside import dcmtk, program


@pytest.fixture
async def archive(serve_web: Any) -> Any:
    return await serve_web()


def path_of(image: Any) -> str:
    return f"/studies/{image.StudyInstanceUID}/key-objects"


async def select(client: httpx.AsyncClient, *images: Any, **more: Any) -> httpx.Response:
    body = {"images": [{"instance": image.SOPInstanceUID} for image in images]} | more
    return await client.post(path_of(images[0]), json=body)


async def selections(client: httpx.AsyncClient, image: Any) -> list[dict[str, Any]]:
    answer = await client.get(path_of(image))
    assert answer.status_code == 200, answer.text
    return answer.json()["selections"]


async def test_key_images_are_told_with_their_title_and_author(archive: Any) -> None:
    images = a_study(images=3)
    await archive.give(*images)
    async with await archive.client() as ana, await archive.client("Referring") as ben:
        answer = await select(ana, images[1], images[0], title="113004", description="Rara avis: ñandú")
        assert answer.status_code == 201, answer.text
        (told,) = await selections(ana, images[0])
        (theirs,) = await selections(ben, images[0])
    assert {"title": "For Teaching", "description": "Rara avis: ñandú", "mine": True}.items() <= told.items()
    assert [one["instance"] for one in told["images"]] == [images[1].SOPInstanceUID, images[0].SOPInstanceUID]
    assert {one["series"] for one in told["images"]} == {images[0].SeriesInstanceUID}
    assert theirs == told | {"mine": False}


async def test_frames_of_an_image_are_selected(archive: Any) -> None:
    moving = an_object(NumberOfFrames=3, PixelData=bytes(384))
    await archive.give(moving)
    async with await archive.client() as ana:
        one = {"instance": moving.SOPInstanceUID}
        assert (await select(ana, moving, images=[one | {"frames": [2]}, one | {"frames": [3, 2]}])).status_code == 201
        assert (await select(ana, moving, images=[one | {"frames": [4]}])).status_code == 400
        (told,) = await selections(ana, moving)
    assert told["images"][0]["frames"] == [2, 3]


async def test_a_selection_is_taken_back_by_its_author_or_who_may_delete(archive: Any) -> None:
    image = an_object()
    await archive.give(image)
    async with (
        await archive.client() as ana,
        await archive.client() as ben,
        await archive.client("Manager") as manager,
    ):
        mine = (await select(ana, image)).json()["document"]
        other = (await select(ana, image)).json()["document"]
        assert (await ben.delete(f"{path_of(image)}/{mine}")).status_code == 403
        assert (await ana.delete(f"{path_of(image)}/{image.SOPInstanceUID}")).status_code == 404
        assert (await ana.delete(f"{path_of(image)}/{mine}")).status_code == 204
        assert (await ana.delete(f"{path_of(image)}/{mine}")).status_code == 404
        assert (await manager.delete(f"{path_of(image)}/{other}")).status_code == 204
        assert await selections(ana, image) == []


WRONG = [
    {"images": []},
    {"images": "all"},
    {"images": [{"instance": "none"}]},
    {"images": [{"instance": "1.2", "frames": 1}]},
    {"images": [{"instance": "1.2", "frames": [0]}]},
    {"title": "126000"},
    {"description": "x" * 1025},
]


async def test_what_cannot_be_read_is_refused(archive: Any) -> None:
    image = an_object()
    await archive.give(image)
    async with await archive.client() as ana:
        for body in WRONG:
            assert (await select(ana, image, **body)).status_code == 400, body
        assert await selections(ana, image) == []


async def test_nobody_selects_or_is_told_of_what_they_do_not_see(archive: Any) -> None:
    ct, mr = a_study(series=2, Modality="CT")
    mr.Modality = "MR"
    await archive.give(ct, mr)
    async with await archive.client() as ana, await archive.client("Radiologist", {"Modality": ["CT", "KO"]}) as few:
        assert (await select(few, ct, mr)).status_code == 404
        await select(ana, ct, mr)
        (told,) = await selections(few, ct)
        assert [one["instance"] for one in told["images"]] == [ct.SOPInstanceUID]
    async with await archive.client("General") as general:
        assert (await select(general, ct)).status_code == 403


@pytest.mark.skipif(program("dsrdump") is None, reason="DCMTK is not installed")
async def test_other_programs_take_the_selections(archive: Any, tmp_path: Path) -> None:
    images = a_study(series=2, images=2)
    await archive.give(*images)
    async with await archive.client() as ana:
        answer = await select(ana, *images, description="look")
        told = answer.json()
        path = f"/studies/{images[0].StudyInstanceUID}/series/{told['series']}/instances/{told['document']}"
        accept = {"Accept": "application/dicom; transfer-syntax=*"}
        content = (await ana.get(f"/dicom-web{path}", headers=accept)).content
    (tmp_path / "ko").write_bytes(content)
    status, told = await dcmtk("dsrdump", tmp_path / "ko")
    assert status == 0 and not re.search("^[EF]: |violat|invalid", told, re.MULTILINE), told
    if program("dciodvfy") is not None:
        _, told = await dcmtk("dciodvfy", tmp_path / "ko")
        assert "Error" not in told, told
