"""What each destination has had: no route sends it the same version of an object twice, whatever named it a second time.

A destination gets the version that is current when its job runs, so that is the one which is noted and looked for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core.db import Database

MOST_VERSIONS = 4
"""Versions of one object that routes send to one destination: archives that change what they pass on, and pass it on in a
circle, would make others for ever."""


async def note(tx: AsyncConnection, destination: str, uids: Collection[str]) -> None:
    """Note that a destination took these objects as they are now."""
    if uids:
        await tx.execute(_NOTE, {"destination": destination, "uids": sorted(uids)})


async def had(db: Database, destination: str, uids: Collection[str]) -> dict[str, bool]:
    """Give which of the objects a route does not send to a destination: True where it has had so many versions that they go
    in a circle, False where it has the current one.
    """
    async with db.reading() as connection:
        rows = await connection.execute(_HAD, {"destination": destination, "uids": sorted(uids), "most": MOST_VERSIONS})
    return {row.sop_instance_uid: not row.current for row in rows}


async def not_yet_had(tx: AsyncConnection, destination: str, study_uid: str, series_uid: str = "") -> list[list[Any]]:
    """Give the objects of a study, or of one series of it, that a destination has neither had nor sent, as jobs hold them.

    The study is the one that they came in or the one that they are in.
    """
    about: Mapping[str, Any] = {"destination": destination, "study": study_uid, "series": series_uid}
    return [[row.sop_instance_uid, row.version] for row in await tx.execute(_NOT_YET, about)]


_NOTE = text("""
    INSERT INTO core.delivered (sop_instance_uid, destination, version)
    SELECT sop_instance_uid, :destination, version FROM core.instance
    WHERE sop_instance_uid = ANY(CAST(:uids AS text[])) AND current AND deleted_by IS NULL
    ON CONFLICT DO NOTHING
""")

# The primary key, and index instance_current.
_HAD = text("""
    SELECT found.sop_instance_uid, found.current FROM (
        SELECT delivered.sop_instance_uid, count(*) AS versions, bool_or(instance.id IS NOT NULL) AS current
        FROM core.delivered LEFT JOIN core.instance ON instance.sop_instance_uid = delivered.sop_instance_uid
            AND instance.version = delivered.version AND instance.current AND instance.deleted_by IS NULL
        WHERE delivered.sop_instance_uid = ANY(CAST(:uids AS text[])) AND destination = :destination
        GROUP BY delivered.sop_instance_uid
    ) AS found WHERE found.current OR found.versions >= :most
""")

_NOT_YET = text("""
    SELECT instance.sop_instance_uid, instance.version FROM core.instance
    JOIN core.series ON series.id = instance.series_id
    WHERE series.id IN (
            SELECT id FROM core.series WHERE received_study_uid = :study
            UNION
            SELECT series.id FROM core.series JOIN core.study ON study.id = series.study_id WHERE study_uid = :study
        )
        AND (:series = '' OR series.series_uid = :series)
        AND instance.current AND instance.deleted_by IS NULL
        AND coalesce(instance.origin ->> 'calling_aet', '') <> :destination
        AND NOT EXISTS (
            SELECT FROM core.delivered WHERE delivered.sop_instance_uid = instance.sop_instance_uid
                AND delivered.version = instance.version AND delivered.destination = :destination
        )
    ORDER BY series.id, instance.id
""")
