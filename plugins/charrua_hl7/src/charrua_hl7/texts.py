"""Characters of messages: the character set of MSH-18 (table 0211), and escape sequences."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from charrua_hl7.message import Separators

CHARACTER_SETS = {
    "": "utf-8",
    "ASCII": "utf-8",
    "UNICODE": "utf-8",
    "UNICODE UTF-8": "utf-8",
    "8859/1": "iso8859-1",
}
"""Of table 0211, and others that are seen; B fills it."""


def decoded(content: bytes) -> str:
    """Give the text of a message, in the character set that its MSH-18 names."""
    head = re.split(rb"[\r\n]", content.lstrip(), maxsplit=1)[0]
    field = head[3:4]
    named = head.split(field)[17:18] if field else []
    name = named[0].split(b"~")[0].decode("ascii", "replace").strip().upper() if named else ""
    try:
        return content.decode(CHARACTER_SETS.get(name, "utf-8"))
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def unescaped(text: str, marks: Separators) -> str:
    """Give a text with its escape sequences resolved: delimiters, `\\X..\\`, `\\.br\\`; formatting is left out."""
    if marks.escape not in text:
        return text
    plain = {"F": marks.field, "S": marks.component, "T": marks.subcomponent, "R": marks.repetition, "E": marks.escape}
    mark = re.escape(marks.escape)
    return re.sub(f"{mark}([^{mark}]*){mark}", lambda found: plain.get(found[1], ""), text)
