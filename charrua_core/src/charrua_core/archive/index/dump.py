"""The index as text that is the same for the same archive, however its database came to be: to compare, and to look at.

One JSON object per line: studies by UID, each with its series and their objects, then the edits. No number of a row, no
volume and nothing that only this database knows is in it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

import orjson
from blake3 import blake3
from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core.tables import edit, instance, series, study

if TYPE_CHECKING:
    from charrua_core.db import Database

_AT_ONCE = 1000
_OF_THIS_DATABASE = frozenset({"id", "seq", "study_id", "series_id", "volume_id", "merged_into"})
_DIGESTED = frozenset({"header", "frame_offsets"})


async def dump(db: Database) -> AsyncIterator[bytes]:
    """The lines, each with its end."""
    async with db.reading() as connection:
        async for row in _studies(connection):
            yield _line("study", row, merged_into=await _uid_of(connection, row["merged_into"]))
            for one in await _series(connection, row["id"]):
                yield _line("series", one, study_uid=row["study_uid"])
                async for image in _instances(connection, one["id"]):
                    yield _line("instance", image, series_uid=one["series_uid"])
        async for record in _edits(connection):
            yield _line("edit", record)


def _line(kind: str, row: RowMapping, **more: Any) -> bytes:
    left_out = _OF_THIS_DATABASE - ({"id"} if kind == "edit" else set())
    values = {str(name): _shown(name, value) for name, value in row.items() if name not in left_out}
    content: Mapping[str, Any] = {kind: values | more}
    return orjson.dumps(content, default=str, option=orjson.OPT_SORT_KEYS) + b"\n"


def _shown(name: str, value: Any) -> Any:
    if isinstance(value, bytes):
        return blake3(value).hexdigest() if name in _DIGESTED else value.hex()
    return value


async def _uid_of(connection: AsyncConnection, study_id: int | None) -> str | None:
    if study_id is None:
        return None
    return str(await connection.scalar(select(study.c.study_uid).where(study.c.id == study_id)))


async def _studies(connection: AsyncConnection) -> AsyncIterator[RowMapping]:
    last = ""
    while True:
        statement = select(study).where(study.c.study_uid > last).order_by(study.c.study_uid).limit(_AT_ONCE)
        rows = (await connection.execute(statement)).mappings().all()
        if not rows:
            return
        for row in rows:
            yield row
        last = rows[-1]["study_uid"]


async def _series(connection: AsyncConnection, study_id: int) -> list[RowMapping]:
    statement = select(series).where(series.c.study_id == study_id)
    rows = await connection.execute(statement.order_by(series.c.received_study_uid, series.c.series_uid))
    return list(rows.mappings())


async def _instances(connection: AsyncConnection, series_id: int) -> AsyncIterator[RowMapping]:
    order = (instance.c.sop_instance_uid, instance.c.version)
    statement = select(instance).where(instance.c.series_id == series_id).order_by(*order)
    for start in range(0, 1 << 62, _AT_ONCE):
        rows = (await connection.execute(statement.offset(start).limit(_AT_ONCE))).mappings().all()
        for row in rows:
            yield row
        if len(rows) < _AT_ONCE:
            return


async def _edits(connection: AsyncConnection) -> AsyncIterator[RowMapping]:
    statement = select(edit).order_by(edit.c.made_at, edit.c.id)
    for start in range(0, 1 << 62, _AT_ONCE):
        rows = (await connection.execute(statement.offset(start).limit(_AT_ONCE))).mappings().all()
        for row in rows:
            yield row
        if len(rows) < _AT_ONCE:
            return
