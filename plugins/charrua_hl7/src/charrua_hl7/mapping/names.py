"""Names of HL7 (XPN, XCN, PPN, CN) as person names of DICOM (PS3.5 6.2.1)."""

from __future__ import annotations

from collections.abc import Sequence
from unicodedata import name as character_name

from charrua_hl7.mapping.places import Component, Part
from charrua_hl7.message import NULL

LONGEST_GROUP = 64
GROUPS = {"A": "Alphabetic", "I": "Ideographic", "P": "Phonetic"}
"""Name representation codes (table 0465)."""
_NAME_CODE, _PERSON_CODE = 8, 15  # the component that has it, of XPN and of XCN
_DEGREES, _TITLES = {"MD", "DO", "RN", "NP", "PA", "RT", "PHD"}, {"DR", "MR", "MRS", "MS", "PROF"}
_IDEOGRAPHS, _SOUNDS = ("CJK", "HANGUL"), ("HIRAGANA", "KATAKANA")


def name_of(parts: Sequence[Part]) -> dict[str, str] | None:
    """Give the person's name of the repetitions of an XPN: the first, with the others that write it in other characters."""
    groups: dict[str, str] = {}
    for part in parts:
        text = _group(part.components)
        kind = GROUPS.get(part.of(_NAME_CODE).upper()) or _by_script(text, groups)
        if text and kind:
            groups.setdefault(kind, text)
    return groups or None


def person_of(part: Part) -> dict[str, str] | None:
    """Give the name of the person that an XCN, CN or PPN identifies; NDL, which has a CN in its first component, will do."""
    components = part.components
    if len(components[0]) > 1 and any(components[0][1:]):
        components = tuple((text,) for text in components[0])
    if _unidentified([one[0].strip() for one in components]):
        components = (("",), *components)
    identifier, rest = components[0][0].strip(), components[1:]
    if text := _group(rest):
        code = rest[_PERSON_CODE - 2][0].strip().upper() if len(rest) >= _PERSON_CODE - 1 else ""
        return {GROUPS.get(code, "Alphabetic"): text}
    # Where only an identifier is sent it is often the name.
    named = identifier.replace(NULL, "")
    return {"Alphabetic": clean(named)[:LONGEST_GROUP]} if named and not any(map(str.isdigit, named)) else None


def _unidentified(texts: Sequence[str]) -> bool:
    """Whether a name stands where an identifier should: it has letters alone, and a title where only a name has one."""
    first, *rest = texts
    if not first or any(map(str.isdigit, first)) or not any(rest):
        return False
    titles = (rest[1:2] or [""])[0], (rest[3:4] or [""])[0]
    return not any(rest[1:]) or titles[0].strip(".").upper() in _DEGREES or titles[1].strip(".").upper() in _TITLES


def _by_script(text: str, groups: dict[str, str]) -> str:
    """Where no code says how it is written: a second name is another way of writing only in other characters."""
    if "Alphabetic" not in groups:
        return "Alphabetic"
    scripts = {character_name(one, "").split(" ")[0] for one in text}
    if scripts & {*_SOUNDS} and not scripts & {*_IDEOGRAPHS}:
        return "Phonetic"
    return "Ideographic" if scripts & {*_IDEOGRAPHS} else ""


def _group(components: Sequence[Component]) -> str:
    """Family, given, middle, suffix, prefix, degree → family, given, middle, prefix, suffix with degree."""
    texts = [clean(one[0]) for one in components[:6]]
    family, given, middle, suffix, prefix, degree = [*texts, *[""] * (6 - len(texts))]
    return _shortened([family, given, middle, prefix, " ".join(filter(None, (suffix, degree)))])


def _shortened(parts: list[str]) -> str:
    """What is least of the name goes first."""
    while len(parts) > 2 and len("^".join(parts)) > LONGEST_GROUP:
        parts = parts[:-1]
    return "^".join(parts).rstrip("^")[:LONGEST_GROUP].rstrip("^ ")


def clean(text: str) -> str:
    """Give a text without the characters that part a person's name, or that no text of DICOM may have."""
    if text == NULL:
        return ""
    if text.isalpha():
        return text
    kept = text.replace("^", " ").replace("=", " ").replace("\\", "/")
    return " ".join("".join(one if one.isprintable() else " " for one in kept).split())
