"""What a receiver has answered: MSA and ERR of its acknowledgement (HL7 v2 chapter 2.9.2)."""

from __future__ import annotations

from dataclasses import dataclass

from charrua_hl7.errors import MessageRefused
from charrua_hl7.message import Message
from charrua_hl7.outgoing.errors import AnswerUnreadable

TAKEN, TRIED_AGAIN, REFUSED = ("AA", "CA"), ("AE", "CE"), ("AR", "CR")
"""Acknowledgement codes (table 0008)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An acknowledgement."""

    code: str
    condition: str
    """The code of table 0357, "" where it says none."""
    text: str
    """What it says in words: it may repeat what stood in the message, so it is told nowhere but beside that."""

    @property
    def sentence(self) -> str:
        """What was answered, without words of the receiver's own."""
        return f"it answered {self.code}" + (f", condition {self.condition}" if self.condition else "")


def read_answer(content: bytes, control_id: str) -> Answer:
    """Read the answer to a message. Raises AnswerUnreadable where it is none, or one to another message.

    One that names no control ID is taken: on this connection no other message was sent.
    """
    try:
        return _answer(Message.parse(content), control_id)
    except MessageRefused as error:
        raise AnswerUnreadable("its answer is no message of HL7") from error


def _answer(message: Message, control_id: str) -> Answer:
    code, of = message.text("MSA-1").strip().upper(), message.text("MSA-2").strip()
    if code not in TAKEN + TRIED_AGAIN + REFUSED:
        raise AnswerUnreadable("its answer has no acknowledgement code (MSA-1)")
    if of not in ("", control_id):
        raise AnswerUnreadable("it answered another message (MSA-2)")
    condition = message.text("ERR-3.1") or message.text("ERR-1.4.1") or message.text("MSA-6.1")
    said = [message.text(path).strip() for path in ("MSA-3", "ERR-8", "ERR-7", "ERR-3.2", "MSA-6.2")]
    return Answer(code, condition.strip()[:20], next(filter(None, said), ""))
