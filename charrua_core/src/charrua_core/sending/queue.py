"""What is to be sent where: routes of newly stored objects, and studies that a person sends.

A job holds the objects that wait for one destination, so that one association carries many: while one runs, the next
gathers what comes.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core import audit
from charrua_core.archive.edit.targets import studies
from charrua_core.errors import NotPermitted, SettingInvalid
from charrua_core.jobs.gathering import OBJECTS_IN_JOB, gather
from charrua_core.sending.delivered import not_yet_had
from charrua_core.sending.window import opens_at
from charrua_core.settings import Setting
from charrua_core.types import Identity, Origin, Route, RowFilter, StoredObject

if TYPE_CHECKING:
    from charrua_core.app import App

KIND = "send"
FOLLOWER = "core.routes"

SETTINGS = (
    Setting(
        "send_retries",
        tuple,
        ("1h", "24h", "2d", "7d"),
        help="When a sending that failed is tried again, counted from the first try.",
        since="0.1",
    ),
    Setting(
        "send_concurrency",
        int,
        10,
        minimum=1,
        maximum=1000,
        help="How many jobs may send at the same time, over all destinations and processes.",
        since="0.1",
        effect="now",
    ),
    Setting(
        "deidentification_key",
        str,
        "",
        help="The key of pseudonyms and UIDs of what is de-identified on its way: whoever has it can tell whether an object is "
        "of a patient. With another one all of them are others.",
        since="0.1",
        secret=True,
        effect="now",
    ),
    Setting(
        "send_lossy",
        bool,
        False,
        help="A peer that takes nothing else may have objects lossily compressed: they are other objects then, with SOP "
        "Instance UIDs of their own.",
        since="0.1",
        effect="now",
    ),
)

_WAIT = re.compile(r"(\d+(?:\.\d+)?)(s|min|h|d)")
_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


def retries_s(waits: Sequence[str]) -> tuple[float, ...]:
    """The seconds from each failure to the next try, from the moments counted from the first one; raises SettingInvalid."""
    moments = [0.0]
    for wait in waits:
        found = _WAIT.fullmatch(wait)
        if found is None:
            raise SettingInvalid(f"send_retries: {wait!r} is not a time such as 30s, 5min, 1h or 2d")
        moments.append(float(found[1]) * _SECONDS[found[2]])
    if moments != sorted(moments):
        raise SettingInvalid("send_retries: the times are counted from the first try, so they grow")
    return tuple(later - sooner for sooner, later in pairwise(moments))


def lane_of(destination: str) -> str:
    """The lane of a destination: one that is dead stops no other."""
    return f"{KIND} {destination}"


async def send_study(
    app: App,
    identity: Identity,
    study_uid: str,
    destination: str,
    *,
    origin: Origin | None = None,
    options: Mapping[str, Any] | None = None,
    priority: int = 0,
) -> int | None:
    """Send what the archive has of a study, and the identity may see, when the job runs.

    `options` and `priority` are as those of `Route`.

    Gives the job, None when the same one is waiting already.

    Raises NotPermitted, StudyNotFound, PeerUnknown.
    """
    if not identity.may("send"):
        raise NotPermitted(f"{identity.name} has no permission to send studies")
    await app.destinations.get(destination)
    asked_by = kept_identity(identity)
    payload = {
        "batch": secrets.token_hex(16),
        "destination": destination,
        "study_uid": study_uid,
        "asked_by": asked_by,
        "options": dict(options or {}),
    }
    alike = orjson.dumps([asked_by["row_filters"], payload["options"]], option=orjson.OPT_SORT_KEYS)
    same = f"{destination} {study_uid} {alike.decode()}"
    async with app.db.transaction() as tx:
        await studies(tx, identity, study_uid)
        origin = origin or Origin("cli", user=identity.name)
        event = audit.Event.EXPORT
        await audit.record(tx, event, "R", identity.name, origin, study_uids=[study_uid], destination=destination)
        return await app.jobs.enqueue(
            KIND, payload, lane=lane_of(destination), dedup_key=same, priority=priority, tx=tx
        )


def kept_identity(identity: Identity) -> dict[str, Any]:
    """Give who asks as a job keeps it, so that what is sent later is what they may see."""
    return {
        "name": identity.name,
        "kind": identity.kind,
        "roles": sorted(identity.roles),
        "permissions": sorted(identity.permissions),
        "row_filters": [
            {keyword: list(values) for keyword, values in one.admits.items()} for one in identity.row_filters
        ],
    }


def identity_kept(kept: Mapping[str, Any]) -> Identity:
    """Give the identity that `kept_identity` wrote."""
    filters = [RowFilter({keyword: tuple(values) for keyword, values in one.items()}) for one in kept["row_filters"]]
    sets = (frozenset(kept["roles"]), frozenset(kept["permissions"]))
    return Identity(kept["name"], kept["kind"], *sets, tuple(filters))


async def route(app: App, stored: StoredObject, *, again: bool) -> None:
    """Have a stored object sent along the routes that the plugins name for it.

    `again` says that this may have been told before: what is in a job already is not put into another one.
    """
    routes = _distinct(await app.hooks.gather_async("route_destination", app=app, stored=stored), stored)
    if routes:
        async with app.db.transaction() as tx:
            for one in routes:
                await enqueue(app, tx, one, stored, again=again)


async def send_new(app: App, tx: AsyncConnection, to: Route, study_uid: str, series_uid: str = "") -> int:
    """Send what the archive has of a study, or of one series of it, and the route's destination has neither had nor sent.

    Gives how many objects that is. The delay counts from now.
    """
    objects = await not_yet_had(tx, to.destination, study_uid, series_uid)
    run_at = app.jobs.clock.now() + timedelta(seconds=to.delay_s)
    for first in range(0, len(objects), OBJECTS_IN_JOB):
        payload = {**_payload(to), "objects": objects[first : first + OBJECTS_IN_JOB]}
        lane = lane_of(to.destination)
        await app.jobs.enqueue(KIND, payload, lane=lane, priority=to.priority, run_at=run_at, tx=tx)
    return len(objects)


def _payload(to: Route) -> dict[str, Any]:
    return {"batch": secrets.token_hex(16), "destination": to.destination, "options": dict(to.options)}


def _distinct(routes: Sequence[Route], stored: StoredObject) -> list[Route]:
    """One route to each destination, and none back to where the object came from: two archives would send it for ever."""
    first: dict[str, Route] = {}
    for one in routes:
        if one.destination != stored.origin.calling_aet:
            first.setdefault(one.destination, one)
    return list(first.values())


def _closed_s(app: App, to: Route) -> float:
    """Seconds until the destination is sent to, when the route's delay is over: what waits for its hours waits together."""
    known = app.destinations.find(to.destination)
    if known is None:
        return 0.0
    now = app.jobs.clock.now()
    return (opens_at(known.window, now + timedelta(seconds=to.delay_s)) - now).total_seconds()


async def enqueue(app: App, tx: AsyncConnection, to: Route, stored: StoredObject, *, again: bool = False) -> None:
    """Put an object into a job of its route's destination."""
    item = [stored.sop_instance_uid, stored.version]
    delay_s = max(to.delay_s, _closed_s(app, to))
    lane = lane_of(to.destination)
    await gather(app.jobs, tx, KIND, item, _payload(to), lane=lane, priority=to.priority, delay_s=delay_s, again=again)
