"""What a C-FIND of a worklist asks for of each match (PS3.4 K.4.1.1.3, CC.2.8.1.3)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from charrua_core.types import DicomJson

NO_KEYS = frozenset({"00080005", "00080201"})
"""Specific Character Set and Timezone Offset From UTC say how to read the keys."""


def keys_only(identifier: DicomJson, without: Collection[str] = ()) -> DicomJson:
    """Give the attributes of an identifier that are keys."""
    return {
        tag: one for tag, one in identifier.items() if tag not in NO_KEYS and tag not in without and tag[4:] != "0000"
    }


def asked_for(attributes: Mapping[str, Any], identifier: DicomJson, without: Collection[str] = ()) -> DicomJson:
    """Give the attributes that an identifier asks for, empty where there are none; of items, those of its item."""
    told: DicomJson = {}
    for tag, asked in keys_only(identifier, without).items():
        found = attributes.get(tag, {"vr": asked["vr"]})
        items = asked.get("Value", ()) if asked["vr"] == "SQ" else ()
        if items and items[0] and found.get("Value"):
            found = {"vr": "SQ", "Value": [asked_for(item, items[0], without) for item in found["Value"]]}
        told[tag] = found
    return told
