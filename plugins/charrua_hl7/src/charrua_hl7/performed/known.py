"""What is known of what was performed: for a study or an entry, the steps, and which of their images have arrived."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import ARRAY, ColumnElement, Text, cast, exists, or_, select

from charrua_core import audit, tables
from charrua_core.archive.index.levels import tag_of
from charrua_core.archive.search import OneOf, Query, listing, sop_instance_uids
from charrua_core.errors import NotPermitted
from charrua_core.types import DicomJson, ExpectedObjects, Identity, Level, is_valid_uid
from charrua_core.web import HttpError, Parameter, Request, Response, WebRoute, json_response
from charrua_hl7.performed.model import (
    DESCRIPTION,
    END_DATE,
    END_TIME,
    MODALITY,
    SERIES,
    SERIES_UID,
    START_DATE,
    START_TIME,
    STATION,
    State,
    instances_of,
    items,
    text,
)
from charrua_hl7.performed.notes import NOTES
from charrua_hl7.performed.rights import sight
from charrua_hl7.performed.verdict import Step
from charrua_hl7.tables import performed, performed_entry

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from charrua_core.app import App

MOST = 200
"""Steps that are told of one study or entry."""
SILENT_AFTER = timedelta(days=1)
"""A step that is in progress and was not set for so long is shown as silent: its modality may have forgotten it."""

_PROTOCOL, _SERIES_DESCRIPTION = tag_of("ProtocolName"), tag_of("SeriesDescription")


async def performed_of(app: App, identity: Identity, study_uid: str) -> list[dict[str, Any]]:
    """Give what was performed of a study, oldest first: steps that name it, or one of its series.

    Raises NotPermitted for row filters that cannot be applied; steps that do not pass them are left out.
    """
    return await _told(app, identity, await _of_study(app, study_uid))


async def performed_of_entry(app: App, identity: Identity, entry_id: int) -> list[dict[str, Any]]:
    """Give what performs an entry of the worklist, in the same way."""
    linked = select(performed_entry.c.performed_id).where(performed_entry.c.entry_id == entry_id)
    return await _told(app, identity, performed.c.id.in_(linked))


async def unscheduled(app: App, identity: Identity) -> list[dict[str, Any]]:
    """Give what was performed without an entry of the worklist: of the newest steps, in the same way."""
    newest = select(performed.c.id).where(~exists().where(performed_entry.c.performed_id == performed.c.id))
    return await _told(app, identity, performed.c.id.in_(newest.order_by(performed.c.id.desc()).limit(MOST)))


async def expected_of(app: App, identity: Identity, study_uid: str) -> list[ExpectedObjects]:
    """Give what modalities say to have made of a study; nothing of those that have named no objects.

    Nothing as well to who has a filter that cannot be applied to steps.
    """
    try:
        steps = await performed_of(app, identity, study_uid)
    except NotPermitted:
        return []
    return [
        ExpectedObjects(one["station"], one["named"], one["received"], is_final=one["status"] != State.IN_PROGRESS)
        for one in steps
        if one["named"]
    ]


async def in_progress(tx: AsyncConnection, entries: Collection[int]) -> set[int]:
    """Give those of the entries that a modality is performing now: a step is in progress, and not silent."""
    statement = (
        select(performed_entry.c.entry_id)
        .join(performed, performed.c.id == performed_entry.c.performed_id)
        .where(
            performed_entry.c.entry_id.in_(entries),
            performed.c.status == State.IN_PROGRESS,
            performed.c.changed_at > datetime.now(UTC) - SILENT_AFTER,
        )
    )
    return set((await tx.scalars(statement)).all())


async def _of_study(app: App, study_uid: str) -> ColumnElement[bool]:
    """Steps that name the study, or one of its series: their modality may have known another UID for the study."""
    series = (
        select(tables.series.c.series_uid)
        .join(tables.study, tables.study.c.id == tables.series.c.study_id)
        .where(tables.study.c.study_uid == study_uid, tables.series.c.deleted_by.is_(None))
    )
    async with app.db.reading() as connection:
        found = (await connection.scalars(series)).all()
    return or_(
        performed.c.study_uids.op("@>")(cast([study_uid], ARRAY(Text))),
        performed.c.series_uids.op("&&")(cast(found, ARRAY(Text))),
    )


async def _told(app: App, identity: Identity, chosen: ColumnElement[bool]) -> list[dict[str, Any]]:
    sees = sight(identity.row_filters)
    async with app.db.reading() as connection:
        statement = select(performed).where(chosen).order_by(performed.c.created_at, performed.c.id).limit(MOST)
        rows = [row for row in await connection.execute(statement) if sees(row.attributes)]
        linked = await entries_of(connection, [row.id for row in rows])
    return await described(app, identity, rows, linked)


async def described(
    app: App, identity: Identity, rows: Sequence[Any], linked: Mapping[int, Sequence[int]]
) -> list[dict[str, Any]]:
    """Give rows of steps with the entries that they perform, and what of them has arrived."""
    here = await _received(app, identity, rows)
    return [_step(row, linked.get(row.id, []), here) for row in rows]


async def entries_of(connection: AsyncConnection, steps: Collection[int]) -> dict[int, list[int]]:
    """Give the entries that steps perform, both by their numbers."""
    found: dict[int, list[int]] = {}
    statement = select(performed_entry).where(performed_entry.c.performed_id.in_(steps))
    for row in await connection.execute(statement.order_by(performed_entry.c.entry_id)):
        found.setdefault(row.performed_id, []).append(row.entry_id)
    return found


async def _received(app: App, identity: Identity, rows: Iterable[Any]) -> set[str]:
    """Name the objects of the steps' series that are here, of those that the identity may see."""
    series = sorted({uid for row in rows for uid in row.series_uids})
    if not series:
        return set()
    query = Query(Level.IMAGE, keys={SERIES_UID: OneOf("UI", tuple(series))}, relational=True)
    found = await listing(app, query, identity)
    return set(await sop_instance_uids(app, found.ids))


def _step(row: Any, entries: Sequence[int], here: Collection[str]) -> dict[str, Any]:
    attributes: DicomJson = row.attributes
    series = [_series(item, here) for item in items(attributes, SERIES)]
    silent = row.status == State.IN_PROGRESS and row.changed_at < datetime.now(UTC) - SILENT_AFTER
    return {
        "sop_instance_uid": row.sop_instance_uid,
        "status": row.status,
        "silent": silent,
        "reason": Step.of(attributes, row.status).reason,
        "station": text(attributes, STATION),
        "modality": text(attributes, MODALITY),
        "description": text(attributes, DESCRIPTION),
        "begun": _moment(attributes, START_DATE, START_TIME),
        "ended": _moment(attributes, END_DATE, END_TIME),
        "entries": list(entries),
        "series": series,
        "named": sum(one["named"] for one in series),
        "received": sum(one["received"] for one in series),
        "notes": [{**one, "sentence": NOTES[one["note"]]} for one in row.notes],
    }


def _series(item: DicomJson, here: Collection[str]) -> dict[str, Any]:
    named = instances_of(item)
    return {
        "series_uid": text(item, SERIES_UID),
        "description": text(item, _SERIES_DESCRIPTION),
        "protocol": text(item, _PROTOCOL),
        "named": len(named),
        "received": len(named.intersection(here)),
    }


def _moment(attributes: DicomJson, date: str, time: str) -> str:
    """Give a date and a time as the modality has them: 14 digits, or fewer."""
    return text(attributes, date) + text(attributes, time).replace(":", "")[:6]


async def _show(request: Request) -> Response:
    study = request.query.first("study")
    if study and not is_valid_uid(study):
        raise HttpError(400, f"study={study[:80]!r} is no UID")
    app, identity = request.app, request.identity
    steps = await performed_of(app, identity, study) if study else await unscheduled(app, identity)
    about = [study] if study else []
    app.audit.later(
        audit.Event.PROCEDURE_RECORD, "R", identity.name, request.origin, study_uids=about, steps=len(steps)
    )
    return json_response({"study": study, "steps": steps})


PERFORMED_ROUTES = (
    WebRoute(
        "GET",
        "/worklist/performed",
        _show,
        "query",
        "Tell what modalities say they have performed of a study, and how much of it has arrived",
        tag="Worklist",
        query=(
            Parameter("study", "Study Instance UID; without it, what was performed without an entry of the worklist"),
        ),
        statuses={
            200: "The steps, oldest first; none where nothing is known, or may be seen",
            400: "The study is no UID",
        },
    ),
)
