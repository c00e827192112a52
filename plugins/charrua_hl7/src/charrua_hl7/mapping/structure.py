"""What the standard's own structures say of a message: a second opinion for who sets an interface up, never a reason to refuse.

hl7apy knows the segments, cardinalities, data types and tables of each version. It is slow with large messages, so that it
runs in a thread, of one message at a time, within limits.
"""

from __future__ import annotations

import asyncio
import os
import re
from contextlib import suppress
from tempfile import TemporaryFile
from typing import Any

from charrua_hl7.message import Message

MOST_CHARACTERS = 32_000
TIMEOUT_S = 5.0
MOST_TOLD = 100
VERSIONS = ("2.1", "2.2", "2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.8", "2.8.1", "2.8.2")
STRUCTURES = {
    **{f"ADT_{event}": "ADT_A01" for event in ("A04", "A08", "A13")},
    **{f"ADT_{event}": "ADT_A05" for event in ("A14", "A28", "A31")},
    **{f"ADT_{event}": "ADT_A39" for event in ("A40", "A41", "A42")},
    "ADT_A34": "ADT_A30",
    "ADT_A35": "ADT_A30",
    "ADT_A36": "ADT_A30",
    "ADT_A46": "ADT_A30",
    "ADT_A47": "ADT_A30",
    **{f"SIU_S{number}": "SIU_S12" for number in (*range(13, 25), 26)},
}
"""The structures that events share with others (table 0354)."""
_WITHOUT_STRUCTURES = frozenset({"2.1", "2.2", "2.3"})
_CHOICE = re.compile(r"Missing required child \w*(?:_CHOICE|_SUPPGRP)\.")
"""hl7apy asks for each of the segments of which one is to be there."""
_NEWEST = "2.8.2"
_UNKNOWN = "MSH-9 names no structure that this version has"
_RUNNING: set[asyncio.Task[Any]] = set()


async def structure_of(message: Message) -> dict[str, Any]:
    """Give `{"version", "checked", "findings"}`: where it was not checked, the one finding says why."""
    version = message.version if message.version in VERSIONS else _NEWEST
    text = _written(message, version)
    if len(text) > MOST_CHARACTERS:
        return _unchecked(version, f"it has more than {MOST_CHARACTERS} characters")
    if _RUNNING:
        return _unchecked(version, "another message is being checked")
    task = asyncio.create_task(asyncio.to_thread(_findings, text))
    _RUNNING.add(task)
    task.add_done_callback(_RUNNING.discard)
    try:
        findings = await asyncio.wait_for(asyncio.shield(task), TIMEOUT_S)
    except TimeoutError:
        return _unchecked(version, f"the check took more than {TIMEOUT_S:.0f} s")
    return {"version": version, "checked": True, "findings": findings[:MOST_TOLD]}


def _unchecked(version: str, why: str) -> dict[str, Any]:
    return {"version": version, "checked": False, "findings": [why]}


def _written(message: Message, version: str) -> str:
    """The message as text with its own delimiters; one of an unknown version as if it were of the newest."""
    mark, lines = message.separators.field, []
    for segment in message.segments:
        if segment.name == "MSH":
            raw = [*segment.raw, *[""] * (13 - len(segment.raw))]
            raw[9], raw[12] = _type(message, version), version
            lines.append(f"MSH{mark}{mark.join(raw[2:])}")
        else:
            lines.append(mark.join(segment.raw))
    return "\r".join(lines)


def _type(message: Message, version: str) -> str:
    """MSH-9 with the structure that several events share, which senders leave out and hl7apy wants."""
    code, event, structure = (message.text(f"MSH-9.{number}").strip() for number in (1, 2, 3))
    if not structure and version not in _WITHOUT_STRUCTURES:
        structure = STRUCTURES.get(f"{code}_{event}", "")
    return message.separators.component.join(filter(None, (code, event, structure)))


def _findings(text: str) -> list[str]:
    """All that it says, errors before warnings; what it cannot read is one of them."""
    from hl7apy.consts import VALIDATION_LEVEL
    from hl7apy.exceptions import HL7apyException
    from hl7apy.parser import parse_message
    from hl7apy.validation import Validator

    try:
        parsed = parse_message(text, validation_level=VALIDATION_LEVEL.TOLERANT)
        with TemporaryFile() as report:
            with suppress(HL7apyException):  # it raises the first of what it has written to the file that it opens
                Validator.validate(parsed, report_file=os.dup(report.fileno()))
            report.seek(0)
            lines = report.read().decode("utf-8", "replace").splitlines()
    except HL7apyException as error:
        return [str(error) or type(error).__name__]
    except Exception as error:
        return [f"it cannot be read by its structure ({type(error).__name__})"]
    told = [line.partition(": ")[2] or line for line in lines]
    return [_UNKNOWN if "<Message >" in one else one for one in told if not _CHOICE.match(one)]
