"""Messages as they are written: segments of fields, what they say escaped, in the receiver's version and character set.

hl7apy knows how often a field may be repeated in each version. Building a message of its objects takes tens of milliseconds
of processor time, which would hold up all orders that come meanwhile.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache

from charrua_hl7.message import Separators
from charrua_hl7.outgoing.receiver import CHARACTER_SETS, Receiver

MARKS = Separators()
_DELIMITERS = MARKS.component + MARKS.repetition + MARKS.escape + MARKS.subcomponent
DATA = "--data-of-the-document--"
"""Stands where the data come to."""
_ESCAPED = str.maketrans(
    {
        MARKS.escape: "\\E\\",
        MARKS.field: "\\F\\",
        MARKS.component: "\\S\\",
        MARKS.subcomponent: "\\T\\",
        MARKS.repetition: "\\R\\",
        "\r": "\\X0D\\",
        "\n": "\\X0A\\",
    }
)
Part = str | Sequence[str]
"""A component, or its subcomponents."""
Repetition = str | tuple[Part, ...]
Value = Repetition | list[Repetition]
"""A field: a text, its components, or a list of repetitions."""
Fields = Mapping[int, Value]
_NAME = (0, 1, 2, 4, 3)
"""DICOM has family, given, middle, prefix, suffix (PS3.5 6.2); HL7 has suffix, prefix (XPN, XCN)."""
_REPRESENTATIONS = "AIP"  # table 4000: alphabetic, ideographic, phonetic, in the order of DICOM's groups


def composed(
    message_type: str,
    control_id: str,
    receiver: Receiver,
    sender: tuple[str, str],
    segments: Sequence[tuple[str, Fields]],
    data: bytes = b"",
) -> bytes:
    """Give a message, written for its receiver: `message_type` as ORU^R01, `sender` what MSH-3 and MSH-4 say.

    The segments come in the order of the message's structure. `data` comes, in Base64, to where a field says DATA: it is not
    looked through for what is to be escaped.
    """
    header = _header(message_type, control_id, receiver, sender)
    written = [_segment(name, fields, receiver.version) for name, fields in (("MSH", header), *segments)]
    encoded = "".join(f"{one}\r" for one in written).encode(CHARACTER_SETS[receiver.character_set], "replace")
    return encoded.replace(DATA.encode(), base64.b64encode(data)) if data else encoded


def _header(message_type: str, control_id: str, receiver: Receiver, sender: tuple[str, str]) -> Fields:
    structure = () if receiver.version in ("2.3", "2.3.1") else (message_type.replace("^", "_"),)
    return {
        3: sender[0],
        4: sender[1],
        5: receiver.application,
        6: receiver.facility,
        7: moment(datetime.now().astimezone()),
        9: (*message_type.split("^"), *structure),
        10: control_id,
        11: "P",
        12: receiver.version,
        18: receiver.character_set,
    }


def _segment(name: str, fields: Fields, version: str) -> str:
    """Give a segment as it is written; of MSH, fields 1 and 2 are the delimiters (HL7 v2 chapter 2.5)."""
    head, first = ([name, _DELIMITERS], 3) if name == "MSH" else ([name], 1)
    written = [_field(name, number, fields.get(number, ""), version) for number in range(first, max(fields) + 1)]
    return MARKS.field.join([*head, *written]).rstrip(MARKS.field)


def _field(segment: str, number: int, value: Value, version: str) -> str:
    if not isinstance(value, list):
        return er7(value)
    most = _repetitions(segment, version)[f"{segment}_{number}"][1]
    return MARKS.repetition.join(map(er7, value if most < 0 else value[:most]))


@cache
def _repetitions(segment: str, version: str) -> Mapping[str, tuple[int, int]]:
    """How often each field may come, at least and at most (-1 for any number)."""
    from hl7apy.core import Segment

    return dict(Segment(segment, version=version).repetitions)


def er7(value: Repetition) -> str:
    """Give a repetition of a field as it is written, what it says escaped, without empty parts at its end."""
    if isinstance(value, str):
        return escaped(value)
    parts = [
        escaped(one) if isinstance(one, str) else MARKS.subcomponent.join(map(escaped, one)).rstrip(MARKS.subcomponent)
        for one in value
    ]
    return MARKS.component.join(parts).rstrip(MARKS.component)


def escaped(text: str) -> str:
    """Give a text with the delimiters in it escaped, and without other control characters."""
    return "".join(one for one in text.translate(_ESCAPED) if one >= " " and not "\x7f" <= one <= "\x9f")


def moment(at: datetime) -> str:
    """Give a moment with its zone, as HL7 writes it: `20260306173000-0300`."""
    return at.strftime("%Y%m%d%H%M%S%z")


def person(name: str) -> Value:
    """Give a patient's name (XPN) of one in DICOM: a repetition for each group of characters."""
    groups = [_components(group) for group in name.split("=")[:3]]
    if len(groups) == 1:
        return tuple(groups[0])
    return [
        (*(*group, "", "", "", "", "")[:5], "", "L", code)
        for group, code in zip(groups, _REPRESENTATIONS, strict=False)
        if any(group)
    ]


def physician(name: str) -> tuple[Part, ...]:
    """Give a physician (XCN) of a name in DICOM."""
    return ("", *_components(name.split("=")[0]))


def _components(group: str) -> list[str]:
    parts = (*group.split("^"), "", "", "", "", "")
    return [parts[number] for number in _NAME]


def lines(text: str) -> Iterable[str]:
    """Give the lines of a text, "" for each empty one."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
