"""Documents in results (OBX-5 of type ED: source, type, subtype, encoding, data): PDF and HL7 CDA."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from charrua_hl7.errors import ValueInvalid
from charrua_hl7.message import Segment
from charrua_hl7.texts import unescaped

LONGEST_TITLE = 64


@dataclass(frozen=True, slots=True)
class Document:
    """One document."""

    kind: Literal["pdf", "cda"]
    title: str
    content: bytes


def documents(observations: Sequence[Segment]) -> Iterator[Document]:
    """Give the documents among the OBX of a result. Raises ValueInvalid for one that is not what it says it is.

    Other types than PDF and XML, and what only refers to a document, are passed by.
    """
    for place, one in enumerate(observations, 1):
        kind, encoding, data = _parts(one)
        if one.text("2").strip().upper() == "ED" and kind:
            content = _decoded(one, encoding, data, f"OBX^{place}^5")
            if not _is_whole(kind, content):
                raise ValueInvalid(f"OBX-5 of segment {place} is no {kind.upper()}, or it is cut off", f"OBX^{place}^5")
            yield Document(kind, _title(one, kind), content)


def _is_whole(kind: str, content: bytes) -> bool:
    if kind == "pdf":
        return b"%PDF-" in content[:1024] and b"%%EOF" in content[-4096:]
    return b"ClinicalDocument" in content[: 1 << 16]


def _parts(one: Segment) -> tuple[Literal["pdf", "cda"] | None, str, str]:
    """Give kind, encoding and data. XML has delimiters in it that nobody escapes: what follows the fourth is data."""
    _, media, subtype, encoding, data = [*one.written(5).split(one.separators.component, 4), "", "", "", "", ""][:5]
    said = f"{media}/{subtype}".lower()
    return "pdf" if "pdf" in said else "cda" if "xml" in said or "cda" in said else None, encoding.strip().lower(), data


def _decoded(one: Segment, encoding: str, data: str, place: str) -> bytes:
    try:
        if encoding == "base64":
            return base64.b64decode("".join(unescaped(data, one.separators).split()), validate=True)
        if encoding == "hex":
            return bytes.fromhex(data)
    except (binascii.Error, ValueError) as error:
        raise ValueInvalid(f"its data is no {encoding}", place) from error
    return unescaped(data, one.separators).encode()


def _title(one: Segment, kind: str) -> str:
    """Give what OBX-3 calls it."""
    named = one.text("3.2").strip() or one.text("3.1").strip() or kind.upper()
    return "".join(letter for letter in named if letter.isprintable() and letter != "\\")[:LONGEST_TITLE]
