"""What rules know of an object: how it came, and its attributes as they are in the index, edits applied."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import Select, select

from charrua_core.archive.datasets.header import unpack_json
from charrua_core.archive.datasets.indexed import fact
from charrua_core.archive.edit.effective import laid, laid_over
from charrua_core.archive.search.scope import scope
from charrua_core.db import Values
from charrua_core.errors import StudyNotFound
from charrua_core.tables import instance, series, study
from charrua_core.types import DicomJson, Identity, Level, Origin, StoredObject

if TYPE_CHECKING:
    from charrua_core.app import App

PAGE = 200

_LAYERS = ("overlay", "series_overlay", "study_overlay", "study_attributes")


@dataclass(frozen=True, slots=True)
class Facts:
    """An object as rules see it; `attributes` is None where it was not read, as no rule asks for it."""

    stored: StoredObject
    attributes: DicomJson | None
    settings: Values
    """Those of the archive, which say what reports are distributed."""

    def values(self, tag: str) -> list[str]:
        """Give the attribute's values as text; a person's name reads `Alphabetic=Ideographic=Phonetic`."""
        element = (self.attributes or {}).get(tag)
        return [fact([value]) for value in (element or {}).get("Value", ()) if value is not None]


async def attributes_of(app: App, stored: StoredObject) -> DicomJson | None:
    """Give the attributes of a stored object, None where it is no longer there: three rows by their keys."""
    async with app.db.driver(reading=True, by_key=True) as connection:
        row = await connection.fetchrow(_BY_KEY, stored.sop_instance_uid, stored.version)
    if row is None:
        return None
    layers = {name: orjson.loads(row[name] or b"null") for name in _LAYERS}
    plain = {name: row[name] for name in ("header", "study_uid", "received_study_uid")}
    return _attributes({**plain, **layers})


async def one(app: App, identity: Identity, sop_instance_uid: str) -> Facts:
    """Give an object that the identity may see; raises StudyNotFound."""
    statement = _shown(identity).where(instance.c.sop_instance_uid == sop_instance_uid)
    async with app.db.reading() as connection:
        row = (await connection.execute(statement)).mappings().first()
    if row is None:
        raise StudyNotFound
    return _facts(app, row)


async def received(app: App, identity: Identity, since: datetime, until: datetime) -> AsyncGenerator[Facts, None]:
    """Give the objects that came from one moment up to another and that the identity may see, in the order of arrival."""
    came = instance.c.received_at
    last: tuple[datetime, int] = (since, 0)
    while True:
        later = (came > last[0]) | ((came == last[0]) & (instance.c.id > last[1]))
        statement = _shown(identity).where(later, came < until).order_by(came, instance.c.id).limit(PAGE)
        async with app.db.reading() as connection:
            rows = (await connection.execute(statement)).mappings().all()
        for row in rows:
            yield _facts(app, row)
        if len(rows) < PAGE:
            return
        last = (rows[-1]["received_at"], rows[-1]["id"])


def _shown(identity: Identity) -> Select[Any]:
    found = select(*_COLUMNS).select_from(instance).join(series, series.c.id == instance.c.series_id)
    found = found.join(study, study.c.id == series.c.study_id).where(
        instance.c.current, instance.c.deleted_by.is_(None)
    )
    return found.where(series.c.deleted_by.is_(None), study.c.deleted_by.is_(None), *scope(identity, Level.SERIES))


def _facts(app: App, row: Mapping[Any, Any]) -> Facts:
    stored = StoredObject(
        study_uid=row["study_uid"],
        series_uid=row["series_uid"],
        sop_instance_uid=row["sop_instance_uid"],
        sop_class_uid=row["sop_class_uid"],
        transfer_syntax_uid=row["received_syntax_uid"] or row["transfer_syntax_uid"],
        modality=row["modality"],
        size_bytes=row["size_bytes"],
        received_at=row["received_at"],
        origin=Origin(**{"kind": "import", **row["origin"]}),
        version=row["version"],
    )
    return Facts(stored, _attributes(row), app.settings)


def _attributes(row: Mapping[Any, Any]) -> DicomJson:
    over = laid_over(
        {"study_uid": row["study_uid"], "attributes": row["study_attributes"], "overlay": row["study_overlay"]},
        {"received_study_uid": row["received_study_uid"], "overlay": row["series_overlay"]},
        {"overlay": row["overlay"]},
    )
    header = unpack_json(row["header"])
    return laid(over, header) if over else header


_COLUMNS = (
    *(instance.c.id, instance.c.sop_instance_uid, instance.c.version, instance.c.sop_class_uid),
    *(instance.c.transfer_syntax_uid, instance.c.received_syntax_uid, instance.c.size_bytes, instance.c.received_at),
    *(instance.c.origin, instance.c.overlay, instance.c.header),
    *(series.c.series_uid, series.c.modality, series.c.received_study_uid, series.c.overlay.label("series_overlay")),
    *(study.c.study_uid, study.c.attributes.label("study_attributes"), study.c.overlay.label("study_overlay")),
)

_BY_KEY = """
SELECT instance.header, instance.overlay, series.received_study_uid, series.overlay AS series_overlay, study.study_uid,
    study.overlay AS study_overlay,
    CASE WHEN series.received_study_uid <> study.study_uid THEN study.attributes END AS study_attributes
FROM core.instance JOIN core.series ON series.id = instance.series_id JOIN core.study ON study.id = series.study_id
WHERE sop_instance_uid = $1 AND version = $2
"""
