"""Deleting over HTTP: only what the caller may see and delete, and nothing that cannot be had back."""

from __future__ import annotations

import pytest

from charrua_core.testing.devices import Modality
from charrua_core.testing.objects import a_study


@pytest.fixture
async def images(archive):
    """A study of two series of two objects."""
    objects = a_study(series=2, images=2)
    await Modality(archive.peer).store(objects)
    return objects


def path_of(image, level: str) -> str:
    path = f"/dicom-web/studies/{image.StudyInstanceUID}"
    if level != "study":
        path += f"/series/{image.SeriesInstanceUID}"
    return path if level != "instance" else f"{path}/instances/{image.SOPInstanceUID}"


async def objects_of(workstation, study: str) -> int:
    found = await workstation.find("STUDY", StudyInstanceUID=study, NumberOfStudyRelatedInstances="")
    return sum(one.NumberOfStudyRelatedInstances for one in found)


@pytest.mark.parametrize(("level", "left"), [("study", 0), ("series", 2), ("instance", 3)])
async def test_what_is_deleted_is_gone_and_can_be_had_back(archive, browse, workstation, images, level, left) -> None:
    client, study = await browse("Manager"), images[0].StudyInstanceUID
    answer = await client.delete(path_of(images[0], level), params={"reason": "wrong patient"})
    assert (answer.status_code, answer.content) == (204, b"")
    assert await objects_of(workstation, study) == left
    assert (await client.delete(path_of(images[0], level))).status_code == 404
    [line] = [line for line in (await archive.run("archive", "history", study)).splitlines() if " delete " in line]
    assert "wrong patient" in line and "manager1" in line
    number = next(word for word in line.split() if word.count("-") == 4)
    await archive.run("archive", "undo", number)
    assert await objects_of(workstation, study) == 4


async def test_nothing_is_deleted_by_who_may_not_or_does_not_see_it(browse, workstation, images) -> None:
    answers = {
        (role, level): (await (await browse(role, row_filter)).delete(path_of(images[0], level))).status_code
        for role, row_filter in ((None, None), ("Radiologist", None), ("Manager", {"Modality": ["US"]}))
        for level in ("study", "series", "instance")
    }
    assert {answers[None, level] for level in ("study", "series", "instance")} == {401}
    assert {answers["Radiologist", level] for level in ("study", "series", "instance")} == {403}
    assert {answers["Manager", level] for level in ("study", "series", "instance")} == {404}
    client = await browse("Manager")
    elsewhere = f"/dicom-web/studies/{images[0].StudyInstanceUID}/series/1.2.3/instances/{images[0].SOPInstanceUID}"
    assert (await client.delete(elsewhere)).status_code == 404
    assert (await client.delete(f"/dicom-web/studies/1.2.3/series/{images[0].SeriesInstanceUID}")).status_code == 404
    assert await objects_of(workstation, images[0].StudyInstanceUID) == 4
