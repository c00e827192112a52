"""Names of files and folders from what objects say: safe on every system, whatever a patient is called.

A name is one part of a path: it never leads elsewhere, and Windows, macOS and Linux all take it.
"""

from __future__ import annotations

import re
import unicodedata
from hashlib import blake2b
from pathlib import PurePosixPath

from pydicom.datadict import tag_for_keyword

from charrua_core.errors import EditInvalid
from charrua_core.types import DicomJson

LONGEST_BYTES = 150
"""Of one name in UTF-8: file systems take 255, and paths on Windows about 260 characters in all."""
UNKNOWN = "unknown"

_FORBIDDEN = re.compile(r'[/\\:*?"<>|]')
_DEVICES = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])(\..*)?", re.IGNORECASE)
_FIELD = re.compile(r"\{([A-Za-z0-9]+)\}")


def safe_name(text: str) -> str:
    """Give the text as one part of a path; `unknown` where nothing of it can be."""
    composed = unicodedata.normalize("NFC", text)
    # C*: control, format (such as those that turn the direction of writing), surrogates, unassigned; Zl, Zp: line ends.
    plain = "".join(" " if unicodedata.category(one) in _BLANKS else one for one in composed if _is_kept(one))
    cleaned = _FORBIDDEN.sub("_", " ".join(plain.split())).strip(". ")
    if _DEVICES.fullmatch(cleaned):
        cleaned = f"_{cleaned}"
    return _shortened(cleaned) or UNKNOWN


_BLANKS = frozenset({"Zs", "Zl", "Zp", "Cc"})


def _is_kept(one: str) -> bool:
    category = unicodedata.category(one)
    return category in _BLANKS or not category.startswith("C")


def _shortened(name: str) -> str:
    """The name, or its beginning, a mark of the whole, and what it ends in as a file."""
    encoded = name.encode()
    if len(encoded) <= LONGEST_BYTES:
        return name
    stem, dot, ending = name.rpartition(".")
    ending = dot + ending if stem and len(ending) <= 8 else ""
    mark = "~" + blake2b(encoded, digest_size=8).hexdigest() + ending
    return encoded[: LONGEST_BYTES - len(mark.encode())].decode(errors="ignore").strip(". ") + mark


def person_name(text: str) -> str:
    """Give a person name (PS3.5 6.2.1) as people write it in lists: its components with blanks between them."""
    return " ".join(text.split("=", 1)[0].replace("^", " ").split())


def check_pattern(pattern: str) -> str:
    """Give the pattern if `path_of` can follow it; EditInvalid says why not."""
    if "{SOPInstanceUID}" not in pattern.rpartition("/")[2]:
        raise EditInvalid(
            "a path holds {SOPInstanceUID} behind its last slash, or one object would take another's place"
        )
    if strange := [found[1] for found in _FIELD.finditer(pattern) if tag_for_keyword(found[1]) is None]:
        raise EditInvalid(f"there is no attribute {strange[0]}")
    if not all(part.strip() for part in pattern.split("/")) or set("{}") & set(_FIELD.sub("", pattern)):
        raise EditInvalid(f"{pattern!r} is no pattern such as {{PatientID}}/{{SOPInstanceUID}}.dcm")
    return pattern


def path_of(pattern: str, header: DicomJson) -> PurePosixPath:
    """Give the relative path that a pattern and an object's attributes make."""
    parts = [_FIELD.sub(lambda found: _value(header, found[1]), part) for part in pattern.split("/")]
    return PurePosixPath(*(safe_name(part) for part in parts))


def _value(header: DicomJson, keyword: str) -> str:
    return text_of(header, keyword) or UNKNOWN


def text_of(header: DicomJson, keyword: str) -> str:
    """Give the first value of an attribute as text, a person name as people write it; empty where there is none."""
    tag = tag_for_keyword(keyword)
    value = next(iter(header.get(f"{tag:08X}", {}).get("Value", ())), None)
    if isinstance(value, dict):
        return person_name(str(value.get("Alphabetic") or next(iter(value.values()), "")))
    return "" if value is None else str(value).strip()
