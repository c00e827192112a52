"""Opening a link: its token, and where that is asked the date of birth, are exchanged for a session.

Links that never were, have expired, were revoked, are used up, or whose maker may not share any more are answered alike.
Nobody guesses a token, and so none that works has to wait; a date of birth is soon guessed, and so each link counts wrong ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from sqlalchemy import func, update

from charrua_core import audit, tables
from charrua_core.accounts import throttle, visits
from charrua_core.errors import NotPermitted, ShareNotFound
from charrua_core.shares.make import birth_date_of, digest_of
from charrua_core.shares.studies import studies_of
from charrua_core.types import DicomJson, Identity, Origin

if TYPE_CHECKING:
    from charrua_core.app import App

_share = tables.share
_guessing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()


@dataclass(frozen=True, slots=True)
class Asked:
    """What a link that works asks for before it opens."""

    name: str
    """That of who comes by it."""
    birth_date: bool
    counts_uses: bool


@dataclass(frozen=True, slots=True)
class _Link:
    row: Any
    identity: Identity
    studies: Mapping[str, DicomJson]


async def asked(app: App, token: str, origin: Origin) -> Asked:
    """Give what a link asks for. Raises ShareNotFound, and NotPermitted (429) for who asks for too many that do not work."""
    link = await _find(app, token, origin)
    return Asked(link.identity.name, link.row.asks_birth_date, link.row.uses_allowed is not None)


async def open_share(app: App, token: str, birth_date: str, origin: Origin, *, agent: str) -> tuple[str, Identity]:
    """Give the session that a link opens, and whose it is; `birth_date` is as YYYYMMDD.

    Raises ShareNotFound, and NotPermitted (403, or 429 while it must wait) where the date of birth is another.
    """
    link = await _find(app, token, origin)
    if link.row.asks_birth_date:
        async with _guessing.setdefault(str(link.row.id), asyncio.Lock()):
            await _check_birth_date(app, link, birth_date, origin)
    return await _use(app, link, origin, agent)


async def _find(app: App, token: str, origin: Origin) -> _Link:
    statement = visits.with_maker().where(_share.c.digest == digest_of(token), visits.in_force(), _unused())
    async with app.db.reading() as connection:
        row = (await connection.execute(statement)).one_or_none()
    identity = None if row is None else visits.as_visitor(row)
    studies = {} if identity is None else await studies_of(app, identity, row.study_uids)  # type: ignore[union-attr]
    if identity is None or not studies:
        await _refuse(app, row, origin)
        raise ShareNotFound
    return _Link(row, identity, studies)


def _unused() -> Any:
    return _share.c.uses_allowed.is_(None) | (_share.c.uses < _share.c.uses_allowed)


async def _refuse(app: App, row: Any, origin: Origin) -> None:
    keys = (f"links from {origin.address}",)
    await wait(app, keys, "too many links that do not work: wait a little")
    await throttle.failed(app.db, keys, app.settings["authentication_delay"])
    name = visits.name_of(row.id) if row else "link"
    await note(app, name, origin, () if row is None else row.study_uids, reason="the link does not work")


async def _check_birth_date(app: App, link: _Link, given: str, origin: Origin) -> None:
    keys = (f"link {link.row.id}",)
    await wait(app, keys, "too many wrong dates: wait a little")
    if given == birth_date_of(link.studies):
        await throttle.succeeded(app.db, keys)
        return
    await throttle.failed(app.db, keys, app.settings["authentication_delay"])
    await note(app, link.identity.name, origin, link.row.study_uids, reason="the date of birth is another")
    raise NotPermitted("this is not the date of birth of the patient")


async def _use(app: App, link: _Link, origin: Origin, agent: str) -> tuple[str, Identity]:
    """Count the use: of two who come for the last one at the same time, one gets it."""
    once = update(_share).where(_share.c.id == link.row.id, visits.in_force(), _unused())
    async with app.db.transaction() as tx:
        counted = once.values(uses=_share.c.uses + 1, used_at=func.now()).returning(_share)
        row = (await tx.execute(counted)).one_or_none()
        if row is None:
            raise ShareNotFound
        session = await app.accounts.sessions.begin_visit(tx, row, address=origin.address, agent=agent)
        event, name = audit.Event.USER_AUTHENTICATION, link.identity.name
        await audit.record(tx, event, "E", name, origin, study_uids=row.study_uids, share=str(row.id), use=row.uses)
    return session, link.identity


async def wait(app: App, keys: tuple[str, ...], reason: str) -> None:
    """NotPermitted (429) while these keys have to wait."""
    until = await throttle.wait_until(app.db, keys)
    if until is not None:
        error = NotPermitted(reason)
        error.http_status, error.retry_after_s = 429, (until - datetime.now(UTC)).total_seconds()
        raise error


async def note(app: App, name: str, origin: Origin, study_uids: tuple[str, ...], reason: str) -> None:
    """Write into the audit trail that somebody was not let in."""
    async with app.db.transaction() as tx:
        event = audit.Event.USER_AUTHENTICATION
        await audit.record(tx, event, "E", name, origin, succeeded=False, study_uids=study_uids, reason=reason)
