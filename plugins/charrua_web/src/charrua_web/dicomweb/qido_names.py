"""The names that attributes have in a URL: keyword, tag, or several of them with dots through sequences (PS3.18 10.6.1.2.1)."""

from __future__ import annotations

import re
from functools import lru_cache

from pydicom.datadict import dictionary_VR, tag_for_keyword

from charrua_core.types import Level

BINARY = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
MOST_DEEP = 8
_OTHER_NAMES = {"StudyModality": "00080061", "PatientBD": "00100030", "ImageNumber": "00200013"}
"""What the manual's Appendix 4 calls them."""
_AT_STUDIES = {"00080060": "00080061"}
"""Modality, asked of studies, is a modality in them."""
_TAG = re.compile(r"[0-9A-Fa-f]{8}", re.ASCII)


def path_of(name: str, level: Level) -> tuple[str, ...] | None:
    """Give the tags that a dotted name leads through, None where it names no attribute."""
    parts = name.split(".")
    tags = tuple(_tag_of(part) for part in parts)
    if "" in tags or len(tags) > MOST_DEEP:
        return None
    if level is Level.STUDY and len(tags) == 1:
        return (_AT_STUDIES.get(tags[0], tags[0]),)
    return tags


@lru_cache(maxsize=1024)
def _tag_of(name: str) -> str:
    if _TAG.fullmatch(name):
        return name.upper()
    number = tag_for_keyword(name)
    return f"{number:08X}" if number is not None else _OTHER_NAMES.get(name, "")


@lru_cache(maxsize=4096)
def vr_of(tag: str) -> str:
    """Give the VR that values of the attribute are matched as; those of private ones as text."""
    try:
        return dictionary_VR(int(tag, 16))[:2]
    except KeyError:
        return "LO"
