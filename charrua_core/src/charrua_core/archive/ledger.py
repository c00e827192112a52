"""What became of a study: how its objects came, which should have, where they went, and what still waits to go."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import text

from charrua_core.archive.search import Query, statements
from charrua_core.archive.search.columns import STUDY_UID
from charrua_core.archive.search.engine import planned
from charrua_core.archive.search.model import OneOf
from charrua_core.archive.search.pages import read
from charrua_core.errors import PluginFailed, StudyNotFound
from charrua_core.types import ExpectedObjects, Identity, Level

if TYPE_CHECKING:
    from charrua_core.app import App

MOST_SERIES = 10_000
MOST_JOBS = 200

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Received:
    """Objects that came from one sender."""

    kind: str
    """dimse, web, import … as of `Origin`."""
    sender: str
    """The calling AE, or the user."""
    objects: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Sent:
    """Objects that a destination took."""

    destination: str
    objects: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Waiting:
    """Sendings that are not done: `state` is due, running, or dead."""

    destination: str
    state: str
    sendings: int
    last_error: str


@dataclass(frozen=True, slots=True)
class Ledger:
    """All of it, of the series that the asking person may see."""

    received: tuple[Received, ...]
    sent: tuple[Sent, ...]
    waiting: tuple[Waiting, ...]
    expected: tuple[ExpectedObjects, ...] = ()
    """What its modalities say to have made (hook expected_objects)."""


async def ledger(app: App, identity: Identity, study_uid: str) -> Ledger:
    """Give it. Raises StudyNotFound, NotPermitted."""
    query = Query(Level.SERIES, keys={STUDY_UID: OneOf("UI", (study_uid,))})
    plan = planned(app, query, identity, Level.SERIES)
    rows = await read(app.db, statements.lower_page(Level.SERIES, plan.chosen, plan.lower, None, MOST_SERIES))
    if not rows:
        raise StudyNotFound
    about = {"series": [row["series_id"] for row in rows], "study": study_uid}
    async with app.db.reading() as connection:
        received = [Received(**row) for row in (await connection.execute(_RECEIVED, about)).mappings()]
        sent = [Sent(**row) for row in (await connection.execute(_SENT, about)).mappings()]
        waiting = [Waiting(**row) for row in (await connection.execute(_WAITING, about)).mappings()]
    expected = await _expected(app, identity, study_uid)
    return Ledger(tuple(received), tuple(sent), tuple(waiting), tuple(expected))


async def _expected(app: App, identity: Identity, study_uid: str) -> Sequence[ExpectedObjects]:
    try:
        return await app.hooks.gather_async("expected_objects", app=app, identity=identity, study_uid=study_uid)
    except PluginFailed:
        log.exception("nobody could say what is expected of a study", extra={"study": study_uid})
        return ()


# Index instance_by_series.
_RECEIVED = text("""
    SELECT coalesce(origin ->> 'kind', '') AS kind,
        coalesce(nullif(origin ->> 'calling_aet', ''), nullif(origin ->> 'user', ''), '') AS sender,
        count(*) AS objects, min(received_at) AS first_at, max(received_at) AS last_at
    FROM core.instance
    WHERE series_id = ANY(CAST(:series AS bigint[])) AND current AND deleted_by IS NULL
    GROUP BY 1, 2 ORDER BY min(received_at)
""")

# Index instance_by_series, and the primary key of core.delivered.
_SENT = text("""
    SELECT delivered.destination, count(*) AS objects, max(delivered.at) AS last_at
    FROM core.instance JOIN core.delivered ON delivered.sop_instance_uid = instance.sop_instance_uid
        AND delivered.version = instance.version
    WHERE instance.series_id = ANY(CAST(:series AS bigint[])) AND instance.current AND instance.deleted_by IS NULL
    GROUP BY 1 ORDER BY max(delivered.at) DESC
""")

# The indexes of jobs by state hold the few that are not done; only the newest are looked at.
_WAITING = text(f"""
    WITH waiting AS MATERIALIZED (
        SELECT id, payload, state, last_error FROM core.job
        WHERE state IN ('due', 'running', 'dead') AND kind = 'send' ORDER BY id DESC LIMIT {MOST_JOBS}
    ), here AS MATERIALIZED (
        SELECT sop_instance_uid FROM core.instance
        WHERE series_id = ANY(CAST(:series AS bigint[])) AND current AND deleted_by IS NULL
    )
    SELECT payload ->> 'destination' AS destination, state, count(*) AS sendings, max(last_error) AS last_error
    FROM waiting
    WHERE payload ->> 'study_uid' = :study OR EXISTS (
        SELECT FROM jsonb_array_elements(coalesce(payload -> 'objects', '[]')) AS object
        JOIN here ON here.sop_instance_uid = object ->> 0
    )
    GROUP BY 1, 2 ORDER BY 1, 2
""")  # noqa: S608 - our own number
