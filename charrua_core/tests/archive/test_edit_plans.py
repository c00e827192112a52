"""The queries of edits stay on their indexes, however many records there are."""

from __future__ import annotations

import pytest

QUERIES = {
    "edit_by_study": "targets -> 'study_uids' ?| ARRAY['1.2'] AND kind <> 'coerce'",
    "edit_by_object": "targets ? 'sop_instance_uid' AND targets ->> 'sop_instance_uid' = ANY(ARRAY['1.2'])",
}


@pytest.mark.parametrize("index", QUERIES)
async def test_the_records_of_a_study_or_an_object_are_found_by_index(intake, index):
    await intake.run("""
        INSERT INTO core.edit (id, made_by, kind, targets)
        SELECT gen_random_uuid(), 'test', CASE WHEN n % 2 = 0 THEN 'edit' ELSE 'coerce' END,
            jsonb_build_object('study_uids', jsonb_build_array('1.' || n), 'sop_instance_uid', '1.' || n)
        FROM generate_series(1, 20000) n
    """)
    await intake.run("VACUUM ANALYZE core.edit")
    async with intake.app.db.driver() as connection:
        plan = await connection.fetch(f"EXPLAIN SELECT * FROM core.edit WHERE {QUERIES[index]} ORDER BY made_at, seq")
    assert any(index in line[0] for line in plan), plan
