"""The objects of a retrieval: listed at once in little room, read in batches, whatever happens to them meanwhile."""

from __future__ import annotations

import tracemalloc

import pytest

from charrua_core.app import App
from charrua_core.archive.search import OneOf, Query, Run, records, runs, sop_instance_uids
from charrua_core.archive.search.objects import OBJECTS_PAGE
from charrua_core.testing.objects import a_study, an_object
from charrua_core.types import SYSTEM, Level

MANY = 100_000


def of_study(uid: str, at_most: int = 0) -> Query:
    return Query(Level.STUDY, keys={"0020000D": OneOf("UI", (uid,))}, at_most=at_most)


async def listed(app: App, query: Query) -> list[Run]:
    found, cut = await runs(app, query, SYSTEM)
    assert not cut
    return found


async def test_runs_name_each_object_once_by_study_class_and_syntax(intake):
    ct, sr = a_study(series=2, images=2), "1.2.840.10008.5.1.4.1.1.88.11"
    uid = ct[0].StudyInstanceUID
    report = an_object(StudyInstanceUID=uid, SOPClassUID=sr, transfer_syntax="1.2.840.10008.1.2")
    for image in (*ct, report):
        await intake(image)
    found = await listed(intake.app, of_study(uid))
    assert [(run.study_uid, run.sop_class_uid, len(run.ids)) for run in found] == [
        (uid, ct[0].SOPClassUID, 4),
        (uid, sr, 1),
    ]
    ids = [one for run in found for one in run.ids]
    assert await sop_instance_uids(intake.app, ids[:1]) == [ct[0].SOPInstanceUID]
    read = await records(intake.app, ids)
    assert [read[one].sop_instance_uid for one in ids] == [one.SOPInstanceUID for one in (*ct, report)]


@pytest.mark.parametrize(("at_most", "number", "cut"), [(0, 3, False), (3, 3, False), (2, 2, True)])
async def test_runs_end_at_the_limit(intake, at_most, number, cut):
    for image in (study := a_study(images=3)):
        await intake(image)
    found, was_cut = await runs(intake.app, of_study(study[0].StudyInstanceUID, at_most), SYSTEM)
    assert ([len(run.ids) for run in found], was_cut) == ([number], cut)


async def test_a_hundred_thousand_objects_take_little_room(intake):
    image = an_object()
    await intake(image)
    await intake.run(f"""
        INSERT INTO core.instance (series_id, sop_instance_uid, sop_class_uid, transfer_syntax_uid, volume_id, path,
            size_bytes, dataset_offset, meta_digest, dataset_digest, header, arrival_id)
        SELECT series_id, sop_instance_uid || '.' || n, sop_class_uid, transfer_syntax_uid, volume_id, path,
            size_bytes, dataset_offset, meta_digest, dataset_digest, header, arrival_id
        FROM core.instance, generate_series(2, {MANY}) n
    """)
    tracemalloc.start()
    [run] = await listed(intake.app, of_study(image.StudyInstanceUID))
    for start in range(0, MANY, OBJECTS_PAGE):
        await records(intake.app, run.ids[start : start + OBJECTS_PAGE])
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(run.ids) == MANY
    assert peak_bytes < 12 << 20
