"""Acknowledgements (HL7 v2 chapter 2.9): MSA, and ERR as the sender's version has it.

Original mode answers AA, AE or AR. A sender that fills MSH-15 asks in enhanced mode for a commit acknowledgement (CA, CE,
CR), and by MSH-16 for an application acknowledgement: each always (AL), never (NE), on errors (ER) or on success (SU).
MSH-16 alone is not taken for that: those who write NE there and nothing else wait for an answer all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from charrua_hl7.errors import MessageRefused
from charrua_hl7.intake.framing import BEGIN, END
from charrua_hl7.intake.splitting import Split
from charrua_hl7.message import Message, Separators

_CONDITIONS = {
    "0": "Message accepted",
    "100": "Segment sequence error",
    "101": "Required field missing",
    "102": "Data type error",
    "103": "Table value not found",
    "200": "Unsupported message type",
    "201": "Unsupported event code",
    "202": "Unsupported processing id",
    "203": "Unsupported version id",
    "204": "Unknown key identifier",
    "205": "Duplicate key identifier",
    "206": "Application record locked",
    "207": "Application internal error",
}
"""Table 0357."""
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Own:
    """Who answers."""

    application: str
    facility: str


@dataclass(frozen=True, slots=True)
class Header:
    """What an answer takes over of the message's MSH, as it was written."""

    separators: Separators
    application: str = ""
    facility: str = ""
    control_id: str = ""
    processing_id: str = "P"
    version: str = "2.5.1"
    event: str = ""
    accept: str = ""
    apply: str = ""
    character_set: str = ""

    @classmethod
    def of(cls, message: Message | None) -> Header:
        """Give it; what stands for a message that could not be read has nothing of it."""
        msh = message.first("MSH") if message else None
        if message is None or msh is None:
            return cls(Separators())
        w = msh.written
        return cls(
            message.separators,
            w(3),
            w(4),
            w(10),
            w(11) or "P",
            w(12).split(message.separators.component)[0] or "2.5.1",
            msh.text("9.2"),
            msh.text("15").strip().upper(),
            msh.text("16").strip().upper(),
            w(18),
        )


def answers(header: Header, own: Own, number: int, refused: MessageRefused | None, at: datetime | None = None) -> bytes:
    """Give what the sender is told: b"" where it wants to be told nothing, two messages with the end of a frame between them.

    `number` is that of the message here; it becomes the answer's control ID.
    """
    code = refused.acknowledgement if refused else "AA"
    told = [
        _encoded(_message(header, own, f"{kind}{number}", said, refused, at or datetime.now(UTC)), header)
        for kind, said in _codes(header, code)
    ]
    return (END + BEGIN).join(told)


def _codes(header: Header, code: str) -> Sequence[tuple[str, str]]:
    if not header.accept:
        return [("A", code)]
    failed = code != "AA"
    commit = [("C", "C" + code[1])] if _is_wanted(header.accept, failed=failed) else []
    apply = header.apply or ("AL" if header.accept == "NE" else "NE")  # something is told where nothing is ruled out
    return [*commit, *([("A", code)] if _is_wanted(apply, failed=failed) else [])]


def _is_wanted(condition: str, *, failed: bool) -> bool:
    """Table 0155."""
    return condition == "AL" or condition == ("ER" if failed else "SU")


def batch_answer(split: Split, own: Own, told: Sequence[bytes], number: int) -> bytes:
    """Give the answers to a batch's messages as a batch (chapter 2.10.3.3), its headers with the sender's delimiters."""
    lines = [_envelope(header, own, number) for header in (split.file_header, split.batch_header) if header]
    inside = [one.rstrip(b"\r") for one in told if one]
    marks = (split.batch_header or split.file_header)[3:4]
    ends = [b"BTS" + marks + str(len(inside)).encode()] if split.batch_header else []
    ends += [b"FTS" + marks + b"1"] if split.file_header else []
    return b"\r".join([*lines, *inside, *ends, b""])


def _envelope(header: bytes, own: Own, number: int) -> bytes:
    """FHS or BHS: 3 to 6 are who sends and receives, 7 the time, 11 the control ID, 12 the one that is answered."""
    marks = header[3:4]
    fields = header.split(b"\r")[0].split(b"\n")[0].split(marks)
    fields += [b""] * (12 - len(fields))
    name, encoding, application, facility = fields[:4]
    now = datetime.now(UTC).strftime("%Y%m%d%H%M%S+0000").encode()
    ours = [own.application.encode(), own.facility.encode()]
    head = [name, encoding, *ours, application, facility, now, b"", b"", b""]
    return marks.join([*head, f"B{number}".encode(), fields[10]])


def _message(header: Header, own: Own, control_id: str, code: str, refused: MessageRefused | None, at: datetime) -> str:
    f = header.separators.field
    encoding = _encoding_characters(header.separators)
    msh = ["MSH", encoding, own.application, own.facility, header.application, header.facility]
    msh += [at.strftime("%Y%m%d%H%M%S+0000"), "", _type(header), control_id, header.processing_id, header.version]
    if header.character_set:
        msh += ["", "", "", "", "", header.character_set]
    lines = [f.join(msh), f.join(_msa(header, code, refused))]
    if refused is not None:
        lines.append(f.join(_err(header, refused)))
    return "\r".join(lines) + "\r"


def _encoding_characters(marks: Separators) -> str:
    return marks.component + marks.repetition + marks.escape + marks.subcomponent


def _type(header: Header) -> str:
    """MSH-9 as its version has it: the event from 2.3 on, the structure from 2.3.1 on."""
    version = _number(header.version)
    if not header.event or version < (2, 3):
        return "ACK"
    parts = ["ACK", _escaped(header.event, header.separators)]
    return header.separators.component.join([*parts, "ACK"] if version >= (2, 3, 1) else parts)


def _msa(header: Header, code: str, refused: MessageRefused | None) -> list[str]:
    """MSA-3 and MSA-6 tell what is wrong to those who do not read ERR."""
    fields = ["MSA", code, header.control_id]
    if refused is None:
        return fields
    said = _escaped(str(refused)[:_LONGEST], header.separators)
    if _number(header.version) >= (2, 5):
        return [*fields, said]
    return [*fields, said, "", "", _coded(header, refused, header.separators.component)]


def _err(header: Header, refused: MessageRefused) -> list[str]:
    marks = header.separators
    location = marks.component.join(_escaped(part, marks) for part in refused.location.split("^"))
    if _number(header.version) < (2, 5):
        coded = _coded(header, refused, marks.subcomponent)
        return ["ERR", marks.component.join([*[*location.split(marks.component), "", "", ""][:3], coded])]
    said = _escaped(str(refused)[:_LONGEST], marks)
    return ["ERR", "", location, _coded(header, refused, marks.component), "E", "", "", said, said]


def _coded(header: Header, refused: MessageRefused, between: str) -> str:
    meaning = _CONDITIONS.get(refused.condition, "")
    table = "HL70357" if _number(header.version) >= (2, 4) else "HL7nnnn"
    return between.join([refused.condition, meaning, table])


def _number(version: str) -> tuple[int, ...]:
    parts = version.split(".")
    return tuple(int(part) for part in parts) if all(part.isdecimal() for part in parts) else (2, 5)


def _escaped(text: str, marks: Separators) -> str:
    """Give a text with the delimiters in it written as escape sequences, and without what ends a segment."""
    named = {marks.escape: "E", marks.field: "F", marks.component: "S", marks.repetition: "R", marks.subcomponent: "T"}
    return "".join(
        f"{marks.escape}{named[one]}{marks.escape}" if one in named else one if one.isprintable() else " "
        for one in text
    )


def _encoded(text: str, header: Header) -> bytes:
    """In the character set that it says it has, which is the sender's."""
    if text.isascii():
        return text.encode()
    from charrua_hl7.texts import codec_of

    name = header.character_set.split(header.separators.repetition)[0].strip().upper()
    return text.encode(codec_of(name) or "utf-8", "replace")
