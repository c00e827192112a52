"""What is asked of the audit trail, and its pages: by time, name, event, study and address, the latest first."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from charrua_core.audit import Asked, Event, find
from charrua_core.errors import NotPermitted
from charrua_core.types import is_valid_uid
from charrua_core.web import HttpError, Request
from charrua_web.setup.audit_words import EVENTS, sentence

AT_ONCE = 500
LONGEST = 128
Row = dict[str, Any]


def asked_of(request: Request) -> Asked:
    """Read what is asked from the query; HttpError 400 names the parameter that will not do.

    NotPermitted for who sees a part of the archive alone: the trail tells of all studies.
    """
    if request.identity.row_filters:
        raise NotPermitted("the audit trail tells of all studies: who sees a part of them cannot read it")
    query = request.query
    study = query.first("study").strip()
    if study and not is_valid_uid(study):
        raise HttpError(400, f"study: {study[:80]!r} is no UID")
    event = query.first("event")
    if event and event not in EVENTS:
        raise HttpError(400, f"event: {event[:20]!r} is none of the events of PS3.15 A.5")
    return Asked(
        since=_day(query.first("since"), "since"),
        until=_day(query.first("until"), "until", after=True),
        event=event,
        who=query.first("who").strip()[:LONGEST],
        address=query.first("address").strip()[:LONGEST],
        study_uid=study,
        succeeded=_succeeded(query.first("outcome")),
        before=_before(query.first("before")),
    )


def _day(given: str, name: str, *, after: bool = False) -> datetime | None:
    """A moment, or a day in the time of the server: its beginning, or that of the day after."""
    if not given:
        return None
    try:
        if len(given) == 10:
            day = date.fromisoformat(given) + timedelta(days=after)
            return datetime(day.year, day.month, day.day).astimezone()
        read = datetime.fromisoformat(given)
        return read if read.tzinfo else read.astimezone()
    except (ValueError, OverflowError) as error:
        raise HttpError(400, f"{name}: a day such as 2026-03-06 is expected") from error


def _succeeded(given: str) -> bool | None:
    if given not in ("", "success", "failure"):
        raise HttpError(400, "outcome: it is success or failure")
    return {"success": True, "failure": False}.get(given)


def _before(given: str) -> tuple[datetime, int] | None:
    if not given:
        return None
    moment, _, number = given.rpartition("_")
    try:
        at, last = datetime.fromisoformat(moment), int(number)
    except ValueError as error:
        raise HttpError(400, "before: it is `next` of the page before") from error
    if at.tzinfo is None or not 0 <= last < 1 << 62:
        raise HttpError(400, "before: it is `next` of the page before")
    return at, last


async def page_of(request: Request, asked: Asked, limit: int) -> tuple[list[Row], str]:
    """Give a page of records, and what `before` is for the next one, "" at the end. Reading is in the trail itself."""
    rows = await find(request.app.db, asked, limit + 1)
    _note(request, asked, len(rows[:limit]))
    more = f"{rows[limit - 1]['at'].isoformat()}_{rows[limit - 1]['id']}" if len(rows) > limit else ""
    return rows[:limit], more


async def all_of(request: Request, asked: Asked, at_most: int) -> AsyncGenerator[Row, None]:
    """Give all records one after another, up to so many."""
    _note(request, asked, at_most)
    told = 0
    while told < at_most and (rows := await find(request.app.db, asked, min(AT_ONCE, at_most - told))):
        for row in rows:
            yield row
        told += len(rows)
        asked = replace(asked, before=(rows[-1]["at"], rows[-1]["id"]))


def _note(request: Request, asked: Asked, records: int) -> None:
    given = {
        "since": asked.since.isoformat() if asked.since else "",
        "until": asked.until.isoformat() if asked.until else "",
        "of_event": asked.event,
        "of": asked.who,
        "of_address": asked.address,
    }
    detail: dict[str, Any] = {name: value for name, value in given.items() if value}
    studies = [asked.study_uid] if asked.study_uid else []
    note, name = request.app.audit.later, request.identity.name
    note(Event.AUDIT_LOG_USED, "R", name, request.origin, study_uids=studies, records=records, **detail)


def shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """Give a record for a page."""
    origin = row["origin"]
    return {
        "id": row["id"],
        "at": row["at"],
        "event": row["event"],
        "name": EVENTS.get(row["event"], row["event"]),
        "action": row["action"],
        "succeeded": row["succeeded"],
        "who": row["who"],
        "address": origin.get("address", ""),
        "origin": origin,
        "study_uids": row["study_uids"],
        "detail": row["detail"],
        "sentence": sentence(row),
    }
