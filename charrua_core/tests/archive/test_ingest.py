"""An object on its way into the archive: what is then on disk and in the index."""

from __future__ import annotations

import asyncio

import orjson
import pytest
from blake3 import blake3
from pydicom.uid import generate_uid

from charrua_core.archive.datasets.header import unpack_json
from charrua_core.archive.datasets.part10 import read_file_meta
from charrua_core.errors import DatasetMismatch, HeaderDamaged, ObjectRefused, StorageFailed, StorageFull
from charrua_core.testing.devices import received_of
from charrua_core.testing.objects import a_study, an_object
from charrua_core.types import Origin

ORIGIN = Origin("dimse", "MODALITY", "CHARRUA", "127.0.0.1", "one")


async def test_the_bytes_of_the_data_set_are_kept_as_they_came(intake):
    image = an_object()
    await intake(image)
    [file] = intake.files()
    meta = read_file_meta(file)
    assert file.read_bytes()[meta.dataset_offset :] == received_of(image).data_set
    assert (
        file.relative_to(intake.root)
        .as_posix()
        .endswith(f"/{image.StudyInstanceUID}/{image.SeriesInstanceUID}/{image.SOPInstanceUID}.dcm")
    )


async def test_an_object_makes_its_study_series_and_instance(intake):
    image = an_object(PatientName="Müller^Jürgen", SpecificCharacterSet="ISO_IR 192", StudyDate="2026.01.02")
    stored = await intake(image)
    [study], [series], [instance] = [await intake.rows(table) for table in ("study", "series", "instance")]
    assert stored.status == "stored"
    assert (study["study_uid"], study["patient_name"], study["study_date"]) == (
        image.StudyInstanceUID,
        "Müller^Jürgen",
        "20260102",
    )
    assert (study["series_count"], study["instance_count"], study["modalities"]) == (1, 1, ["CT"])
    assert (series["series_uid"], series["modality"], series["instance_count"]) == (image.SeriesInstanceUID, "CT", 1)
    assert (instance["sop_instance_uid"], instance["rows"], instance["version"]) == (image.SOPInstanceUID, 8, 1)
    assert study["size_bytes"] == instance["size_bytes"] == intake.files()[0].stat().st_size


async def test_the_index_knows_digests_and_where_the_pixels_begin(intake):
    image = an_object()
    await intake(image)
    content = intake.files()[0].read_bytes()
    [instance] = await intake.rows("instance")
    offset = instance["dataset_offset"]
    assert instance["meta_digest"] == blake3(content[:offset]).digest()
    assert instance["dataset_digest"] == blake3(content[offset:]).digest()
    assert content[instance["pixel_data_offset"] :][:128] == image.PixelData
    assert unpack_json(instance["header"])["00100020"]["Value"] == ["4711"]


async def test_counters_follow_every_object_of_a_study(intake):
    objects = [*a_study(series=2, images=3, StudyInstanceUID=(uid := generate_uid()))]
    objects += a_study(StudyInstanceUID=uid, Modality="SR", SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11")
    await asyncio.gather(*[intake(image) for image in objects])
    [study] = await intake.rows("study")
    assert (study["series_count"], study["instance_count"], study["modalities"]) == (3, 7, ["CT", "SR"])
    assert study["sop_classes"] == ["1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.88.11"]
    assert study["size_bytes"] == sum(file.stat().st_size for file in intake.files())
    assert sorted(series["instance_count"] for series in await intake.rows("series")) == [1, 3, 3]


async def test_an_object_and_its_change_are_told_together(intake):
    image = an_object()
    await intake(image)
    [change] = await intake.rows("change", "seq")
    payload = orjson.loads(change["payload"])
    assert change["kind"] == "object"
    assert (payload["study_uid"], payload["sop_instance_uid"]) == (image.StudyInstanceUID, image.SOPInstanceUID)
    assert payload["origin"]["calling_aet"] == "MODALITY"


async def test_the_audit_trail_has_one_beginning_for_each_association_and_study(intake):
    for image in a_study(images=3):
        await intake(image, "one")
        await intake(an_object(StudyInstanceUID=image.StudyInstanceUID), "two")
    begun = [row for row in await intake.rows("audit") if row["event"] == "110102"]
    assert [orjson.loads(row["origin"])["association_id"] for row in begun] == ["one", "two"]


@pytest.mark.parametrize("keyword", ["SOPInstanceUID", "SOPClassUID"])
async def test_a_data_set_that_is_not_the_commands_object_is_refused(intake, keyword):
    sent = received_of(an_object())
    uids = {"SOPClassUID": sent.sop_class_uid, "SOPInstanceUID": sent.sop_instance_uid, keyword: generate_uid()}
    spool = intake.app.ingest.begin(uids["SOPClassUID"], uids["SOPInstanceUID"], sent.transfer_syntax_uid, ORIGIN)
    spool.write(memoryview(sent.data_set))
    with pytest.raises(DatasetMismatch):
        await intake.app.ingest.store(spool)
    assert not intake.spooled() and not intake.files()


@pytest.mark.parametrize("uid", ["../../../etc/passwd", "/etc/cron.d/x", "..", "1.2\n3", "1." + "2" * 64])
async def test_a_uid_that_is_none_never_becomes_a_path(intake, uid):
    image = an_object()
    image.add_new("StudyInstanceUID", "UI", uid)
    with pytest.raises(HeaderDamaged) as refused:
        await intake(image)
    assert refused.value.dimse_status == 0xA900
    assert not intake.files()


async def test_a_truncated_object_leaves_nothing(intake):
    sent = received_of(an_object())
    spool = intake.app.ingest.begin(sent.sop_class_uid, sent.sop_instance_uid, sent.transfer_syntax_uid, ORIGIN)
    spool.write(memoryview(sent.data_set)[:-50])
    with pytest.raises(HeaderDamaged) as refused:
        await intake.app.ingest.store(spool)
    assert refused.value.dimse_status == 0xC000
    assert not intake.spooled() and not await intake.rows("study")


async def test_a_broken_off_object_leaves_nothing(intake):
    spool = intake.spool(an_object())
    assert intake.spooled()
    spool.abort()
    assert not intake.spooled()


async def test_a_volume_down_to_its_reserve_takes_nothing_and_then_takes_again(intake_of):
    intake = await intake_of(settings={"storage_reserve_bytes": 1 << 60})
    with pytest.raises(StorageFull):
        intake.spool(an_object())
    intake.app.settings._values["storage_reserve_bytes"] = 0
    assert (await intake(an_object())).status == "stored"


async def test_an_object_past_the_limit_is_refused_after_it_has_ended(intake_of):
    intake = await intake_of(settings={"dicom_max_object_bytes": 1 << 20})
    spool = intake.spool(an_object())
    for _ in range(3):
        spool.write(memoryview(bytes(1 << 19)))
    with pytest.raises(ObjectRefused) as refused:
        await intake.app.ingest.store(spool)
    assert refused.value.dimse_status == 0xA700
    assert not intake.spooled()


@pytest.mark.parametrize(("fault", "error"), [("enospc", StorageFull), ("eio", StorageFailed)])
@pytest.mark.parametrize("point", ["after_write", "after_fsync", "after_rename", "after_dirsync"])
async def test_a_failing_disk_is_told_and_nothing_is_indexed(intake, fault, error, point):
    from charrua_core import faults

    faults.arm(f"{point}:{2 if point == 'after_write' else 1}:{fault}")
    try:
        with pytest.raises(error):
            await intake(an_object())
    finally:
        faults.arm("")
    assert not intake.spooled() and not await intake.rows("instance")


async def test_text_that_postgresql_does_not_take_is_taken_without_it(intake):
    sent = received_of(an_object())
    origin = Origin("dimse", "MODA\0LITY")
    spool = intake.app.ingest.begin(sent.sop_class_uid, sent.sop_instance_uid, sent.transfer_syntax_uid, origin)
    spool.write(memoryview(sent.data_set))
    assert (await intake.app.ingest.store(spool)).status == "stored"
    [instance] = await intake.rows("instance")
    assert orjson.loads(instance["origin"])["calling_aet"] == "MODALITY"


async def test_a_store_that_is_cancelled_at_any_turn_leaves_all_or_nothing(intake):
    for turns in range(0, 60, 3):
        task = asyncio.create_task(intake(an_object()))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await intake.app.ingest.close()
    rows, files = await intake.rows("instance"), intake.files()
    assert sorted(row["path"] for row in rows) == [file.relative_to(intake.root).as_posix() for file in files]
    assert not intake.spooled()
