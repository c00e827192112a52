"""Messages and their effects in one transaction: whoever is told AA finds both after any crash."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core import audit
from charrua_core.audit import AuditRecord, Event
from charrua_core.db import connection_lost, driver_of, worth_another_try
from charrua_core.types import Origin
from charrua_hl7.errors import MessageRefused
from charrua_hl7.intake.acknowledging import Own, answers
from charrua_hl7.intake.arrival import Arrival
from charrua_hl7.outgoing.causes import sent_by
from charrua_hl7.processing import Outcome, Several, handler_of, handlers

if TYPE_CHECKING:
    from charrua_core.app import App

log = logging.getLogger(__name__)

TRIES = 4
"""Of a transaction that collides with another one."""
EVENTS = {"ADT": Event.PATIENT_RECORD, "ORU": Event.PROCEDURE_RECORD}
"""Of the audit trail by message code; the others speak of orders."""
DUPLICATE = "the same message came before: it was answered as it was then"


class Failed(MessageRefused):
    """An error in this archive: its log says more."""


async def keep(app: App, arrivals: Sequence[Arrival]) -> None:
    """Process the messages in their order, keep them, and set their answers; all of that is committed when this returns.

    Raises DatabaseUnavailable, and whatever else keeps all of them from being kept: nothing may be acknowledged then.
    """
    alone = False
    for left in reversed(range(TRIES)):
        try:
            async with app.db.transaction() as tx:
                await _keep(app, tx, arrivals, alone=alone)
        except Exception as error:
            if not left or connection_lost(error):
                raise
            alone = alone or not worth_another_try(error)
            await asyncio.sleep(0.01 * (TRIES - left))
        else:
            return


async def _keep(app: App, tx: AsyncConnection, arrivals: Sequence[Arrival], *, alone: bool) -> None:
    for one in arrivals:
        one.begin_anew()
    numbers = await _numbers(tx, arrivals)
    new = await _without_repeated(tx, arrivals)
    for one in new:
        one.id = one.id or next(numbers)
    await process(app, tx, new, alone=alone)
    await write(tx, new)
    for one in arrivals:
        if one.answer_of is not None:
            one.answer, one.refused = one.answer_of.answer, one.answer_of.refused


async def _numbers(tx: AsyncConnection, arrivals: Sequence[Arrival]) -> Iterator[int]:
    """Give as many numbers as there are messages, locking out whoever has one of them, or of what they are about, now.

    Two transactions that change the same orders and patients in another order would wait for each other until one fails.
    """
    names = {one.digest.hex() for one in arrivals}.union(*(one.subjects for one in arrivals))
    found = await (await driver_of(tx)).fetch(_NUMBERS, sorted(names), len(arrivals))
    return iter(sorted(row["nextval"] for row in found))


# In one order in every process, so that no two wait for each other.
_NUMBERS = """
WITH locked AS MATERIALIZED (
    SELECT pg_advisory_xact_lock(key) FROM (
        SELECT DISTINCT hashtextextended(name, 2575) AS key FROM unnest($1::text[]) AS asked(name) ORDER BY key
    ) AS keys
)
SELECT nextval(pg_get_serial_sequence('charrua_hl7.message', 'id'))
FROM (SELECT count(*) FROM locked) AS all_of_them, generate_series(1, $2::int)
"""


# -- repeated messages ---------------------------------------------------------------------------------------------------
async def _without_repeated(tx: AsyncConnection, arrivals: Sequence[Arrival]) -> list[Arrival]:
    """Give the messages that are to be done; the others get the answer that they had.

    One that failed before is done again under its number: its sender tries again because something may have changed.
    """
    known = await _known(tx, [one for one in arrivals if one.key[2]])
    first: dict[Any, Arrival] = {}
    new = []
    for one in arrivals:
        before = known.get(one.key)
        one.repeats = before is not None and before["state"] == "done"
        one.id, one.attempts = (before["id"], before["attempts"]) if before is not None else (0, 0)
        if before is not None and one.repeats:
            one.answer, one.sentence = before["answer"], DUPLICATE
        elif not one.key[2] or first.setdefault(one.key, one) is one:
            new.append(one)
        else:
            one.repeats = True
            one.answer_of = first[one.key]
    return new


async def _known(tx: AsyncConnection, arrivals: Sequence[Arrival]) -> Mapping[tuple[str, str, str, bytes], Any]:
    """Give the rows of messages that came before."""
    if not arrivals:
        return {}
    columns = map(list, zip(*(one.key for one in arrivals), strict=True))
    rows = await (await driver_of(tx)).fetch(_KNOWN, *columns)
    return {tuple(row[name] for name in _KEY): row for row in rows}


_KEY = ("sending_application", "sending_facility", "control_id", "digest")
_KNOWN = """
SELECT kept.id, kept.sending_application, kept.sending_facility, kept.control_id, kept.digest, kept.state, kept.answer,
    kept.attempts
FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[])
    AS asked(sending_application, sending_facility, control_id, digest)
JOIN charrua_hl7.message AS kept USING (sending_application, sending_facility, control_id, digest)
WHERE kept.direction = 'in' ORDER BY kept.id
"""


# -- what is done --------------------------------------------------------------------------------------------------------
async def process(app: App, tx: AsyncConnection, arrivals: Sequence[Arrival], *, alone: bool) -> None:
    """Do what the messages say, and set what came of each and its answer.

    Each `alone` leaves nothing of one that fails. Several at once are quicker: an error undoes the whole transaction then.
    """
    with sent_by({one.id: (one.text("MSH-3"), one.text("MSH-4")) for one in arrivals}):
        for handler, several in _runs(arrivals):
            if alone:
                for one in several:
                    await _do_alone(app, tx, handler, one)
            else:
                _take(several, await handler(app, tx, [one.received() for one in several]))
    own = Own(app.settings["hl7_application"], app.settings["hl7_facility"])
    for one in arrivals:
        one.attempts += 1
        if one.refused is not None:
            one.sentence = str(one.refused)
        one.answer = answers(one.header, own, one.id, one.refused, one.at)


def _runs(arrivals: Sequence[Arrival]) -> Iterator[tuple[Several, list[Arrival]]]:
    """Give messages that stand beside each other and have the same handler together; those without one are refused."""
    known = handlers()
    found = []
    for one in arrivals:
        try:
            if one.message is not None and one.refused is None:
                found.append((handler_of(known, one.message.type), one))
        except MessageRefused as refused:
            one.refused = refused
    for handler, several in groupby(found, key=lambda pair: pair[0]):
        yield handler, [one for _, one in several]


async def _do_alone(app: App, tx: AsyncConnection, handler: Several, one: Arrival) -> None:
    try:
        async with tx.begin_nested():
            _take([one], await handler(app, tx, [one.received()]))
    except Exception as error:
        if connection_lost(error) or worth_another_try(error):
            raise
        one.refused = _failed(one, error)


def _take(arrivals: Sequence[Arrival], outcomes: Sequence[Outcome | MessageRefused]) -> None:
    for one, outcome in zip(arrivals, outcomes, strict=True):
        if isinstance(outcome, MessageRefused):
            one.refused = outcome
        else:
            one.sentence, one.patient_id = outcome.sentence, outcome.patient_id
            one.accession_number = outcome.accession_number


def where(error: BaseException) -> str:
    """Give what kind of an error it is and where it came from, without its words: they may have a patient's name in them."""
    return "".join([*traceback.format_tb(error.__traceback__), type(error).__name__])


def _failed(one: Arrival, error: Exception) -> MessageRefused:
    """Give what the sender is told: no more than what it is."""
    if isinstance(error, MessageRefused):
        return error
    log.error("an HL7 message could not be processed\n%s", where(error), extra={"message_id": one.id, "type": one.type})
    return Failed()


# -- what is kept --------------------------------------------------------------------------------------------------------
_WRITE = """
INSERT INTO charrua_hl7.message AS kept (id, direction, party, at, message_type, control_id, sending_application,
    sending_facility, version, patient_id, accession_number, state, acknowledgement, sentence, attempts, content, digest,
    answer, processed_at)
SELECT given.id, 'in', given.party, given.at, given.message_type, given.control_id, given.sending_application,
    given.sending_facility, given.version, given.patient_id, given.accession_number, given.state, given.acknowledgement,
    given.sentence, given.attempts, given.content, given.digest, given.answer, now()
FROM ROWS FROM (
    jsonb_to_recordset($1) AS (id bigint, party text, at timestamptz, message_type text, control_id text,
        sending_application text, sending_facility text, version text, patient_id text, accession_number text,
        state text, acknowledgement text, sentence text, attempts int),
    unnest($2::bytea[]), unnest($3::bytea[]), unnest($4::bytea[])
) AS given(id, party, at, message_type, control_id, sending_application, sending_facility, version, patient_id,
    accession_number, state, acknowledgement, sentence, attempts, content, digest, answer)
ON CONFLICT (id) DO UPDATE SET state = excluded.state, acknowledgement = excluded.acknowledgement,
    answer = excluded.answer, sentence = excluded.sentence, attempts = excluded.attempts, patient_id = excluded.patient_id,
    accession_number = excluded.accession_number, message_type = excluded.message_type,
    processed_at = excluded.processed_at
"""


async def write(tx: AsyncConnection, arrivals: Sequence[Arrival]) -> None:
    """Keep the messages with what came of them, in place of what came of them before."""
    if not arrivals:
        return
    rows = orjson.dumps([one.row() for one in arrivals])
    texts = ([getattr(one, name) for one in arrivals] for name in ("content", "digest", "answer"))
    await (await driver_of(tx)).execute(_WRITE, rows, *texts)
    await audit.record_all(tx, [_record(one) for one in arrivals])


def _record(one: Arrival) -> AuditRecord:
    received_from = one.text("MSH-3")[:64]
    event = EVENTS.get(one.type.partition("^")[0], Event.ORDER_RECORD)
    detail = {"type": one.type, "message": one.id, "answer": one.acknowledgement}
    origin = Origin("hl7", calling_aet=received_from, address=one.address)
    return AuditRecord(event, "E", f"HL7 {received_from or '?'}", origin, one.refused is None, detail=detail)
