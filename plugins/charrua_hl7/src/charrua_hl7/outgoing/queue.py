"""Messages on their way out: rows of the table `message`, each with a job in the lane of its receiver, sent in order.

Row and job are written in the transaction of the fact that they tell. A message is written once, with its control ID: who is
sent it twice, because a process died between the answer and the note of it, knows it by that.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import RowMapping, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core import audit
from charrua_core.jobs import GiveUp, JobType, PutOff
from charrua_core.types import SYSTEM, Origin
from charrua_hl7.errors import KeyUnknown
from charrua_hl7.outgoing import mllp
from charrua_hl7.outgoing.answer import REFUSED, TAKEN, Answer, read_answer
from charrua_hl7.outgoing.errors import MessageRejected, NotDelivered
from charrua_hl7.outgoing.receiver import Receiver
from charrua_hl7.outgoing.receivers import every, known_receivers
from charrua_hl7.tables import message

if TYPE_CHECKING:
    from charrua_core.app import App

KIND = "hl7.send"
PAUSES = (10.0, 30.0, 60.0, 120.0, *[300.0] * 287)
"""Seconds from one failure to the next try: about a day of them. What waits behind it is sent in order when it is through."""
MOST_REJECTED = 5
"""AE or CE so many times in a row is taken for an answer."""
LOOK_AGAIN = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message as it is written for one receiver."""

    type: str
    control_id: str
    content: bytes
    patient_id: str
    accession_number: str


def new_control_id(of: str = "") -> str:
    """Give a control ID (MSH-10: 20 characters at most), always the same for the same fact where one is named."""
    return hashlib.sha256(of.encode()).hexdigest()[:20] if of else secrets.token_hex(10)


def lane_of(receiver: str) -> str:
    """Give the lane of a receiver's jobs."""
    return f"hl7 {receiver}"


async def enqueue(app: App, tx: AsyncConnection, receiver: Receiver, written: Outgoing) -> int | None:
    """Have a message sent, with the transaction; give its number, None where the receiver was sent it before."""
    of_it = (message.c.control_id == written.control_id) & (message.c.direction == "out")
    if await tx.scalar(select(message.c.id).where(of_it, *_own(app), message.c.party == receiver.name)):
        return None
    row = {
        "direction": "out",
        "party": receiver.name,
        "message_type": written.type,
        "control_id": written.control_id,
        "sending_application": app.settings["hl7_application"],
        "sending_facility": app.settings["hl7_facility"],
        "version": receiver.version,
        "patient_id": written.patient_id,
        "accession_number": written.accession_number,
        "content": written.content,
        "digest": hashlib.sha256(written.content).digest(),
    }
    number = int(await tx.scalar(insert(message).values(row).returning(message.c.id)) or 0)
    await _add_job(app, tx, number, receiver.name)
    return number


def _own(app: App) -> list[Any]:
    """The columns of the index by control ID."""
    own = {"sending_application": "hl7_application", "sending_facility": "hl7_facility"}
    return [message.c[column] == app.settings[setting] for column, setting in own.items()]


async def _add_job(app: App, tx: AsyncConnection, number: int, receiver: str) -> None:
    job = await app.jobs.enqueue(KIND, {"message": number}, lane=lane_of(receiver), dedup_key=str(number), tx=tx)
    await tx.execute(update(message).where(message.c.id == number).values(job_id=job))


async def send_again(app: App, number: int) -> None:
    """Have a message sent again, behind what waits for its receiver. Raises KeyUnknown where it is none that went out."""
    async with app.db.transaction() as tx:
        out = select(message).where(message.c.id == number, message.c.direction == "out").with_for_update()
        row = (await tx.execute(out)).mappings().first()
        if row is None:
            raise KeyUnknown(f"no message {number} went out")
        again = {"state": "waiting", "attempts": 0, "acknowledgement": "", "sentence": "", "processed_at": None}
        await tx.execute(update(message).where(message.c.id == number).values(**again))
        if row["job_id"]:
            await app.jobs.remove(row["job_id"])  # the dead one, so that it is not counted any more
        await _add_job(app, tx, number, row["party"])


def send_job(app: App) -> JobType:
    """Give the job that sends a message."""
    return JobType(KIND, partial(_send, app), retry_after=(*PAUSES, *PAUSES), in_order=True)


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
        raise PutOff(app.jobs.clock.now() + LOOK_AGAIN, "the receiver is switched off")
    await _deliver(app, row, receiver)


async def _deliver(app: App, row: RowMapping, receiver: Receiver) -> None:
    try:
        content = await mllp.exchange(app.settings, receiver, row["content"])
        answer = read_answer(content, row["control_id"])
    except NotDelivered as error:
        await _failed(app, row, error)
        raise
    if answer.code in TAKEN:
        await _note(app, row, "done", "", answer, content)
        _tell_trail(app, row)
    elif answer.code in REFUSED:
        await _note(app, row, "failed", answer.sentence, answer, content)
        raise GiveUp(f"{receiver.name}: {answer.sentence}")
    else:
        await _rejected(app, row, receiver, answer, content)


async def _failed(app: App, row: RowMapping, error: NotDelivered) -> None:
    """Note that a try failed, or that it was the last one."""
    if row["attempts"] >= len(PAUSES):
        await _note(app, row, "failed", str(error))
        raise GiveUp(f"{row['party']}: {error}") from error
    await _note(app, row, "waiting", str(error))


async def _rejected(app: App, row: RowMapping, receiver: Receiver, answer: Answer, content: bytes) -> None:
    attempts = row["attempts"] + 1 if row["acknowledgement"] == answer.code else 1
    is_last = attempts >= MOST_REJECTED
    await _note(app, row, "failed" if is_last else "waiting", answer.sentence, answer, content, attempts=attempts)
    raise (GiveUp if is_last else MessageRejected)(f"{receiver.name}: {answer.sentence}")


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
        "processed_at": None if state == "waiting" else func.now(),
    }
    async with app.db.transaction() as tx:
        await tx.execute(update(message).where(message.c.id == row["id"]).values(**noted))


def _tell_trail(app: App, row: RowMapping) -> None:
    detail = {"hl7_message": row["id"], "hl7_receiver": row["party"], "type": row["message_type"]}
    app.audit.later(audit.Event.EXPORT, "E", SYSTEM.name, Origin("job"), **detail)
