"""The identifiers of C-FIND, C-MOVE and C-GET: data set bytes to DICOM JSON and back (PS3.4 C.4.1.1.3)."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
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


def decode_identifier(identifier: bytes, transfer_syntax_uid: str) -> DicomJson:
    """Give the keys of an identifier in the DICOM JSON Model; those of zero length are there without a value.

    Raises HeaderDamaged when the bytes do not hold together or ask for more than a query is worth.
    """
    clock = Clock(_BUDGETS.seconds)
    source: Source = BufferSource(identifier)
    if transfer_syntax_uid in DEFLATED:
        source = InflatedSource(source, _BUDGETS.header_bytes, clock)
    walk = Walk(source, layout_of(transfer_syntax_uid), 0, _BUDGETS, clock, _MEMO)
    walk.run()
    if walk.unparsed:
        raise HeaderDamaged("the identifier is too large")
    keys: DicomJson = orjson.loads(walk.json())
    return keys


def encode_identifier(attributes: Mapping[str, Any], transfer_syntax_uid: str, requested: str) -> bytes:
    """Give the attributes of an answer as a data set that its peer can read.

    `requested` is Specific Character Set of the request: the answer is in it when it can carry all texts, else in Unicode
    (in Latin-1 before that for a peer that named none). An element whose value does not fit its VR is written empty.
    """
    layout = layout_of(transfer_syntax_uid)
    asked = character_set(requested)
    for charset in (asked, UTF_8) if asked.term else (asked, LATIN_1, UTF_8):
        try:
            encoded = _encoded(attributes, layout, charset)
            break
        except OtherCharacterSet:
            continue
    return deflated(encoded) if transfer_syntax_uid in DEFLATED else encoded


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
