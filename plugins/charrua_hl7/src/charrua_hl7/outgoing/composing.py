"""Messages built as objects of hl7apy and encoded: each segment in the group where its version's structure has it.

It takes milliseconds, and a tenth of a second for the first message of a version: call `composed` in a thread.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from hl7apy.core import Message

from charrua_hl7.message import Separators
from charrua_hl7.outgoing.receiver import CHARACTER_SETS, Receiver

MARKS = Separators()
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
SEGMENTS_OF_ONE_GROUP = {"OBX"}
"""Each of these has a group of its own: ORU^R01 repeats the observation."""
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

    `data` comes, in Base64, to where a field says DATA: hl7apy takes seconds over megabytes.
    """
    structure = message_type.replace("^", "_")
    message = Message(structure, version=receiver.version)
    groups: dict[tuple[str, ...], Any] = {(): message}
    _fill(message.msh, _header(message_type, structure, control_id, receiver, sender))
    for name, fields in segments:
        path = _place_of(structure, receiver.version, name)
        _fill(_group(groups, path, anew=name in SEGMENTS_OF_ONE_GROUP).add_segment(name), fields)
    codec = CHARACTER_SETS[receiver.character_set]
    encoded = f"{message.to_er7()}\r".encode(codec, "replace")
    return encoded.replace(DATA.encode(), base64.b64encode(data)) if data else encoded


def _header(message_type: str, structure: str, control_id: str, receiver: Receiver, sender: tuple[str, str]) -> Fields:
    named = (
        (*message_type.split("^"), structure) if receiver.version not in ("2.3", "2.3.1") else message_type.split("^")
    )
    return {
        3: sender[0],
        4: sender[1],
        5: receiver.application,
        6: receiver.facility,
        7: moment(datetime.now().astimezone()),
        9: tuple(named),
        10: control_id,
        11: "P",
        12: receiver.version,
        18: receiver.character_set,
    }


def _fill(segment: Any, fields: Fields) -> None:
    for number, value in fields.items():
        name = f"{segment.name.lower()}_{number}"
        if isinstance(value, list):
            most = segment.repetitions[name.upper()][1]
            for one in value if most < 0 else value[:most]:
                segment.add_field(name).value = er7(one)
        elif text := er7(value):
            setattr(segment, name, text)


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


@cache
def _place_of(structure: str, version: str, name: str) -> tuple[str, ...]:
    return _place(Message(structure, version=version), name) or ()


def _place(element: Any, name: str) -> tuple[str, ...] | None:
    """The groups that lead to a segment, by the structure of the message: the first place that it may have."""
    children = element.structure_by_name or {}
    if name in children:
        return ()
    for child, kept in children.items():
        if kept["cls"].__name__ == "Group":
            found = _place(kept["cls"](child, version=element.version), name)
            if found is not None:
                return (child, *found)
    return None


def _group(groups: dict[tuple[str, ...], Any], path: tuple[str, ...], *, anew: bool) -> Any:
    if path and (anew or path not in groups):
        groups[path] = _group(groups, path[:-1], anew=False).add_group(path[-1])
    return groups[path]


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
