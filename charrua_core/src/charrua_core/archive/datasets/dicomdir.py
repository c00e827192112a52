"""A DICOMDIR of files (PS3.3 F, PS3.10 8): made of what the index keeps of the objects, without their files."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from charrua_core.archive.datasets.charsets import UTF_8
from charrua_core.archive.datasets.elements import EXPLICIT_LITTLE
from charrua_core.archive.datasets.encoder import encode_dataset, encode_head
from charrua_core.archive.datasets.part10 import file_meta
from charrua_core.types import DicomJson

MEDIA_STORAGE_DIRECTORY = "1.2.840.10008.1.3.10"
_EXPLICIT = "1.2.840.10008.1.2.1"
_ITEM_HEAD = 8
_IMAGE = "1.2.840.10008.5.1.4.1.1."
_NUMBER, _DATE, _TIME, _TITLE, _LABEL = "00200013", "00080023", "00080033", "0040A043", "00700080"

# What of an entity its record tells (PS3.3 F.5): tag → VR; each is there, empty where the object does not have it.
_PATIENT = {"00100010": "PN", "00100020": "LO", "00100030": "DA", "00100040": "CS"}
_STUDY = {
    "00080020": "DA",
    "00080030": "TM",
    "00080050": "SH",
    "00081030": "LO",
    "0020000D": "UI",
    "00200010": "SH",
}
_SERIES = {"00080060": "CS", "0008103E": "LO", "0020000E": "UI", "00200011": "IS"}
_OBJECT = {_NUMBER: "IS", _DATE: "DA", _TIME: "TM"}
_REPORT = {**_OBJECT, "0040A491": "CS", "0040A493": "CS", _TITLE: "SQ"}
_KINDS: Sequence[tuple[str, str, Mapping[str, str]]] = (
    (f"{_IMAGE}88.59", "KEY OBJECT DOC", {**_OBJECT, _TITLE: "SQ"}),
    (f"{_IMAGE}88.", "SR DOCUMENT", _REPORT),
    (f"{_IMAGE}9.", "WAVEFORM", _OBJECT),
    (f"{_IMAGE}104.", "ENCAP DOC", {**_OBJECT, "00420010": "ST", _TITLE: "SQ", "00420012": "LO"}),
    (f"{_IMAGE}11.", "PRESENTATION", {"00700082": "DA", "00700083": "TM", _LABEL: "CS", "00081115": "SQ"}),
    (f"{_IMAGE}481.2", "RT DOSE", {_NUMBER: "IS", "3004000A": "CS"}),
    (f"{_IMAGE}481.3", "RT STRUCTURE SET", {_NUMBER: "IS", "30060002": "SH", "30060008": "DA", "30060009": "TM"}),
    (f"{_IMAGE}481.5", "RT PLAN", {_NUMBER: "IS", "300A0002": "SH", "300A0006": "DA", "300A0007": "TM"}),
    (f"{_IMAGE}481.8", "RT PLAN", {_NUMBER: "IS", "300A0002": "SH", "300A0006": "DA", "300A0007": "TM"}),
    (f"{_IMAGE}481.4", "RT TREAT RECORD", {_NUMBER: "IS", "30080250": "DA", "30080251": "TM"}),
    (f"{_IMAGE}66.1", "REGISTRATION", {**_OBJECT, _LABEL: "CS"}),
    (f"{_IMAGE}66.3", "REGISTRATION", {**_OBJECT, _LABEL: "CS"}),
    (f"{_IMAGE}66.2", "FIDUCIAL", {**_OBJECT, _LABEL: "CS"}),
    (f"{_IMAGE}66.5", "SURFACE", _OBJECT),
    (f"{_IMAGE}66.4", "IMAGE", {_NUMBER: "IS"}),
    (f"{_IMAGE}66", "RAW DATA", _OBJECT),
    (f"{_IMAGE}67", "VALUE MAP", {**_OBJECT, _LABEL: "CS"}),
    (f"{_IMAGE}4.2", "SPECTROSCOPY", {"00080008": "CS", _NUMBER: "IS", _DATE: "DA", _TIME: "TM"}),
    (f"{_IMAGE}77.1.5.3", "STEREOMETRIC", _OBJECT),
    ("", "IMAGE", {_NUMBER: "IS"}),
)
"""Beginning of SOP Class UIDs → type of the record, and what it tells."""

# What a record must not be without (Type 1 in PS3.3 F.5), where the object is: who writes the file-set makes it up.
# "" stands for the number of the record among those before it.
_MADE_UP = {
    "00100020": "",
    "00080020": "19000101",
    "00080030": "000000",
    "00200010": "",
    "00080060": "OT",
    "00200011": "",
    _NUMBER: "",
}


@dataclass(frozen=True, slots=True)
class Filed:
    """A file of the set: its name, component by component, and what its data set is and says."""

    file_id: tuple[str, ...]
    """Up to 8, each of 8 capital letters, digits and underscores at most (PS3.10 8.2)."""
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    attributes: DicomJson
    """Those that `kept_attributes` keeps."""


def kept_attributes(attributes: DicomJson) -> DicomJson:
    """Give of an object's attributes what a DICOMDIR tells."""
    return {tag: attributes[tag] for tag in _TOLD & attributes.keys() if "BulkDataURI" not in attributes[tag]}


_TOLD = {"00080016", *_PATIENT, *_STUDY, *_SERIES}.union(*(told for _, _, told in _KINDS))


def dicomdir(files: Sequence[Filed]) -> bytes:
    """Give the file DICOMDIR: patients, their studies, series and objects, in the order in which they come."""
    roots: list[_Record] = []
    known: dict[tuple[str, ...], _Record] = {}
    for file in files:
        below, key = roots, tuple[str, ...]()
        for level, told in (("PATIENT", _PATIENT), ("STUDY", _STUDY), ("SERIES", _SERIES)):
            key = (*key, _value(file.attributes, _KEYS[level]))
            if key not in known:
                known[key] = _Record(_told(level, told, file.attributes, len(below) + 1))
                below.append(known[key])
            below = known[key].below
        below.append(_Record(_leaf(file, len(below) + 1)))
    uid = f"2.25.{uuid.uuid4().int}"
    meta = file_meta(MEDIA_STORAGE_DIRECTORY, uid, _EXPLICIT)
    return meta + _dataset(roots, len(meta))


_KEYS = {"PATIENT": "00100020", "STUDY": "0020000D", "SERIES": "0020000E"}


def _value(attributes: DicomJson, tag: str) -> str:
    return str(next(iter(attributes.get(tag, {}).get("Value") or [""])))


def _told(kind: str, told: Mapping[str, str], attributes: DicomJson, number: int) -> dict[str, Any]:
    """The keys of a record, which is the one of this number among its like."""
    keys = {tag: _key(tag, vr, attributes, number) for tag, vr in told.items()}
    return {"00041430": {"vr": "CS", "Value": [kind]}, **keys, "00080005": {"vr": "CS", "Value": [UTF_8.term]}}


def _key(tag: str, vr: str, attributes: DicomJson, number: int) -> dict[str, Any]:
    if attributes.get(tag, {}).get("vr") == vr and (tag not in _MADE_UP or _value(attributes, tag)):
        return attributes[tag]
    return {"vr": vr, "Value": [_MADE_UP[tag] or str(number)]} if tag in _MADE_UP else {"vr": vr}


def _leaf(file: Filed, number: int) -> dict[str, Any]:
    kind, told = next((kind, told) for begin, kind, told in _KINDS if file.sop_class_uid.startswith(begin))
    return {
        **_told(kind, told, file.attributes, number),
        "00041500": {"vr": "CS", "Value": list(file.file_id)},
        "00041510": {"vr": "UI", "Value": [file.sop_class_uid]},
        "00041511": {"vr": "UI", "Value": [file.sop_instance_uid]},
        "00041512": {"vr": "UI", "Value": [file.transfer_syntax_uid]},
    }


class _Record:
    """A directory record: where it lies is known once all before it are laid out."""

    def __init__(self, keys: Mapping[str, Any]) -> None:
        self.below: list[_Record] = []
        self.offset = 0
        self.next_offset = 0
        self._keys = encode_dataset(keys, EXPLICIT_LITTLE, UTF_8, strict=False)

    @property
    def length(self) -> int:
        """Bytes of its item."""
        return _ITEM_HEAD + len(self._links()) + len(self._keys)

    def _links(self) -> bytes:
        lower = self.below[0].offset if self.below else 0
        values = (("00041400", "UL", self.next_offset), ("00041410", "US", 0xFFFF), ("00041420", "UL", lower))
        return _numbers(values)

    def item(self) -> bytes:
        """Its item in the sequence."""
        content = self._links() + self._keys
        return EXPLICIT_LITTLE.item_head(len(content)) + content


def _numbers(values: Sequence[tuple[str, str, int]]) -> bytes:
    return encode_dataset({tag: {"vr": vr, "Value": [value]} for tag, vr, value in values}, EXPLICIT_LITTLE, UTF_8)


def _dataset(roots: Sequence[_Record], start: int) -> bytes:
    records = list(_in_order(roots))
    head = len(_head(0, 0)) + len(encode_head("00041220", "SQ", 0, EXPLICIT_LITTLE))
    at = start + head
    for record in records:
        record.offset = at
        at += record.length
    _link(roots)
    first, last = (roots[0].offset, roots[-1].offset) if roots else (0, 0)
    items = b"".join(record.item() for record in records)
    return _head(first, last) + encode_head("00041220", "SQ", len(items), EXPLICIT_LITTLE) + items


def _head(first: int, last: int) -> bytes:
    name = encode_dataset({"00041130": {"vr": "CS"}}, EXPLICIT_LITTLE, UTF_8)
    return name + _numbers((("00041200", "UL", first), ("00041202", "UL", last), ("00041212", "US", 0)))


def _in_order(records: Sequence[_Record]) -> Sequence[_Record]:
    """A record, then all below it, then the next."""
    ordered: list[_Record] = []
    for record in records:
        ordered += [record, *_in_order(record.below)]
    return ordered


def _link(records: Sequence[_Record]) -> None:
    for record, after in pairwise(records):
        record.next_offset = after.offset
    for record in records:
        _link(record.below)
