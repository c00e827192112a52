"""What an edit is about, found and locked in its transaction, and only where the one who asks may see it."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, RowMapping, and_, any_, exists, literal, not_, select, tuple_
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core.archive.datasets.header import unpack_json
from charrua_core.archive.edit.effective import laid
from charrua_core.archive.edit.moves import lock_about
from charrua_core.archive.edit.record import Record
from charrua_core.archive.search.scope import scope
from charrua_core.errors import EditInvalid, NotPermitted, StudyNotFound
from charrua_core.tables import instance, series, study
from charrua_core.types import DicomJson, Identity, Level

_PARTLY_HIDDEN = "the study has series that you may not see: edit those that you see one by one"
_UUIDS = ARRAY(postgresql.UUID(as_uuid=True))


async def studies(tx: AsyncConnection, identity: Identity, *uids: str) -> list[RowMapping]:
    """The rows of these studies, in the order given, locked with all that a move touches; raises StudyNotFound."""
    await lock_about(tx, uids)
    statement = select(study).where(
        study.c.study_uid.in_(uids), study.c.deleted_by.is_(None), *scope(identity, Level.STUDY)
    )
    rows = {row["study_uid"]: row for row in (await tx.execute(statement)).mappings()}
    for uid in uids:
        if uid not in rows:
            raise StudyNotFound
    return [rows[uid] for uid in uids]


async def whole_studies(tx: AsyncConnection, identity: Identity, *uids: str) -> list[RowMapping]:
    """As `studies`, for what touches all that is in them; raises NotPermitted where some of it is out of sight."""
    rows = await studies(tx, identity, *uids)
    await require_whole(tx, identity, *uids)
    return rows


async def one_series(
    tx: AsyncConnection, identity: Identity, series_uid: str, study_uid: str | None
) -> tuple[RowMapping, RowMapping]:
    """The rows of a series and of the study it is in; raises StudyNotFound, and EditInvalid where two studies have it."""
    statement = select(series.c.id, study.c.study_uid).join(study, study.c.id == series.c.study_id)
    seen = scope(identity, Level.SERIES)
    statement = statement.where(series.c.series_uid == series_uid, series.c.deleted_by.is_(None), *seen)
    if study_uid is not None:
        statement = statement.where(study.c.study_uid == study_uid)
    found = (await tx.execute(statement)).all()
    if not found:
        raise StudyNotFound
    if len(found) > 1:
        raise EditInvalid("several studies have a series of this UID: name the study")
    [study_row] = await studies(tx, identity, found[0].study_uid)
    row = (await tx.execute(select(series).where(series.c.id == found[0].id))).mappings().first()
    if row is None or row["study_id"] != study_row["id"]:  # gone or moved before its study was locked
        raise StudyNotFound
    return row, study_row


async def some_series(
    tx: AsyncConnection, identity: Identity, series_uids: Sequence[str], study_uid: str | None
) -> tuple[list[list[str]], str]:
    """Series of one study as records name them, and its UID; raises as `one_series`, and EditInvalid for two studies."""
    keys, sources = [], set()
    for uid in series_uids:
        series_row, study_row = await one_series(tx, identity, uid, study_uid)
        keys.append([series_row["received_study_uid"], uid])
        sources.add(study_row["study_uid"])
    if len(sources) != 1:
        raise EditInvalid("name series, and of one study")
    return keys, sources.pop()


async def one_object(
    tx: AsyncConnection, identity: Identity, sop_instance_uid: str
) -> tuple[RowMapping, RowMapping, RowMapping]:
    """The rows of an object that is shown, of its series and of its study; raises StudyNotFound."""
    shown = (instance.c.sop_instance_uid == sop_instance_uid, instance.c.current, instance.c.deleted_by.is_(None))
    row = (await tx.execute(select(instance).where(*shown))).mappings().first()
    if row is None:
        raise StudyNotFound
    its_series = select(series).join(study, study.c.id == series.c.study_id).where(series.c.id == row["series_id"])
    series_row = (await tx.execute(its_series.where(*scope(identity, Level.SERIES)))).mappings().first()
    if series_row is None:
        raise StudyNotFound
    study_uid = await tx.scalar(select(study.c.study_uid).where(study.c.id == series_row["study_id"]))
    [study_row] = await studies(tx, identity, str(study_uid))
    return row, series_row, study_row


async def series_keys(tx: AsyncConnection, study_id: int) -> list[list[str]]:
    """The series in a study, as records name them."""
    statement = select(series.c.received_study_uid, series.c.series_uid).where(series.c.study_id == study_id)
    found = await tx.execute(statement.order_by(series.c.received_study_uid, series.c.series_uid))
    return [[received, uid] for received, uid in found]


async def arrivals_in(tx: AsyncConnection, series_ids: Sequence[int]) -> list[str]:
    """The arrival ids of all live objects of these series, in the order of their arrival."""
    statement = select(instance.c.arrival_id).where(
        instance.c.series_id.in_(series_ids), instance.c.deleted_by.is_(None)
    )
    return [
        arrival.hex for arrival in await tx.scalars(statement.order_by(instance.c.received_at, instance.c.arrival_id))
    ]


def attributes_of_object(row: RowMapping) -> DicomJson:
    """What the object says of itself, what was laid over it alone included."""
    return laid(row["overlay"] or {}, unpack_json(row["header"]))


async def require_whole(tx: AsyncConnection, identity: Identity, *study_uids: str) -> None:
    """Raise NotPermitted where these studies have series that the one who asks may not see."""
    if await _hidden(tx, identity, study.c.study_uid.in_(study_uids) & series.c.deleted_by.is_(None)):
        raise NotPermitted(_PARTLY_HIDDEN)


async def require_seen(connection: AsyncConnection, identity: Identity, record: Record) -> None:
    """Raise StudyNotFound where the one who asks may see no series that the record touches, deleted ones counted.

    NotPermitted where it is some of them.
    """
    if not await sees(connection, identity, record):
        raise StudyNotFound
    if await _hidden(connection, identity, _touched(record)):
        raise NotPermitted(_PARTLY_HIDDEN)


async def sees(connection: AsyncConnection, identity: Identity, record: Record) -> bool:
    """Whether the one who asks may see a series that the record touches, deleted ones counted."""
    return not identity.row_filters or await _are_there(connection, _touched(record), *scope(identity, Level.SERIES))


async def require_known(connection: AsyncConnection, identity: Identity, study_uid: str) -> None:
    """Raise StudyNotFound unless the study is or was here, and the one who asks may see a series of it or all."""
    known = await connection.scalar(select(study.c.id).where(study.c.study_uid == study_uid))
    of_study = _of_studies([study_uid])
    if known is None or (
        identity.row_filters and not await _are_there(connection, of_study, *scope(identity, Level.SERIES))
    ):
        raise StudyNotFound


async def _hidden(connection: AsyncConnection, identity: Identity, touched: ColumnElement[bool]) -> bool:
    """Whether some of the series are out of sight."""
    seen = scope(identity, Level.SERIES)
    return bool(seen) and await _are_there(connection, touched, not_(and_(*seen)))


async def _are_there(connection: AsyncConnection, *where: ColumnElement[bool]) -> bool:
    found = select(series.c.id).join(study, study.c.id == series.c.study_id).where(*where).limit(1)
    return await connection.scalar(found) is not None


def _touched(record: Record) -> ColumnElement[bool]:
    """The series that the record names, or that are of the studies or hold the objects that it names."""
    if record.targets.get("series"):
        named = tuple_(series.c.received_study_uid, series.c.series_uid).in_(record.targets["series"])
        return named | (series.c.received_study_uid == record.targets.get("from"))
    of_studies = _of_studies(record.study_uids)
    if not record.arrivals:
        return of_studies
    arrivals = [UUID(arrival) for arrival in record.arrivals]
    of_series = (instance.c.series_id == series.c.id, instance.c.arrival_id == any_(literal(arrivals, _UUIDS)))
    return of_studies & exists().where(*of_series).correlate(series)


def _of_studies(uids: Sequence[str]) -> ColumnElement[bool]:
    return study.c.study_uid.in_(uids) | series.c.received_study_uid.in_(uids)
