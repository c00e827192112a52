"""What becomes of workitems that are over, and of the tables."""

from __future__ import annotations

from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text

from charrua_ups.tables import SCHEMA, metadata
from charrua_ups.upkeep import remove_what_is_over

_ITEM = """
INSERT INTO charrua_ups.workitem (workitem_uid, state, attributes, changed_at)
VALUES (:uid, :state, '{}', now() - CAST(CAST(:age AS text) AS interval)) RETURNING id
"""
_LOCK = "INSERT INTO charrua_ups.subscription (workitem_id, aet, deletion_lock) VALUES (:id, 'WATCHER', :lock)"


@pytest.mark.parametrize(
    ("state", "age", "lock", "retention", "removed"),
    [
        ("COMPLETED", "91 days", None, "90 d", 1),
        ("CANCELED", "91 days", False, "90 d", 1),
        ("CANCELED", "91 days", True, "90 d", 0),
        ("COMPLETED", "89 days", None, "90 d", 0),
        ("IN PROGRESS", "91 days", None, "90 d", 0),
        ("COMPLETED", "91 days", None, "0", 0),
    ],
)
async def test_what_is_over_is_removed_unless_it_is_held(
    open_archive: Any, state: str, age: str, lock: bool | None, retention: str, removed: int
) -> None:
    app = await open_archive(settings={"ups_retention": retention})
    async with app.db.transaction() as tx:
        number = await tx.scalar(text(_ITEM), {"uid": "1.2.3", "state": state, "age": age})
        if lock is not None:
            await tx.execute(text(_LOCK), {"id": number, "lock": lock})
    assert await remove_what_is_over(app) == removed


async def test_the_lineage_makes_the_tables_as_they_are_declared(archive_in_process: Any) -> None:
    def differences(connection: Connection) -> list[Any]:
        def ours(name: str | None, kind: str, _parents: object) -> bool:
            return kind != "schema" or name == SCHEMA

        options = {"include_schemas": True, "include_name": ours, "version_table_schema": SCHEMA}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))

    async with archive_in_process.db.transaction() as tx:
        assert await tx.run_sync(differences) == []
