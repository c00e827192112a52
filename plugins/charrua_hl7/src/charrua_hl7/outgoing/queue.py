"""Messages on their way out: rows of the table `message`, each with a job in the lane of its receiver, sent in order.

Row and job are written in the transaction of the fact that they tell. A message has its control ID from then on: who is sent
it twice, because a process died between the answer and the note of it, knows it by that.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core.jobs import NewJob
from charrua_hl7.errors import KeyUnknown
from charrua_hl7.outgoing.receiver import Receiver
from charrua_hl7.tables import message

if TYPE_CHECKING:
    from charrua_core.app import App

KIND = "hl7.send"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to one receiver: its content, or the facts of which the job that sends it writes that."""

    receiver: Receiver
    type: str
    control_id: str
    patient_id: str
    accession_number: str
    content: bytes = b""
    facts: Mapping[str, Any] | None = None

    def row(self) -> dict[str, Any]:
        """Give its columns, without the content."""
        return {
            "party": self.receiver.name,
            "message_type": self.type,
            "control_id": self.control_id,
            "version": self.receiver.version,
            "patient_id": self.patient_id,
            "accession_number": self.accession_number,
            "facts": self.facts,
        }


def new_control_id(of: str = "") -> str:
    """Give a control ID (MSH-10: 20 characters at most), always the same for the same fact where one is named."""
    return hashlib.sha256(of.encode()).hexdigest()[:20] if of else secrets.token_hex(10)


async def enqueue(app: App, tx: AsyncConnection, several: Sequence[Outgoing]) -> None:
    """Have messages sent, each receiver's in this order, with the transaction; however many, by as few statements."""
    if not several:
        return
    numbers = sorted(await tx.scalars(_NUMBERS, {"count": len(several)}))
    pairs = list(zip(numbers, several, strict=True))
    jobs = await app.jobs.enqueue_all(KIND, [_job(number, one.receiver.name) for number, one in pairs], tx)
    rows = [{"id": number, "job_id": jobs[str(number)], **one.row()} for number, one in pairs]
    given = {"rows": orjson.dumps(rows).decode(), "contents": [one.content for one in several]}
    own = {"application": app.settings["hl7_application"], "facility": app.settings["hl7_facility"]}
    await tx.execute(_ADD, {**given, **own})


def _job(number: int, receiver: str) -> NewJob:
    return NewJob({"message": number}, lane=f"hl7 {receiver}", dedup_key=str(number))


async def was_sent(app: App, tx: AsyncConnection, receiver: Receiver, control_id: str) -> bool:
    """Whether there is a message of this control ID to the receiver, sent or to be sent."""
    own = {"sending_application": "hl7_application", "sending_facility": "hl7_facility"}
    by_index = [message.c[column] == app.settings[setting] for column, setting in own.items()]
    of_it = (message.c.control_id == control_id, message.c.direction == "out", message.c.party == receiver.name)
    return await tx.scalar(select(message.c.id).where(*by_index, *of_it).limit(1)) is not None


async def send_again(app: App, number: int) -> None:
    """Have a message sent again, behind what waits for its receiver. Raises KeyUnknown where it is none that went out."""
    async with app.db.transaction() as tx:
        out = select(message).where(message.c.id == number, message.c.direction == "out").with_for_update()
        row = (await tx.execute(out)).mappings().first()
        if row is None:
            raise KeyUnknown(f"no message {number} went out")
        if row["job_id"]:
            await app.jobs.remove(row["job_id"])  # the dead one, so that it is not counted any more
        jobs = await app.jobs.enqueue_all(KIND, [_job(number, row["party"])], tx)
        anew = {"state": "waiting", "attempts": 0, "acknowledgement": "", "sentence": "", "processed_at": None}
        anew |= {"tried_since": None, "job_id": jobs.get(str(number), row["job_id"])}
        await tx.execute(update(message).where(message.c.id == number).values(**anew))


_NUMBERS = text("""
SELECT nextval(pg_get_serial_sequence('charrua_hl7.message', 'id')) FROM generate_series(1, CAST(:count AS int))
""")
_ADD = text("""
INSERT INTO charrua_hl7.message (id, direction, party, message_type, control_id, sending_application, sending_facility,
    version, patient_id, accession_number, content, facts, job_id)
SELECT given.id, 'out', given.party, given.message_type, given.control_id, :application, :facility,
    given.version, given.patient_id, given.accession_number, given.content, given.facts, given.job_id
FROM ROWS FROM (
    jsonb_to_recordset(CAST(:rows AS jsonb)) AS (id bigint, party text, message_type text, control_id text, version text,
        patient_id text, accession_number text, facts jsonb, job_id bigint),
    unnest(CAST(:contents AS bytea[]))
) AS given(id, party, message_type, control_id, version, patient_id, accession_number, facts, job_id, content)
""")
