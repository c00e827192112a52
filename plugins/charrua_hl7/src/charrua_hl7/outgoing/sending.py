"""The job that sends a message: written where it is not yet, sent, and what became of it noted at its row.

Content and control ID of a message are the same whenever it is tried: it is kept as it was written before it is sent.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import RowMapping, func, null, select, update

from charrua_core import audit
from charrua_core.jobs import GiveUp, JobType, PutOff
from charrua_core.types import SYSTEM, Origin
from charrua_hl7.outgoing import mllp
from charrua_hl7.outgoing.answer import REFUSED, TAKEN, Answer, read_answer
from charrua_hl7.outgoing.errors import MessageRejected, NotDelivered
from charrua_hl7.outgoing.order_messages import order_message
from charrua_hl7.outgoing.queue import KIND
from charrua_hl7.outgoing.receiver import Receiver
from charrua_hl7.outgoing.receivers import every, known_receivers
from charrua_hl7.tables import message

if TYPE_CHECKING:
    from charrua_core.app import App

PAUSES = (10.0, 30.0, 60.0, 120.0, 300.0)
"""Seconds from one failure to the next try, the last of them again and again: setting `hl7_send_for` ends it."""
MOST_REJECTED = 5
"""AE or CE so many times in a row is taken for an answer."""
LOOK_AGAIN = timedelta(seconds=60)
LONG = timedelta(hours=1)
"""A receiver that has taken nothing for so long is told of."""
log = logging.getLogger(__name__)


def send_job(app: App) -> JobType:
    """Give the job that sends a message."""
    return JobType(KIND, partial(_send, app), retry_after=PAUSES, for_ever=True, in_order=True)


async def _send(app: App, payload: Mapping[str, Any]) -> None:
    async with app.db.reading() as connection:
        row = (await connection.execute(select(message).where(message.c.id == payload["message"]))).mappings().first()
        known = await known_receivers(app).all(connection)
    if row is None or row["state"] == "done":
        return  # the note of the job was lost
    receiver = known.get(row["party"]) or (await every(app)).get(row["party"])
    if receiver is None:
        await _note(app, row, "failed", f"there is no receiver {row['party']} any more")
        raise GiveUp(f"there is no HL7 receiver {row['party']}")
    if not receiver.enabled:
        if row["tried_since"]:
            await _set(app, row, tried_since=None)
        raise PutOff(app.jobs.clock.now() + LOOK_AGAIN, "the receiver is switched off")
    if row["facts"] is not None:
        row = await _written(app, row, receiver)
    await _deliver(app, row, receiver)


async def _written(app: App, row: RowMapping, receiver: Receiver) -> RowMapping:
    """Give the row with its message, as it is kept from now on. What cannot be written holds up no other message."""
    try:
        content = await asyncio.to_thread(order_message, row, receiver)
    except Exception as error:
        log.error("an HL7 message could not be written", exc_info=error, extra={"message_id": row["id"]})
        await _note(app, row, "failed", f"it could not be written: {type(error).__name__}")
        raise GiveUp(f"message {row['id']} could not be written: {type(error).__name__}") from error
    keeping = update(message).where(message.c.id == row["id"])
    keeping = keeping.values(content=content, facts=null(), version=receiver.version).returning(message)
    async with app.db.transaction() as tx:
        written: RowMapping = (await tx.execute(keeping)).mappings().one()
    return written


async def _deliver(app: App, row: RowMapping, receiver: Receiver) -> None:
    try:
        content = await mllp.exchange(app.settings, receiver, row["content"])
        answer = read_answer(content, row["control_id"])
    except Exception as error:
        await _failed(app, row, receiver, error)
        raise
    if answer.code in TAKEN:
        await _note(app, row, "done", "", answer, content)
        _tell_trail(app, row)
    elif answer.code in REFUSED:
        await _note(app, row, "failed", answer.sentence, answer, content)
        raise GiveUp(f"{receiver.name}: {answer.sentence}")
    else:
        await _rejected(app, row, receiver, answer, content)


async def _failed(app: App, row: RowMapping, receiver: Receiver, error: Exception) -> None:
    """Note that a try failed, or that it was the last one."""
    said = str(error) if isinstance(error, NotDelivered) else f"an error in this archive: {type(error).__name__}"
    tried_for, most = app.jobs.clock.now() - _since(app, row), app.settings["hl7_send_for"]
    if tried_for >= LONG:
        address = f"{receiver.host}:{receiver.port}"
        app.troubles.note("receiver", receiver.name, address, said, page="/setup/hl7/receivers")
    if most and tried_for >= most:
        await _note(app, row, "failed", said)
        raise GiveUp(f"{receiver.name}: {said}") from error
    await _note(app, row, "waiting", said)


async def _rejected(app: App, row: RowMapping, receiver: Receiver, answer: Answer, content: bytes) -> None:
    attempts = row["attempts"] + 1 if row["acknowledgement"] == answer.code else 1
    is_last = attempts >= MOST_REJECTED
    await _note(app, row, "failed" if is_last else "waiting", answer.sentence, answer, content, attempts=attempts)
    raise (GiveUp if is_last else MessageRejected)(f"{receiver.name}: {answer.sentence}")


def _since(app: App, row: RowMapping) -> Any:
    """When the message was tried first, since it was written, somebody had it sent again, or the receiver was off."""
    return row["tried_since"] or app.jobs.clock.now()


async def _note(
    app: App,
    row: RowMapping,
    state: str,
    sentence: str,
    answer: Answer | None = None,
    content: bytes = b"",
    *,
    attempts: int | None = None,
) -> None:
    noted = {
        "state": state,
        "sentence": sentence,
        "acknowledgement": answer.code if answer else "",
        "answer": content,
        "attempts": row["attempts"] + 1 if attempts is None else attempts,
        "tried_since": _since(app, row),
        "processed_at": None if state == "waiting" else func.now(),
    }
    await _set(app, row, **noted)


async def _set(app: App, row: RowMapping, **noted: Any) -> None:
    async with app.db.transaction() as tx:
        await tx.execute(update(message).where(message.c.id == row["id"]).values(**noted))


def _tell_trail(app: App, row: RowMapping) -> None:
    detail = {"hl7_message": row["id"], "hl7_receiver": row["party"], "type": row["message_type"]}
    app.audit.later(audit.Event.EXPORT, "E", SYSTEM.name, Origin("job"), **detail)
