"""What a scan keeps of a data set."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import orjson
import pydicom
import pytest

from charrua_core.archive.datasets.header import Header, Memo, frame_ranges, scan
from charrua_core.archive.datasets.part10 import read_file_meta
from charrua_core.errors import HeaderDamaged
from charrua_core.testing.outside import DATA

EXPLICIT = "1.2.840.10008.1.2.1"

# Objects that no archive is asked to store: media directories and worklist items.
NO_OBJECTS = ("dicomdir-set/DICOMDIR", "worklist/")
BROKEN = {
    "malformed/ExplVR_BigEndNoMeta.dcm": "taken",
    "malformed/ExplVR_LitEndNoMeta.dcm": "taken",
    "malformed/GH1339.dcm": 0xC000,  # encapsulated data without an end
    "malformed/GH364.dcm": 0xC000,  # unknown VR, then an item where an element should be
    "malformed/MR_truncated.dcm": 0xC000,
    "malformed/badVR.dcm": "taken",  # Number of Frames is "1A": kept as text
    "malformed/bad_sequence.dcm": 0xA900,  # its SOP Instance UID is none
    "malformed/empty_charset_LEI.dcm": 0xA900,  # lacks the UIDs
    "malformed/emri_small_jpeg_2k_lossless_too_short.dcm": 0xC000,
    "malformed/meta_missing_tsyntax.dcm": 0xC000,
    "malformed/no-meta-length-test.dcm": "taken",
    "malformed/no_meta.dcm": 0xC000,
    "malformed/no_meta_group_length.dcm": 0xA900,  # lacks the UIDs
    "malformed/no_preamble_dicm_in_data": 0xC000,
    "malformed/rtplan_truncated.dcm": 0xC000,
}


def manifest(*states: str) -> list[str]:
    if not DATA.is_dir():
        return []
    with open(DATA / "MANIFEST.csv", encoding="utf-8") as file:
        return [row["path"] for row in csv.DictReader(file) if row["state"] in states]


SOUND = [path for path in manifest("ok") if not path.startswith(NO_OBJECTS)]


def scan_file(path: Path, **options: Any) -> Header:
    meta = read_file_meta(path)
    return scan(path.read_bytes(), meta.transfer_syntax_uid, dataset_offset=meta.dataset_offset, **options)


@pytest.mark.parametrize("path", SOUND[::4])
def test_what_is_remembered_of_other_objects_changes_nothing(path: str, remembering: Memo) -> None:
    first = scan_file(DATA / path, memo=Memo())
    assert scan_file(DATA / path, memo=remembering) == first
    assert scan_file(DATA / path, memo=remembering) == first


@pytest.fixture(scope="module")
def remembering() -> Memo:
    return Memo()


@pytest.mark.parametrize(("path", "outcome"), BROKEN.items())
def test_a_broken_file_has_a_defined_outcome(data: Path, path: str, outcome: str | int) -> None:
    if outcome == "taken":
        assert scan_file(data / path).sop_instance_uid
        return
    with pytest.raises(HeaderDamaged) as refusal:
        scan_file(data / path)
    assert refusal.value.dimse_status == outcome


def test_the_broken_files_are_those_of_the_manifest(data: Path) -> None:
    assert set(BROKEN) == set(manifest("broken"))


def test_a_file_reads_as_its_bytes_do(data: Path, descriptor: Callable[[Path], int]) -> None:
    path = data / "sr" / "reportsi.dcm"
    meta, size = read_file_meta(path), path.stat().st_size
    header = scan(descriptor(path), meta.transfer_syntax_uid, dataset_offset=meta.dataset_offset, size=size)
    assert header == scan_file(path)


def test_names_and_texts_are_decoded_by_their_character_set(data: Path) -> None:
    header = scan_file(data / "charset" / "chrH31.dcm")
    assert header.value("00100010") == "Yamada^Tarou=山田^太郎=やまだ^たろう"
    name = orjson.loads(header.json)["00100010"]["Value"][0]
    assert name == {"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"}


def test_native_pixel_data_are_found_in_the_file(data: Path) -> None:
    path = next(p for p in sorted((data / "series" / "ct-ge-28").rglob("*")) if p.is_file())
    header = scan_file(path)
    assert header.pixel_data_length == (header.rows or 0) * (header.columns or 0) * 2
    start = header.pixel_data_offset or 0
    assert path.read_bytes()[start : start + header.pixel_data_length] == pydicom.dcmread(path).PixelData


@pytest.mark.parametrize("path", [path for path in SOUND if path.startswith(("ts/j2k", "ts/rle", "ts/jpeg"))])
def test_encapsulated_frames_are_found_without_decoding(path: str) -> None:
    file = DATA / path
    header, dataset = scan_file(file), pydicom.dcmread(file)
    if header.frame_offsets is None:
        pytest.skip("its fragments do not tell the frames apart")
    frames = [file.read_bytes()[start : start + length] for start, length in frame_ranges(header.frame_offsets)]
    expected = pydicom.encaps.generate_frames(dataset.PixelData, number_of_frames=header.number_of_frames or 1)
    assert [without_items(frame) for frame in frames] == list(expected)


def without_items(frame: bytes) -> bytes:
    value, at = b"", 0
    while at < len(frame):
        length = int.from_bytes(frame[at + 4 : at + 8], "little")
        value += frame[at + 8 : at + 8 + length]
        at += 8 + length
    return value


@pytest.mark.parametrize(
    ("tables", "starts"),
    [
        ((b"",), [0, 12]),
        ((b"\0\0\0\0\x0c\0\0\0",), [0, 12]),
        ((b"\0\0\0\0\x07\0\0\0",), [0, 12]),  # the table points between the items: it is not believed
    ],
)
def test_frames_come_from_the_table_or_from_the_fragments(write: Any, tables: tuple[bytes], starts: list[int]) -> None:
    frames = write.element(0x00280008, "IS", b"2")
    header = scan(write.identified(frames, write.fragments(tables[0], b"abcd", b"efgh")), EXPLICIT)
    assert header.frame_offsets is not None
    ranges = list(frame_ranges(header.frame_offsets))
    assert [start - ranges[0][0] for start, _ in ranges] == starts
    assert [length for _, length in ranges] == [12, 12]


def test_three_fragments_of_two_frames_are_told_apart_by_the_extended_table_alone(write: Any) -> None:
    frames, pixels = write.element(0x00280008, "IS", b"2"), write.fragments(b"", b"ab", b"cd", b"ef")
    assert scan(write.identified(frames, pixels), EXPLICIT).frame_offsets is None
    table = write.element(0x7FE00001, "OV", (0).to_bytes(8, "little") + (20).to_bytes(8, "little"))
    offsets = scan(write.identified(frames, table, pixels), EXPLICIT).frame_offsets
    assert [length for _, length in frame_ranges(offsets or b"")] == [20, 10]


def test_a_bad_value_stands_as_text_and_fails_nothing(write: Any) -> None:
    bad = [
        write.element(0x00200013, "IS", b"1A"),
        write.element(0x00281050, "DS", b"NaN\\1_0\\1e999\\.5"),
    ]
    attributes = orjson.loads(scan(write.identified(*bad), EXPLICIT).json)
    assert attributes["00200013"] == {"vr": "IS", "Value": ["1A"]}
    assert attributes["00281050"] == {"vr": "DS", "Value": ["NaN", "1_0", "1e999", 0.5]}


def test_numbers_of_a_wrong_length_are_kept_as_bytes(write: Any) -> None:
    odd = write.element(0x00281052, "FD", b"\1\2\3\4")
    attributes = orjson.loads(scan(write.identified(odd), EXPLICIT).json)
    assert attributes["00281052"] == {"vr": "UN", "InlineBinary": "AQIDBA=="}


def test_of_a_tag_that_stands_twice_the_last_one_counts(write: Any) -> None:
    twice = [write.element(0x00100020, "LO", b"one"), write.element(0x00100020, "LO", b"two")]
    header = scan(write.identified(*twice), EXPLICIT)
    assert header.value("00100020") == "two"
    assert header.json.count(b"00100020") == 1
    assert orjson.loads(header.json)["00100020"]["Value"] == ["two"]


def test_attributes_are_told_in_the_order_of_their_tags(write: Any) -> None:
    late, early = write.element(0x00100020, "LO", b"late"), write.element(0x00080060, "CS", b"CT")
    items = write.item(late + early + write.element(0x00080060, "CS", b"MR"))
    dataset = write.identified(late, early, write.element(0x00081140, "SQ", items))
    told = orjson.loads(scan(dataset, EXPLICIT).json)
    assert list(told) == sorted(told)
    [item] = told["00081140"]["Value"]
    assert list(item) == ["00080060", "00100020"]
    assert item["00080060"]["Value"] == ["MR"]


def test_bulk_data_tell_their_path(write: Any) -> None:
    long = write.element(0x54001010, "OW", bytes(2000))
    inner = write.element(0x003A0200, "SQ", write.item(b"") + write.item(long))
    dataset = write.identified(write.element(0x54000100, "SQ", write.item(inner)))
    [outer] = orjson.loads(scan(dataset, EXPLICIT).json)["54000100"]["Value"]
    uri = outer["003A0200"]["Value"][1]["54001010"]["BulkDataURI"]
    assert uri.startswith("54000100/0/003A0200/1/54001010?offset=")


def test_a_private_sequence_in_un_is_read_as_implicit_vr(data: Path) -> None:
    with open(data / "odd" / "explicit_VR-UN.dcm", "rb") as file:
        attributes = orjson.loads(
            scan(file.read(), EXPLICIT, dataset_offset=read_file_meta(file.name).dataset_offset).json
        )
    assert attributes["00080016"]["vr"] == "UI"


def test_a_value_past_the_limit_is_left_in_the_file(write: Any) -> None:
    dataset = write.identified(write.element(0x00420011, "OB", b"%PDF" + bytes(2000)))
    uri = orjson.loads(scan(dataset, EXPLICIT, dataset_offset=0).json)["00420011"]["BulkDataURI"]
    query = parse_qs(uri.partition("?")[2])
    start = int(query["offset"][0])
    assert dataset[start : start + int(query["length"][0])].startswith(b"%PDF")
