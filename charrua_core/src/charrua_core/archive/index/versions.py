"""Several files of one SOP Instance UID: which version each is, and which one the archive shows.

Versions count by arrival. The last live one is current, unless a record "keep" set it aside in favour of an earlier one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core import tables
from charrua_core.archive.edit import record as edit_record

_VERSIONS = text("""
    WITH several AS (
        SELECT DISTINCT i.sop_instance_uid
        FROM core.instance i JOIN core.series s ON s.id = i.series_id JOIN core.study t ON t.id = s.study_id
        WHERE (i.version <> 1 OR NOT i.current) AND (t.study_uid = ANY(:uids) OR s.received_study_uid = ANY(:uids))
    )
    SELECT i.id, i.sop_instance_uid, i.version, i.current, i.deleted_by IS NULL AS live, i.arrival_id, t.study_uid
    FROM several JOIN core.instance i ON i.sop_instance_uid = several.sop_instance_uid
    JOIN core.series s ON s.id = i.series_id JOIN core.study t ON t.id = s.study_id
    ORDER BY i.sop_instance_uid, i.received_at, i.arrival_id
""")


async def settle_versions(tx: AsyncConnection, study_uids: Iterable[str]) -> set[str]:
    """Number the versions in these studies and say which is current; gives the studies, others too, where that changed."""
    rows = list((await tx.execute(_VERSIONS, {"uids": sorted(study_uids)})).mappings())
    if not rows:
        return set()
    set_aside = await _set_aside(tx, {row["study_uid"] for row in rows})
    changed: list[dict[str, Any]] = []
    studies: set[str] = set()
    for _, versions in groupby(rows, key=lambda row: row["sop_instance_uid"]):
        for row, number, current in _settled(list(versions), set_aside):
            if (row["version"], row["current"]) != (number, current):
                changed.append({"row": row["id"], "new_version": number, "new_current": current})
                studies.add(row["study_uid"])
    await _write(tx, changed)
    return studies


def _settled(versions: Sequence[RowMapping], set_aside: set[UUID]) -> list[tuple[RowMapping, int, bool]]:
    shown = max(
        range(len(versions)),
        key=lambda n: (versions[n]["live"], versions[n]["arrival_id"] not in set_aside, n),
    )
    return [(row, n + 1, n == shown) for n, row in enumerate(versions)]


async def _set_aside(tx: AsyncConnection, study_uids: set[str]) -> set[UUID]:
    records = await edit_record.touching(tx, sorted(study_uids))
    return {UUID(arrival) for record in records if record.kind == "keep" for arrival in record.arrivals}


async def _write(tx: AsyncConnection, changed: list[dict[str, Any]]) -> None:
    """In two steps, so that no two rows bear one number, or are both current, in between."""
    if not changed:
        return
    instance = tables.instance
    ids = [change["row"] for change in changed]
    away = instance.update().where(instance.c.id.in_(ids)).values(version=-instance.c.version, current=False)
    await tx.execute(away)
    numbered = instance.update().where(instance.c.id == bindparam("row"))
    await tx.execute(numbered.values(version=bindparam("new_version"), current=bindparam("new_current")), changed)
