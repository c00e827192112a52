"""Which channel of an electrocardiogram is which lead (PS3.16 CID 3001), and how 12 of them stand on a sheet."""

from __future__ import annotations

import re

from charrua_core.imaging.documents.waveform import Channel, Group

STANDARD = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
COLUMNS = (("I", "II", "III"), ("aVR", "aVL", "aVF"), ("V1", "V2", "V3"), ("V4", "V5", "V6"))
"""From left to right, each from top to bottom."""
RHYTHM = "II"

_BY_NUMBER = {"1": "I", "2": "II", "61": "III", "62": "aVR", "63": "aVL", "64": "aVF"} | {
    str(number + 2): f"V{number}" for number in range(1, 7)
}
_NUMBERED = re.compile(r"(?:2:|5\.6\.3-9-)(\d{1,3})", re.ASCII)
"""MDC and SCPECG number the leads alike: `2:61` and `5.6.3-9-61` are lead III."""
_NAMED = re.compile(r"(?<![A-Za-z0-9])(?:lead[ _]?)?(aV[RLF]|V[1-6]|I{1,3})(?![A-Za-z0-9])", re.IGNORECASE)
_SPELLED = {name.lower(): name for name in STANDARD}
_VOLTS = {"V": 1e3, "mV": 1.0, "uV": 1e-3, "nV": 1e-6}
"""UCUM units → millivolts."""


def lead(channel: Channel) -> str:
    """The standard lead that a channel is, by its source's code, else by its words; empty for any other."""
    if channel.source:
        found = _NUMBERED.fullmatch(channel.source.value)
        if found:
            return _BY_NUMBER.get(found[1], "")
    for words in (channel.source.meaning if channel.source else "", channel.label):
        named = _NAMED.search(words)
        if named:
            return _SPELLED[named[1].lower()]
    return ""


def leads(group: Group) -> dict[str, int]:
    """Lead → index of its channel, the first where several claim to be the same."""
    found: dict[str, int] = {}
    for index, channel in enumerate(group.channels):
        name = lead(channel)
        if name:
            found.setdefault(name, index)
    return found


def millivolts(channel: Channel) -> float | None:
    """What one unit of the channel is in millivolts, None where it is no voltage."""
    if channel.units is None or channel.sensitivity is None:
        return None
    return _VOLTS.get(channel.units.value)


def is_twelve_lead(group: Group) -> bool:
    """Whether all standard leads are there, as voltages."""
    found = leads(group)
    return set(found) == set(STANDARD) and all(millivolts(group.channels[index]) for index in found.values())
