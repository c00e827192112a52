"""The same SOP Instance UID once more: the same bytes, other bytes, at the same time, after a deletion."""

from __future__ import annotations

import asyncio
import copy

import orjson
import pytest
from pydicom.uid import ImplicitVRLittleEndian, generate_uid

from charrua_core.archive.datasets.header import unpack_json
from charrua_core.errors import ObjectRefused
from charrua_core.testing.objects import a_study, an_object


def changed(image, **attributes):
    other = copy.deepcopy(image)
    for keyword, value in attributes.items():
        setattr(other, keyword, value)
    return other


async def shown(intake):
    return [row for row in await intake.rows("instance") if row["current"] and row["deleted_by"] is None]


async def test_the_same_object_again_is_a_success_that_changes_nothing(intake):
    image = an_object()
    await intake(image)
    before = [await intake.rows(table) for table in ("study", "series", "instance")]
    assert (await intake(image)).status == "duplicate"
    assert [await intake.rows(table) for table in ("study", "series", "instance")] == before
    assert len(intake.files()) == len(await intake.rows("change", "seq")) == 1


async def test_sixty_four_senders_of_one_object_make_one_row_and_one_file(intake):
    image = an_object()
    statuses = [stored.status for stored in await asyncio.gather(*[intake(image, str(n)) for n in range(64)])]
    assert sorted(set(statuses)) == ["duplicate", "stored"] and statuses.count("stored") == 1
    assert len(intake.files()) == len(await intake.rows("instance")) == 1
    assert not intake.spooled()


async def test_processes_that_store_the_same_object_at_once_make_one_row(intake_of):
    processes = [await intake_of() for _ in range(3)]
    objects = a_study(images=10)
    stored = await asyncio.gather(*[process(image) for image in objects for process in processes])
    assert sum(one.status == "stored" for one in stored) == 10
    [study] = await processes[0].rows("study")
    assert study["instance_count"] == len(processes[0].files()) == len(await processes[0].rows("instance")) == 10


@pytest.mark.parametrize(
    ("policy", "status", "shows"), [("keep both", "stored", "second"), ("first", "kept beside", "first")]
)
async def test_other_bytes_are_kept_beside_the_first(intake_of, policy, status, shows):
    intake = await intake_of(settings={"duplicate_policy": policy})
    image = an_object(SeriesDescription="first")
    await intake(image)
    assert (await intake(changed(image, SeriesDescription="second"))).status == status
    [instance] = await shown(intake)
    assert unpack_json(instance["header"])["0008103E"]["Value"] == [shows]
    assert [row["version"] for row in await intake.rows("instance")] == [1, 2]
    [study], [series] = await intake.rows("study"), await intake.rows("series")
    assert (study["instance_count"], study["size_bytes"]) == (1, instance["size_bytes"])
    assert series["series_description"] == shows
    assert len(intake.files()) == 2


async def test_other_bytes_are_refused_where_the_site_wants_it(intake_of):
    intake = await intake_of(settings={"duplicate_policy": "refuse"})
    image = an_object()
    await intake(image)
    with pytest.raises(ObjectRefused) as refused:
        await intake(changed(image, PatientID="4712"))
    assert refused.value.dimse_status == 0x0111
    assert len(intake.files()) == len(await intake.rows("instance")) == 1


async def test_another_transfer_syntax_is_other_bytes(intake):
    uids = {"StudyInstanceUID": generate_uid(), "SeriesInstanceUID": generate_uid(), "SOPInstanceUID": generate_uid()}
    await intake(an_object(**uids))
    assert (await intake(an_object(**uids, transfer_syntax=ImplicitVRLittleEndian))).status == "stored"
    [instance] = await shown(intake)
    assert (instance["version"], instance["transfer_syntax_uid"]) == (2, ImplicitVRLittleEndian)


async def test_a_version_in_another_series_moves_the_count_there(intake):
    image = an_object()
    await intake(image)
    await intake(changed(image, SeriesInstanceUID=generate_uid()))
    counts = {row["series_uid"]: row["instance_count"] for row in await intake.rows("series")}
    [study] = await intake.rows("study")
    assert counts[image.SeriesInstanceUID] == 0 and sorted(counts.values()) == [0, 1]
    assert (study["series_count"], study["instance_count"]) == (1, 1)


async def test_a_deleted_object_that_comes_again_is_there_again(intake):
    image = an_object()
    await intake(image)
    for table in ("instance", "series", "study"):
        await intake.run(f"UPDATE core.{table} SET deleted_by = gen_random_uuid()")
    assert (await intake(image)).status == "stored"
    [study], [series], [instance] = await intake.rows("study"), await intake.rows("series"), await shown(intake)
    assert study["deleted_by"] is series["deleted_by"] is None
    assert (study["instance_count"], instance["version"]) == (1, 2)


async def test_new_objects_of_an_assigned_series_go_where_it_was_assigned(intake):
    mine, other = an_object(), an_object(StudyInstanceUID=generate_uid())
    await intake(mine)
    await intake(other)
    await intake.run(
        f"UPDATE core.series SET study_id = (SELECT id FROM core.study WHERE study_uid = '{other.StudyInstanceUID}')"
    )
    await intake(changed(mine, SOPInstanceUID=generate_uid()))
    counts = {row["study_uid"]: row["instance_count"] for row in await intake.rows("study")}
    assert counts[other.StudyInstanceUID] == 2
    last = orjson.loads((await intake.rows("change", "seq"))[-1]["payload"])
    assert last["study_uid"] == other.StudyInstanceUID


async def test_new_series_of_a_merged_study_go_into_the_other(intake):
    mine, other = an_object(), an_object()
    await intake(mine)
    await intake(other)
    await intake.run(
        "UPDATE core.study SET merged_into = (SELECT id FROM core.study WHERE study_uid = "
        f"'{other.StudyInstanceUID}') WHERE study_uid = '{mine.StudyInstanceUID}'"
    )
    await intake(changed(mine, SeriesInstanceUID=generate_uid(), SOPInstanceUID=generate_uid()))
    counts = {row["study_uid"]: (row["series_count"], row["instance_count"]) for row in await intake.rows("study")}
    assert counts[other.StudyInstanceUID] == (2, 2)
