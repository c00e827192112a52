"""Which attributes a header scan hands to the index as text, and how their values read there."""

from __future__ import annotations

from typing import Any

# Query keys of PS3.4 C.6, what the study list shows, and what tells how many pixels there are.
_TAGS = """
    00080005 00080008 00080016 00080018 00080020 00080021 00080022 00080023 0008002A 00080030 00080031 00080032 00080033
    00080050 00080051 00080054 00080060 00080064 00080070 00080080 00080090 00080201 00081010 00081030 0008103E 00081040
    00081048 00081050 00081060 00081070 00081080 00081090 00100010 00100020 00100021 00100030 00100032 00100040 00101000
    00101001 00101010 00101020 00101030 00102160 00102180 001021B0 00104000 00180015 00181000 00181020 00181030 00185100
    0020000D 0020000E 00200010 00200011 00200012 00200013 00200052 00200060 00200062 00201041 00204000 00280002 00280004
    00280008 00280010 00280011 00280100 00280101 00280301 00282110 0032000A 00321032 00321060 00380010 00400244 00400245
    00400253 00400254 00401001 0040A491 0040A493 00700080 00700081 00700084
"""
INDEXED = {int(tag, 16): tag for tag in _TAGS.split()}
"""The attributes that `Header.attributes` has, as number and as 8 hex digits."""


def fact(values: list[Any]) -> str:
    """Give an attribute's DICOM JSON values as one text without padding, several joined by backslashes.

    A person name reads `Alphabetic=Ideographic=Phonetic`.
    """
    return "\\".join([value.strip() if isinstance(value, str) else _as_text(value) for value in values])


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict):
        groups = [value.get(group, "") for group in ("Alphabetic", "Ideographic", "Phonetic")]
        return "=".join(groups).rstrip("=").strip()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
