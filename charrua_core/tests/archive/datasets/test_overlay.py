"""Edits laid over stored objects on their way out."""

from __future__ import annotations

import csv
import io
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pydicom
import pytest
from pydicom.dataset import Dataset

from charrua_core.archive.datasets.header import scan
from charrua_core.archive.datasets.overlay import Modification, Overlay, apply_overlay, apply_overlay_json
from charrua_core.archive.datasets.part10 import read_file_meta
from charrua_core.errors import EditInvalid, HeaderDamaged
from charrua_core.testing.outside import DATA
from charrua_core.types import FileRange

EXPLICIT, DEFLATED = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99"
BY = Modification("CHARRUA", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), source_of_previous_values="RIS")
RENAMED: dict[str, Any] = {
    "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Nuñez^Ana", "Ideographic": "山田"}]},
    "00100020": {"vr": "LO", "Value": ["NEW-1"]},
    "00081030": None,
    "00104000": {"vr": "LT", "Value": ["new"]},
}
PLAIN: dict[str, Any] = {"00100020": {"vr": "LO", "Value": ["NEW-1"]}}


def sound() -> list[str]:
    if not DATA.is_dir():
        return []
    with open(DATA / "MANIFEST.csv", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["state"] == "ok" and row["modality"]]
    folders: dict[str, list[str]] = {}
    for row in rows:
        folders.setdefault(row["path"].rsplit("/", 1)[0], []).append(row["path"])
    return [path for paths in folders.values() for path in paths[:4] if "DICOMDIR" not in path and ".wl" not in path]


def leaving(path: Path, overlay: Overlay) -> tuple[bytes, list[bytes | FileRange]]:
    meta = read_file_meta(path)
    segments = apply_overlay(path, meta.dataset_offset, path.stat().st_size, meta.transfer_syntax_uid, overlay, BY)
    return b"".join(read(segment) for segment in segments), segments


def read(segment: bytes | FileRange) -> bytes:
    if isinstance(segment, bytes):
        return segment
    return Path(segment.path).read_bytes()[segment.offset : segment.offset + segment.length]


def as_pydicom(dataset: bytes, transfer_syntax_uid: str) -> Dataset:
    return pydicom.dcmread(io.BytesIO(_meta(transfer_syntax_uid) + dataset))


def _meta(transfer_syntax_uid: str) -> bytes:
    uid = transfer_syntax_uid.encode() + b"\0" * (len(transfer_syntax_uid) % 2)
    element = b"\2\0\x10\0UI" + len(uid).to_bytes(2, "little") + uid
    return bytes(128) + b"DICM\2\0\0\0UL\4\0" + len(element).to_bytes(4, "little") + element


def comparable(attributes: Any) -> Any:
    """Without what may differ: places of bulk data, character set, empty lists."""
    if isinstance(attributes, dict):
        kept = {k: v for k, v in attributes.items() if k not in ("00080005", "BulkDataURI") and v != []}
        return {key: comparable(value) for key, value in kept.items()}
    return [comparable(value) for value in attributes] if isinstance(attributes, list) else attributes


@pytest.mark.parametrize("overlay", [RENAMED, PLAIN], ids=["in Unicode", "in ASCII"])
@pytest.mark.parametrize("path", sound())
def test_all_but_the_edit_leaves_as_it_was(path: str, overlay: Overlay) -> None:
    file, meta = DATA / path, read_file_meta(DATA / path)
    before = orjson.loads(scan(file.read_bytes(), meta.transfer_syntax_uid, dataset_offset=meta.dataset_offset).json)
    dataset, _ = leaving(file, overlay)
    after = orjson.loads(scan(dataset, meta.transfer_syntax_uid).json)
    assert comparable(after) == comparable(apply_overlay_json(before, overlay, BY))
    with warnings.catch_warnings(action="ignore"):
        edited, received = as_pydicom(dataset, meta.transfer_syntax_uid), pydicom.dcmread(file, force=True)
    assert edited.get("PixelData") == received.get("PixelData")


def test_the_values_before_are_told(data: Path) -> None:
    path = data / "charset" / "chrFren.dcm"
    dataset, _ = leaving(path, RENAMED)
    edited, received = as_pydicom(dataset, EXPLICIT), pydicom.dcmread(path)
    (told,) = edited.OriginalAttributesSequence
    (previous,) = told.ModifiedAttributesSequence
    assert (previous.PatientName, previous.PatientID) == (received.PatientName, received.PatientID)
    assert "PatientComments" not in previous
    assert (told.ModifyingSystem, told.SourceOfPreviousValues) == ("CHARRUA", "RIS")
    assert told.ReasonForTheAttributeModification == "CORRECT"
    assert told.AttributeModificationDateTime == "20260102030405.000000+0000"


def test_without_an_edit_the_file_leaves_as_it_is(data: Path) -> None:
    path = data / "charset" / "chrFren.dcm"
    offset, size = read_file_meta(path).dataset_offset, path.stat().st_size
    same = {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "Buc^Jérôme"}]}, "00104000": None}
    for overlay in ({}, same):
        assert leaving(path, overlay)[1] == [FileRange(path, offset, size - offset)]


def test_pixels_are_not_read(data: Path) -> None:
    path = next(p for p in sorted((data / "series" / "ct-ge-28").rglob("*")) if p.is_file())
    _, segments = leaving(path, PLAIN)
    assert isinstance(segments[-1], FileRange)
    assert sum(len(segment) for segment in segments if isinstance(segment, bytes)) < 20_000


@pytest.mark.parametrize(
    ("path", "name", "charset"),
    [
        ("charset/chrFren.dcm", "Müller^Jörg", "ISO_IR 100"),
        ("charset/chrFren.dcm", "Ямада", "ISO_IR 192"),
        ("charset/chrH31.dcm", "Sato^Hanako=佐藤^花子", ["", "ISO 2022 IR 87"]),
        ("charset/chrH31.dcm", "Müller", "ISO_IR 192"),
        ("charset/chrX2.dcm", "Müller", "GB18030"),
    ],
)
def test_the_object_keeps_its_character_set_if_that_suffices(data: Path, path: str, name: str, charset: object) -> None:
    groups = dict(zip(("Alphabetic", "Ideographic"), name.split("="), strict=False))
    meta = read_file_meta(data / path)
    dataset, _ = leaving(data / path, {"00100010": {"vr": "PN", "Value": [groups]}})
    edited, received = as_pydicom(dataset, meta.transfer_syntax_uid), pydicom.dcmread(data / path)
    assert edited.SpecificCharacterSet == charset
    assert edited.PatientName == name
    previous = edited.OriginalAttributesSequence[0].ModifiedAttributesSequence[0]
    assert str(previous.PatientName) == str(received.PatientName)


def test_all_texts_follow_into_unicode_with_their_bulk_data(write: Any, tmp_path: Path) -> None:
    image = write.element(0x00880200, "SQ", write.item(write.fragments(b"", b"icon") + b""))
    texts = write.element(0x00081115, "SQ", write.item(write.element(0x00081030, "LO", "Tórax".encode("latin_1"))))
    mixed = write.element(
        0x0040A730,
        "SQ",
        write.item(write.element(0x0040A160, "UT", b"caf\xe9") + write.element(0x00420011, "OB", bytes(5000))),
    )
    path = tmp_path / "object"
    path.write_bytes(write.element(0x00080005, "CS", b"ISO_IR 100") + texts + write.identified(mixed, image))
    segments = apply_overlay(
        path, 0, path.stat().st_size, EXPLICIT, {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "山"}]}}, BY
    )
    edited = as_pydicom(b"".join(map(read, segments)), EXPLICIT)
    assert edited.ReferencedSeriesSequence[0].StudyDescription == "Tórax"
    assert edited.ContentSequence[0].TextValue == "café"
    assert edited.ContentSequence[0].EncapsulatedDocument == bytes(5000)
    assert b"icon" in edited.IconImageSequence[0].PixelData


def test_a_second_edit_is_told_after_the_first(data: Path, tmp_path: Path) -> None:
    first, _ = leaving(data / "charset" / "chrFren.dcm", PLAIN)
    (tmp_path / "once").write_bytes(_meta(EXPLICIT) + first)
    second, _ = leaving(tmp_path / "once", {"00100020": {"vr": "LO", "Value": ["NEW-2"]}})
    told = as_pydicom(second, EXPLICIT).OriginalAttributesSequence
    assert [item.ModifiedAttributesSequence[0].PatientID for item in told][1:] == ["NEW-1"]
    assert len(told) == 2


def test_group_lengths_of_edited_groups_are_dropped(write: Any, tmp_path: Path) -> None:
    path = tmp_path / "object"
    lengths = [write.element(0x00100000, "UL", b"\x08\0\0\0"), write.element(0x00280000, "UL", b"\0\0\0\0")]
    path.write_bytes(write.identified(lengths[0], write.element(0x00100020, "LO", b"ID"), lengths[1]))
    segments = apply_overlay(path, 0, path.stat().st_size, EXPLICIT, PLAIN, BY)
    edited = as_pydicom(b"".join(map(read, segments)), EXPLICIT)
    assert 0x00100000 not in edited
    assert 0x00280000 in edited


def test_a_deflated_object_is_edited(data: Path) -> None:
    path = data / "ts" / "deflated" / "image_dfl.dcm"
    dataset, _ = leaving(path, RENAMED)
    edited = as_pydicom(dataset, DEFLATED)
    assert edited.PatientName == "Nuñez^Ana=山田"
    assert edited.PixelData == pydicom.dcmread(path).PixelData


def test_a_value_that_does_not_fit_is_refused(data: Path) -> None:
    for element in (
        {"vr": "US", "Value": ["many"]},
        {"vr": "??", "Value": ["x"]},
        {"vr": "OB", "BulkDataURI": "file:///x"},
    ):
        with pytest.raises(EditInvalid):
            leaving(data / "charset" / "chrFren.dcm", {"00280010": element})


def test_a_data_set_that_cannot_be_walked_is_not_edited(write: Any, tmp_path: Path) -> None:
    path = tmp_path / "object"
    path.write_bytes(write.identified(write.nested(100)))
    with pytest.raises(HeaderDamaged):
        apply_overlay(path, 0, path.stat().st_size, EXPLICIT, PLAIN, BY)


def test_the_json_carries_the_edit_in_the_order_of_tags() -> None:
    header = {"00100020": {"vr": "LO", "Value": ["OLD"]}, "00280010": {"vr": "US", "Value": [1]}}
    edited = apply_overlay_json(header, RENAMED, BY)
    assert list(edited) == sorted(edited)
    told = edited["04000561"]["Value"][0]["04000550"]["Value"]
    assert told == [{"00100020": {"vr": "LO", "Value": ["OLD"]}}]
    assert apply_overlay_json(header, {}) == header
