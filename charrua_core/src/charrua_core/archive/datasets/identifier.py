"""The identifiers of C-FIND, C-MOVE and C-GET: data set bytes to DICOM JSON and back (PS3.4 C.4.1.1.3)."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from charrua_core.archive.datasets.charsets import LATIN_1, UTF_8, CharacterSet, character_set
from charrua_core.archive.datasets.elements import DEFLATED, Layout, Memo, layout_of
from charrua_core.archive.datasets.encoder import OtherCharacterSet, encode_dataset
from charrua_core.archive.datasets.source import BufferSource, Clock, InflatedSource, Source
from charrua_core.archive.datasets.walk import Walk
from charrua_core.archive.datasets.walk_state import Budgets
from charrua_core.errors import HeaderDamaged
from charrua_core.types import DicomJson

_MEMO = Memo(limit_bytes=1 << 20)
_BUDGETS = Budgets(
    elements=20_000, header_bytes=8 << 20, json_bytes=16 << 20, inline_bytes=8 << 20, inline_text=8 << 20
)
SPECIFIC_CHARACTER_SET = "00080005"
_IDENTIFIERS = frozenset(
    {
        *("00080050", "00080100", "00100020", "00100021", "00200010", "00380010"),
        *("00400009", "00401001", "00402016", "00402017"),
    }
)
"""Accession Number, Code Value, Patient ID and its issuer, Study, Admission, Scheduled Procedure Step and Requested Procedure
ID, Placer and Filler Order Number."""


def decode_identifier(identifier: bytes, transfer_syntax_uid: str, *, elements: int = _BUDGETS.elements) -> DicomJson:
    """Give the keys of an identifier in the DICOM JSON Model; those of zero length are there without a value.

    Raises HeaderDamaged when the bytes do not hold together or ask for more than a query is worth: `elements` at most.
    """
    clock = Clock(_BUDGETS.seconds)
    budgets = replace(_BUDGETS, elements=elements)
    source: Source = BufferSource(identifier)
    if transfer_syntax_uid in DEFLATED:
        source = InflatedSource(source, budgets.header_bytes, clock)
    walk = Walk(source, layout_of(transfer_syntax_uid), 0, budgets, clock, _MEMO)
    walk.run()
    if walk.unparsed:
        raise HeaderDamaged("the identifier is too large")
    keys: DicomJson = orjson.loads(walk.json())
    return keys


def requested_character_set(identifier: Mapping[str, Any]) -> str:
    """Give Specific Character Set of an identifier, "" where it names none."""
    return "\\".join(str(term or "") for term in identifier.get(SPECIFIC_CHARACTER_SET, {}).get("Value", ()))


def encode_identifier(
    attributes: Mapping[str, Any], transfer_syntax_uid: str, requested: str, always: str = ""
) -> bytes:
    """Give the attributes of an answer as a data set that its peer can read.

    `requested` is Specific Character Set of the request: the answer is in it when it can carry all texts, else in Unicode
    (in Latin-1 before that for a peer that named none). `always` is the only one that the peer reads: what that cannot say
    of names and descriptions is told without accents, or as `?`; an answer with an identifier that it cannot say is in
    Unicode. An element whose value does not fit its VR is written empty.
    """
    layout = layout_of(transfer_syntax_uid)
    encoded = _always(attributes, layout, character_set(always)) if always else _readable(attributes, layout, requested)
    return deflated(encoded) if transfer_syntax_uid in DEFLATED else encoded


def _readable(attributes: Mapping[str, Any], layout: Layout, requested: str) -> bytes:
    asked = character_set(requested)
    for charset in (asked,) if asked.term else (asked, LATIN_1):
        try:
            return _encoded(attributes, layout, charset)
        except OtherCharacterSet:
            continue
    return _encoded(attributes, layout, UTF_8)


def _always(attributes: Mapping[str, Any], layout: Layout, charset: CharacterSet) -> bytes:
    for told in (attributes, _sayable(attributes, charset)):
        try:
            return _encoded(told, layout, charset)
        except OtherCharacterSet:
            continue
    return _encoded(attributes, layout, UTF_8)


def _sayable(attributes: Mapping[str, Any], charset: CharacterSet) -> dict[str, Any]:
    """The attributes as far as a character set can say them, identifiers as they are: changed, they are another's."""
    return {
        tag: element if tag in _IDENTIFIERS or not element.get("Value") else _sayable_element(element, charset)
        for tag, element in attributes.items()
    }


def _sayable_element(element: Mapping[str, Any], charset: CharacterSet) -> Mapping[str, Any]:
    vr, values = element["vr"], element["Value"]
    if vr == "SQ":
        return {**element, "Value": [_sayable(item or {}, charset) for item in values]}
    if vr == "PN":
        return {**element, "Value": [_sayable_name(value, charset) for value in values]}
    return {**element, "Value": [charset.nearest(value) if isinstance(value, str) else value for value in values]}


def _sayable_name(value: Any, charset: CharacterSet) -> Any:
    """A name without the component groups that cannot be said, where another one can."""
    if not isinstance(value, Mapping):
        return charset.nearest(value) if isinstance(value, str) else value
    said = {group: charset.nearest(text) for group, text in value.items() if isinstance(text, str)}
    if not said.get("Alphabetic"):
        return said
    return {group: text for group, text in said.items() if group == "Alphabetic" or text == value[group]}


def _encoded(attributes: Mapping[str, Any], layout: Layout, charset: CharacterSet) -> bytes:
    told = {tag: element for tag, element in attributes.items() if tag != SPECIFIC_CHARACTER_SET}
    if charset.term:
        told[SPECIFIC_CHARACTER_SET] = {"vr": "CS", "Value": list(charset.terms)}
    return encode_dataset(told, layout, charset, strict=False)


def deflated(dataset: bytes) -> bytes:
    """Give a data set deflated (PS3.5 A.5), padded to even length."""
    packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = packer.compress(dataset) + packer.flush()
    return packed + b"\0" * (len(packed) & 1)
