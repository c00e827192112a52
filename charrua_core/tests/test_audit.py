"""The audit trail: in the fact's transaction, or soon after."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from charrua_core import audit
from charrua_core.audit import Asked, AuditTrail, Event
from charrua_core.db import Database
from charrua_core.types import Origin

CT1 = Origin("dimse", calling_aet="CT1", called_aet="CHARRUA", address="10.0.0.8")


async def test_a_record_is_kept_with_the_fact(db: Database) -> None:
    async with db.transaction() as tx:
        await audit.record(tx, Event.STUDY_DELETED, "D", "ana", CT1, study_uids=["1.2.3"], reason="sent twice")
    (kept,) = await audit.read(db)
    assert (kept["event"], kept["action"], kept["who"], kept["study_uids"]) == ("110105", "D", "ana", ["1.2.3"])
    assert kept["origin"] == {"kind": "dimse", "calling_aet": "CT1", "called_aet": "CHARRUA", "address": "10.0.0.8"}
    assert kept["detail"] == {"reason": "sent twice"}


async def test_a_record_goes_with_the_fact_that_did_not_happen(db: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        async with db.transaction() as tx:
            await audit.record(tx, Event.STUDY_DELETED, "D", "ana", CT1)
            raise ZeroDivisionError
    assert await audit.read(db) == []


async def test_records_without_a_transaction_are_written_together_within_moments(db: Database) -> None:
    trail = AuditTrail(db)
    for number in range(50):
        trail.later(Event.QUERY, "E", "CT1", CT1, matches=number)
    async with asyncio.timeout(5):
        while len(kept := await audit.read(db, event=Event.QUERY)) < 50:  # noqa: ASYNC110 -- another task writes
            await asyncio.sleep(0.05)
    assert [entry["detail"]["matches"] for entry in kept] == list(range(49, -1, -1))


async def test_nothing_is_lost_when_the_process_ends_in_order(db: Database) -> None:
    trail = AuditTrail(db)
    trail.later(Event.QUERY, "E", "CT1", CT1)
    await trail.close()
    assert len(await audit.read(db)) == 1


async def test_records_wait_while_the_database_is_away(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    trail = AuditTrail(db)
    trail.later(Event.QUERY, "E", "CT1", CT1)
    with monkeypatch.context() as away:
        away.setattr(db, "transaction", lambda: (_ for _ in ()).throw(ConnectionError))
        with pytest.raises(ConnectionError):
            await trail.flush()
    await trail.close()
    assert len(await audit.read(db)) == 1


async def test_what_no_database_takes_of_a_peers_text_keeps_nothing_from_being_written(db: Database) -> None:
    trail = AuditTrail(db)
    trail.later(
        Event.QUERY, "E", "C\0T", Origin("dimse", calling_aet="C\0T"), study_uids=["1\0"], keys=["\0"], matches=1
    )
    await trail.close()
    (kept,) = await audit.read(db)
    assert (kept["who"], kept["study_uids"]) == ("C\ufffdT", ["1\ufffd"])
    assert kept["detail"] == {"keys": ["\ufffd"], "matches": 1}


async def test_records_that_come_later_are_written_too(db: Database) -> None:
    trail = AuditTrail(db)
    for number in (1, 2):
        trail.later(Event.QUERY, "E", "CT1", CT1)
        async with asyncio.timeout(5):
            while len(await audit.read(db)) < number:  # noqa: ASYNC110 -- another task writes
                await asyncio.sleep(0.05)


async def test_records_of_one_event_are_read_alone(db: Database) -> None:
    async with db.transaction() as tx:
        for event in (Event.QUERY, Event.STUDY_DELETED):
            await audit.record(tx, event, "E", "ana", CT1)
    assert [kept["event"] for kept in await audit.read(db, event=Event.QUERY)] == [Event.QUERY]


async def test_the_oldest_records_go_and_are_told_of_where_the_database_does_not_keep_up(
    db: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(audit, "MAX_WAITING", 3)
    trail = AuditTrail(db)
    for number in range(5):
        trail.later(Event.QUERY, "E", "CT1", CT1, number=number)
    await trail.close()
    assert [kept["detail"]["number"] for kept in await audit.read(db)] == [4, 3, 2]
    assert caplog.text.count("audit record lost") == 2


# -- searching -----------------------------------------------------------------------------------------------------------
async def trail_of(db: Database, *rows: dict[str, Any]) -> None:
    trail = AuditTrail(db)
    for row in rows:
        origin = Origin("web", address=row.get("address", ""))
        trail.later(
            row.get("event", Event.QUERY), "R", row.get("who", "ana"), origin, study_uids=row.get("studies", ())
        )
    await trail.close()


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (Asked(), ["eva", "ana", "ana"]),
        (Asked(who="ana"), ["ana", "ana"]),
        (Asked(address="10.0.0.9"), ["eva"]),
        (Asked(study_uid="1.2.3"), ["ana"]),
        (Asked(event="110106"), ["eva"]),
        (Asked(succeeded=False), []),
        (Asked(since=datetime.now(UTC) + timedelta(days=1)), []),
    ],
)
async def test_the_trail_is_searched_by(db: Database, asked: Asked, found: list[str]) -> None:
    await trail_of(
        db, {}, {"studies": ["1.2.3", "1.2.4"]}, {"who": "eva", "address": "10.0.0.9", "event": Event.EXPORT}
    )
    assert [one["who"] for one in await audit.find(db, asked, 10)] == found


async def test_pages_of_the_trail_have_every_record_once(db: Database) -> None:
    await trail_of(db, *({"who": f"user{number}"} for number in range(7)))
    seen: list[str] = []
    before = None
    while page := await audit.find(db, Asked(before=before), 3):
        seen += [one["who"] for one in page]
        before = (page[-1]["at"], page[-1]["id"])
    assert seen == [f"user{number}" for number in reversed(range(7))]
