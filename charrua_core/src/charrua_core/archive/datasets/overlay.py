"""An edit laid over a stored object on its way out: few elements are written anew, the rest leaves as it was received.

What was changed is told in the Original Attributes Sequence with the values before (PS3.3 C.12.1.1.9).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import orjson

from charrua_core.archive.check.survey import Place, inflated, survey
from charrua_core.archive.datasets.charsets import UTF_8, CharacterSet, character_set
from charrua_core.archive.datasets.elements import DEFLATED, Layout, layout_of
from charrua_core.archive.datasets.encoder import (
    OtherCharacterSet,
    Unencodable,
    encode_dataset,
    encode_element,
    encode_head,
)
from charrua_core.archive.datasets.identifier import SPECIFIC_CHARACTER_SET, deflated
from charrua_core.archive.datasets.jsonmodel import TEXT_VRS
from charrua_core.archive.datasets.source import BufferSource, FileSource, SegmentSource, Source
from charrua_core.errors import EditInvalid
from charrua_core.types import DicomJson, FileRange

Overlay = Mapping[str, Mapping[str, Any] | None]
"""Tag as 8 upper-case hex digits → the element in the DICOM JSON Model, None where the attribute is removed."""

ORIGINAL_ATTRIBUTES = "04000561"
_LONGEST_READ = 1 << 16
_LONGEST_PREVIOUS = 1 << 16


@dataclass(frozen=True, slots=True)
class Modification:
    """Who changed an object's attributes, as Original Attributes tells it."""

    modifying_system: str
    at: datetime
    reason: Literal["CORRECT", "COERCE"] = "CORRECT"
    source_of_previous_values: str = ""

    def attributes(self, previous: list[Mapping[str, Any]]) -> dict[str, Any]:
        """Give the item of the Original Attributes Sequence, with the items of its Modified Attributes Sequence."""
        moment = self.at.astimezone(UTC).strftime("%Y%m%d%H%M%S.%f+0000")
        source = {"Value": [self.source_of_previous_values]} if self.source_of_previous_values else {}
        return {
            "04000550": {"vr": "SQ", "Value": previous},
            "04000562": {"vr": "DT", "Value": [moment]},
            "04000563": {"vr": "LO", "Value": [self.modifying_system]},
            "04000564": {"vr": "LO", **source},
            "04000565": {"vr": "CS", "Value": [self.reason]},
        }


def apply_overlay_json(header: DicomJson, overlay: Overlay, modification: Modification | None = None) -> DicomJson:
    """Give the attributes with the overlay laid over them, in the order of tags, Original Attributes appended if told.

    Bulk data are not told again among the values before.
    """
    changed = {tag: _told_empty(element) for tag, element in overlay.items() if not _same(header.get(tag), element)}
    merged: dict[str, Any] = {tag: element for tag, element in {**header, **changed}.items() if element is not None}
    if changed and modification:
        before = merged.get(ORIGINAL_ATTRIBUTES, {}).get("Value", [])
        previous = {tag: header[tag] for tag in sorted(changed) if tag in header and not _has_bulk_data(header[tag])}
        item = modification.attributes([previous])
        merged[ORIGINAL_ATTRIBUTES] = {"vr": "SQ", "Value": [*before, item]}
    return dict(sorted(merged.items()))


def apply_overlay(
    path: str | os.PathLike[str],
    dataset_offset: int,
    size: int,
    transfer_syntax_uid: str,
    overlay: Overlay,
    modification: Modification,
) -> list[bytes | FileRange]:
    """Give the data set that leaves: bytes for what is written anew, ranges of the file for the rest; blocks.

    `size` is the file's. Nothing longer than 64 KiB is read, but of a deflated object, which is inflated in memory. Texts
    are written in the object's character set if it can carry them, else all of its texts are converted to Unicode. Raises
    HeaderDamaged for a data set that cannot be walked, EditInvalid for a value that does not fit its VR.
    """
    whole = FileRange(path, dataset_offset, size - dataset_offset)
    if not overlay:
        return [whole]
    with open(path, "rb", buffering=0) as file:
        source: Source = FileSource(file.fileno(), dataset_offset, size - dataset_offset)
        if transfer_syntax_uid in DEFLATED:
            source = BufferSource(inflated(source))
        edit = _Edit(source, layout_of(transfer_syntax_uid), overlay, modification)
        if not edit.changed:
            return [whole]
        try:
            pieces = edit.pieces()
        except Unencodable as error:
            raise EditInvalid(str(error)) from error
        if transfer_syntax_uid in DEFLATED:
            return [deflated(b"".join(_bytes(source, piece) for piece in pieces))]
        return _segments(source, pieces, whole)


def laid_anew(
    segments: Sequence[bytes | FileRange],
    transfer_syntax_uid: str,
    change: Callable[[DicomJson], Overlay],
    modification: Modification | None = None,
) -> list[bytes | FileRange]:
    """Give a data set of segments with what `change` makes of its attributes laid over them; blocks.

    Without a modification nothing tells of the values before. Raises as `apply_overlay` and `change` do, and StorageFailed.
    """
    with SegmentSource(segments) as opened:
        source: Source = BufferSource(inflated(opened)) if transfer_syntax_uid in DEFLATED else opened
        edit = _Edit(source, layout_of(transfer_syntax_uid), change, modification)
        if not edit.changed:
            return list(segments)
        try:
            pieces = _joined(edit.pieces())
        except Unencodable as error:
            raise EditInvalid(str(error)) from error
        if transfer_syntax_uid in DEFLATED:
            return [deflated(b"".join(_bytes(source, piece) for piece in pieces))]
        return [one for piece in pieces for one in ([piece] if isinstance(piece, bytes) else opened.cut(*piece))]


_Piece = bytes | tuple[int, int]
"""New bytes, or start and end of old ones."""


class _Edit:
    """One overlay on one data set."""

    def __init__(
        self,
        source: Source,
        layout: Layout,
        overlay: Overlay | Callable[[DicomJson], Overlay],
        modification: Modification | None,
    ) -> None:
        self._source = source
        self._layout = layout
        self._modification = modification
        self._survey = survey(source, layout)
        self._old = {f"{place.tag:08X}": place for place in self._survey.places}
        self._charset = character_set(self._survey.specific_character_set)
        self._converting = False
        if callable(overlay):
            found = {tag: _element_of(place) for tag, place in self._old.items()}
            overlay = overlay({tag: element for tag, element in found.items() if element is not None})
        self.changed = {
            tag: element
            for tag, element in overlay.items()
            if tag != SPECIFIC_CHARACTER_SET and not _same(_element_of(self._old.get(tag)), element)
        }

    def pieces(self) -> list[_Piece]:
        """Give the data set anew, in the order of tags."""
        try:
            return self._merged(self._new_elements())
        except OtherCharacterSet:
            self._converting, self._charset = True, UTF_8
            term = {"vr": "CS", "Value": [UTF_8.term]}
            told = encode_element(SPECIFIC_CHARACTER_SET, term, self._layout, UTF_8)
            return self._merged({SPECIFIC_CHARACTER_SET: told, **self._new_elements()})

    def _new_elements(self) -> dict[str, bytes]:
        """The elements that are written; empty for what is removed."""
        new = {
            tag: b"" if element is None else encode_element(tag, element, self._layout, self._charset)
            for tag, element in self.changed.items()
        }
        told = self._modification
        return new if told is None else {**new, ORIGINAL_ATTRIBUTES: self._original_attributes(told)}

    def _merged(self, new: dict[str, bytes]) -> list[_Piece]:
        pieces: list[_Piece] = []
        waiting = sorted(new.items(), reverse=True)
        groups = {tag[:4] for tag in new}
        for place in self._survey.places:
            tag = f"{place.tag:08X}"
            while waiting and waiting[-1][0] < tag:
                pieces.append(waiting.pop()[1])
            if tag in new or (tag[4:] == "0000" and (self._converting or tag[:4] in groups)):
                continue
            pieces.append(self._converted(place) if self._converting else (place.start, place.end))
        return [*pieces, *(element for _, element in reversed(waiting))]

    def _converted(self, place: Place) -> _Piece:
        """The element in Unicode: as it is when all its texts are ASCII."""
        if place.vr in TEXT_VRS or place.vr == "SQ":
            plain = place.fragment.isascii() and SPECIFIC_CHARACTER_SET.encode() not in place.fragment
            if place.bulk or not plain or b"\x1b" in self._source.read(place.start, place.end - place.start):
                return self._survey.in_unicode(place)
        return place.start, place.end

    def _previous(self) -> bytes:
        """The item of Modified Attributes Sequence: what the changed elements were, byte for byte where possible."""
        places = [self._old[tag] for tag in sorted(self.changed) if tag in self._old]
        pieces = [self._converted(place) if self._converting else (place.start, place.end) for place in places]
        raw = [_bytes(self._source, piece) for piece in pieces if _length(piece) <= _LONGEST_PREVIOUS]
        return b"".join(raw)

    def _original_attributes(self, modification: Modification) -> bytes:
        layout, previous = self._layout, _item(self._previous(), self._layout)
        told = modification.attributes([])
        del told["04000550"]
        modified = encode_head("04000550", "SQ", len(previous), layout) + previous
        value = self._items_before() + _item(modified + _told(told, layout, self._charset), layout)
        return encode_head(ORIGINAL_ATTRIBUTES, "SQ", len(value), layout) + value

    def _items_before(self) -> bytes:
        """The items that the object's Original Attributes Sequence has already."""
        place = self._old.get(ORIGINAL_ATTRIBUTES)
        if place is None:
            return b""
        raw = _bytes(self._source, self._converted(place) if self._converting else (place.start, place.end))
        if self._layout.explicit and raw[4:6] != b"SQ":  # in UN its items are implicit VR: they are written anew
            raw = encode_element(
                ORIGINAL_ATTRIBUTES, _element_of(place) or {}, self._layout, self._charset, strict=False
            )
        head = 12 if self._layout.explicit else 8
        undefined = raw[head - 4 : head] == b"\xff\xff\xff\xff"
        return raw[head:-8] if undefined else raw[head:]


def _told_empty(element: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """An element that is empty has no Value (PS3.18 F.2.5)."""
    return {"vr": element["vr"]} if element and element.get("Value") == [] else element


def _has_bulk_data(element: Mapping[str, Any]) -> bool:
    items = element.get("Value", ()) if element["vr"] == "SQ" else ()
    return "BulkDataURI" in element or any(_has_bulk_data(inner) for item in items for inner in item.values())


def _told(attributes: dict[str, Any], layout: Layout, charset: CharacterSet) -> bytes:
    """The item's own texts; a name of ours that the object's character set cannot carry loses what it must."""
    try:
        return encode_dataset(attributes, layout, charset)
    except OtherCharacterSet:
        plain = {
            tag: {**element, "Value": [_ascii(value) for value in element.get("Value", ())]}
            for tag, element in attributes.items()
        }
        return encode_dataset(plain, layout, charset)


def _ascii(text: str) -> str:
    return text.encode("ascii", "replace").decode("ascii")


def _item(value: bytes, layout: Layout) -> bytes:
    return layout.item_head(len(value)) + value


def _length(piece: _Piece) -> int:
    return len(piece) if isinstance(piece, bytes) else piece[1] - piece[0]


def _bytes(source: Source, piece: _Piece) -> bytes:
    return piece if isinstance(piece, bytes) else source.read(piece[0], piece[1] - piece[0])


def _element_of(place: Place | None) -> dict[str, Any] | None:
    if place is None or not place.fragment:
        return None
    element: dict[str, Any] = next(iter(orjson.loads(b"{%s}" % place.fragment).values()))
    return element


def _same(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> bool:
    """Whether an attribute stays what it was; without a value and with an empty list of values are alike."""
    if old is None or new is None:
        return old is new
    return {**old, "Value": old.get("Value") or []} == {**new, "Value": new.get("Value") or []}


def _segments(source: Source, pieces: list[_Piece], whole: FileRange) -> list[bytes | FileRange]:
    """Join what lies side by side; short stretches of the file are read, long ones stay ranges."""
    segments: list[bytes | FileRange] = []
    for piece in _joined(pieces):
        if not isinstance(piece, bytes) and _length(piece) > _LONGEST_READ:
            segments.append(FileRange(whole.path, whole.offset + piece[0], _length(piece)))
        elif segments and isinstance(segments[-1], bytes):
            segments[-1] += _bytes(source, piece)
        else:
            segments.append(_bytes(source, piece))
    return [segment for segment in segments if segment]


def _joined(pieces: list[_Piece]) -> list[_Piece]:
    joined: list[_Piece] = []
    for piece in pieces:
        last = joined[-1] if joined else b""
        if not isinstance(piece, bytes) and not isinstance(last, bytes) and last[1] == piece[0]:
            joined[-1] = (last[0], piece[1])
        elif piece:
            joined.append(piece)
    return joined
