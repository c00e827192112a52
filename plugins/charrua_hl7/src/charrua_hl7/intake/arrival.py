"""A message on its way: from the bytes that came to what is kept of it and answered."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from charrua_core.types import Identity, Origin
from charrua_hl7.errors import MessageRefused, MessageUnreadable
from charrua_hl7.intake.acknowledging import Header
from charrua_hl7.intake.splitting import refuse_excess
from charrua_hl7.message import Message
from charrua_hl7.processing import Received

PERMISSIONS = frozenset({"worklist", "edit"})
LONGEST = 200
"""Characters of a text by which messages are found: an index takes no more than some thousand bytes."""
_TEXTS = ("MSH-3", "MSH-4", "MSH-10", "MSH-12", "PID-3", "PID-2")
_SUBJECTS = (
    *("PID-3", "PID-2", "MRG-1"),
    *("ORC-2", "ORC-3", "OBR-2", "OBR-3", "OBR-18", "IPC-1", "SCH-1", "SCH-2", "SCH-26", "SCH-27"),
)
LONGEST_HEAD = 4096
LARGE = 64 * 1024
"""Messages from this size on are read in a thread."""


@dataclass(slots=True)
class Arrival:
    """One message. `message` is None where it could not be read, and `refused` says why."""

    content: bytes
    address: str
    message: Message | None = None
    unreadable: MessageRefused | None = None
    refused: MessageRefused | None = None
    header: Header = field(default_factory=lambda: Header.of(None))
    type: str = ""
    """MSH-9, "" where it could not be read."""
    texts: Mapping[str, str] = field(default_factory=dict)
    digest: bytes = b""
    """BLAKE2b of its bytes."""
    subjects: frozenset[str] = frozenset()
    """Patients and orders that it names: what is done to one of them is done by one transaction at a time."""
    key: tuple[str, str, str, bytes] = ("", "", "", b"")
    """By what a repeated message is known: sending application and facility, control ID, digest of all its bytes."""
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    id: int = 0
    attempts: int = 0
    repeats: bool = False
    """Whether it was done before, so that only its answer is given again."""
    answer_of: Arrival | None = None
    """The same message, which came just before."""
    sentence: str = ""
    answer: bytes = b""
    patient_id: str = ""
    accession_number: str = ""

    @classmethod
    async def read(cls, content: bytes, address: str) -> Arrival:
        """Read a message; the loop goes on beside a large one."""
        one = cls(content, address)
        if len(content) >= LARGE:
            await asyncio.to_thread(one._read)
        else:
            one._read()
        return one

    def _read(self) -> None:
        try:
            refuse_excess(self.content)
            message = Message.parse(self.content)
            self._look_at(message)
            self.message = message
        except Exception as error:
            self.unreadable = error if isinstance(error, MessageRefused) else MessageUnreadable("it cannot be read")
            with suppress(Exception):  # who sent it may be told all the same
                self._look_at(Message.parse(self.content.lstrip().splitlines()[0][:LONGEST_HEAD]))
        self.digest = hashlib.blake2b(self.content, digest_size=16).digest()
        self.key = (self.text("MSH-3"), self.text("MSH-4"), self.text("MSH-10"), self.digest)
        self.refused = self.unreadable

    def _look_at(self, message: Message) -> None:
        self.header = Header.of(message)
        self.texts = {path: storable(message.text(path).strip()) for path in _TEXTS}
        self.type = storable(message.type)
        self.subjects = frozenset(storable(message.text(path).strip()) for path in _SUBJECTS) - {""}

    def begin_anew(self) -> None:
        """Forget what a transaction that was undone has made of it."""
        self.refused, self.repeats, self.answer_of = self.unreadable, False, None
        self.sentence = self.patient_id = self.accession_number = ""
        self.id = self.attempts = 0

    def text(self, path: str) -> str:
        """Give a text of it by which it is found, "" where it has none."""
        return self.texts.get(path, "")

    @property
    def acknowledgement(self) -> str:
        """AA, AE or AR."""
        return self.refused.acknowledgement if self.refused else "AA"

    def received(self) -> Received:
        """Give it as handlers know it."""
        if self.message is None:
            raise ValueError("what cannot be read is not processed")
        sender = self.text("MSH-3")[:64] or "?"
        origin = Origin("hl7", calling_aet=sender, address=self.address)
        identity = Identity(f"HL7 {sender}", "system", permissions=PERMISSIONS)
        return Received(self.id, self.message, self.at, origin, identity)

    def row(self) -> dict[str, Any]:
        """Give what the table keeps of it, its bytes, digest and answer apart."""
        return {
            "id": self.id,
            "party": self.address,
            "at": self.at,
            "message_type": self.type,
            "control_id": self.text("MSH-10"),
            "sending_application": self.text("MSH-3"),
            "sending_facility": self.text("MSH-4"),
            "version": self.text("MSH-12"),
            "patient_id": storable(self.patient_id) or self.text("PID-3") or self.text("PID-2"),
            "accession_number": storable(self.accession_number),
            "state": "failed" if self.refused else "done",
            "acknowledgement": self.acknowledgement,
            "sentence": storable(self.sentence),
            "attempts": self.attempts,
        }


def storable(text: str) -> str:
    """Give a text that PostgreSQL takes and an index has room for."""
    if not text.isprintable():
        text = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)
    return text[:LONGEST]
