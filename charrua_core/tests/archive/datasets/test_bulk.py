"""One value of a data set, found by its path."""

from __future__ import annotations

import os
import struct
import tracemalloc
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from charrua_core.archive.datasets import bulk
from charrua_core.archive.datasets.bulk import BulkData, find_bulk_data
from charrua_core.errors import BulkDataNotFound, DocumentTooLarge, HeaderDamaged
from charrua_core.types import FileRange

EXPLICIT, IMPLICIT, BIG_ENDIAN = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2"
DEFLATED, JPEG = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.50"


def bytes_of(found: BulkData) -> bytes:
    return b"".join(one if isinstance(one, bytes) else read(one) for one in found.segments)


def read(place: FileRange) -> bytes:
    with open(place.path, "rb") as file:
        file.seek(place.offset)
        return file.read(place.length)


def sequence(tag: int, *items: bytes, undefined: bool = False) -> bytes:
    """A sequence in explicit VR, with lengths or with delimiters."""
    head = struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, b"SQ", 0)
    if undefined:
        opening, closing = struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF), struct.pack("<HHL", 0xFFFE, 0xE00D, 0)
        value = b"".join(opening + item + closing for item in items) + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
        return head + b"\xff\xff\xff\xff" + value
    value = b"".join(struct.pack("<HHL", 0xFFFE, 0xE000, len(item)) + item for item in items)
    return head + struct.pack("<L", len(value)) + value


@pytest.fixture(params=["defined", "undefined"])
def waveforms(request: pytest.FixtureRequest, write: Any) -> bytes:
    """Two items, in each of them a sequence before the value, and the same tag in it."""
    undefined = request.param == "undefined"

    def item(value: bytes) -> bytes:
        inner = sequence(0x003A0200, write.element(0x54001010, "OW", b"not me"), undefined=undefined)
        return inner + write.element(0x54001010, "OW", value)

    channels = sequence(0x54000100, item(b"first!"), item(b"second"), undefined=undefined)
    return write.identified(channels, write.element(0x7FE00010, "OW", b"pixels"))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("7FE00010", b"pixels"),
        ("54000100/0/54001010", b"first!"),
        ("54000100/1/54001010", b"second"),
        ("54000100/1/003A0200/0/54001010", b"not me"),
        ("00080018", b"1.2.3.4\0"),
    ],
)
def test_a_value_is_found_by_its_path(waveforms: bytes, path: str, value: bytes) -> None:
    assert bytes_of(find_bulk_data([waveforms], EXPLICIT, path)) == value


@pytest.mark.parametrize(
    "path",
    [
        "00091010",
        "54000100",
        "54000100/2/54001010",
        "54000100/0/54001011",
        "7FE00010/0/54001010",
        "00080018/0/00080018",
        "54000100/0",
        "5400010",
        "54000100/-1/54001010",
        "54000100/0/54001010/",
        "",
        "../../etc/passwd",
        "7fe00010",
        "54000100/0/" * 65 + "54001010",
    ],
)
def test_where_no_value_is_there_is_none(waveforms: bytes, path: str) -> None:
    with pytest.raises(BulkDataNotFound) as refusal:
        find_bulk_data([waveforms], EXPLICIT, path)
    assert refusal.value.http_status == 404


def test_an_empty_value_is_none(write: Any) -> None:
    with pytest.raises(BulkDataNotFound):
        find_bulk_data([write.identified(write.element(0x00420011, "OB", b""))], EXPLICIT, "00420011")


def test_a_value_stays_in_its_file_however_large_the_object(tmp_path: Path, write: Any) -> None:
    before = write.identified(write.element(0x00420011, "OB", b"", length=3 << 30))
    after = write.element(0x7FE00010, "OW", b"", length=3 << 30)
    with open(tmp_path / "large", "wb") as file:  # sparse: the values are holes
        file.write(b"meta" + before)
        file.seek(3 << 30, os.SEEK_CUR)
        file.write(after)
        size = file.truncate(file.tell() + (3 << 30))
    tracemalloc.start()
    found = find_bulk_data([FileRange(tmp_path / "large", 4, size - 4)], EXPLICIT, "7FE00010")
    assert tracemalloc.get_traced_memory()[1] < 4 << 20
    tracemalloc.stop()
    assert found.segments == [FileRange(tmp_path / "large", size - (3 << 30), 3 << 30)]
    assert found.length == 3 << 30


def test_a_value_of_several_segments_stays_in_several(tmp_path: Path, write: Any) -> None:
    dataset = write.identified(write.element(0x7FE00010, "OW", b"pixels"))
    (tmp_path / "end").write_bytes(dataset[-4:])
    found = find_bulk_data([dataset[:-4], FileRange(tmp_path / "end", 0, 4)], EXPLICIT, "7FE00010")
    assert found.segments == [b"pi", FileRange(tmp_path / "end", 0, 4)]


def test_words_of_a_big_endian_object_are_told_little_endian() -> None:
    dataset = struct.pack(">HH2sHL", 0x7FE0, 0x0010, b"OW", 0, 4) + b"\1\2\3\4"
    assert bytes_of(find_bulk_data([dataset], BIG_ENDIAN, "7FE00010")) == b"\2\1\4\3"


def test_a_deflated_object_is_inflated_as_far_as_the_value(write: Any) -> None:
    packed = write.deflated(write.identified(write.element(0x00420011, "OB", b"%PDF")) + bytes(8))
    assert find_bulk_data([packed], DEFLATED, "00420011").segments == [b"%PDF"]


@pytest.mark.parametrize("path", ["7FE00010", "7FE00011"])
def test_what_inflates_past_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch, write: Any, path: str) -> None:
    monkeypatch.setattr(bulk, "LONGEST_IN_MEMORY", 1 << 20)
    monkeypatch.setattr(bulk, "_BUDGETS", bulk.Budgets(seconds=0.2))
    bomb = write.deflated(write.element(0x7FE00010, "OB", b"", length=0xFFFFFFF0), bytes(1 << 20), 100)
    with pytest.raises((DocumentTooLarge, HeaderDamaged)):
        find_bulk_data([bomb], DEFLATED, path)


def test_encapsulated_pixels_are_their_items(write: Any) -> None:
    dataset = write.identified(write.fragments(b"", b"frame1", b"frame2"))
    found = find_bulk_data([dataset], JPEG, "7FE00010")
    assert found.encapsulated
    assert bytes_of(found) == write.item(b"") + write.item(b"frame1") + write.item(b"frame2")


def test_a_text_is_told_in_utf_8_without_its_padding(write: Any) -> None:
    charset = write.element(0x00080005, "CS", b"ISO_IR 100")
    dataset = charset + sequence(0x0040A730, write.element(0x0040A160, "UT", "Café".encode("latin_1") + b" "))
    found = find_bulk_data([dataset], EXPLICIT, "0040A730/0/0040A160")
    assert (found.vr, bytes_of(found)) == ("UT", "Café".encode())


def test_the_vr_of_an_implicit_object_is_that_of_the_dictionaries() -> None:
    creator, element = b"SIEMENS CSA HEADER", struct.pack("<HHL", 0x0029, 0x1010, 4) + b"SV10"
    dataset = struct.pack("<HHL", 0x0029, 0x0010, len(creator)) + creator + element
    found = find_bulk_data([dataset], IMPLICIT, "00291010")
    assert (found.vr, bytes_of(found)) == ("OB", b"SV10")


def test_a_private_sequence_in_un_is_entered(write: Any) -> None:
    inner = struct.pack("<HHL", 0x0009, 0x1001, 4) + b"deep"
    item = struct.pack("<HHL", 0xFFFE, 0xE000, len(inner)) + inner
    end = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    dataset = write.element(0x00091000, "UN", b"", length=0xFFFFFFFF) + item + end
    assert bytes_of(find_bulk_data([dataset], EXPLICIT, "00091000/0/00091001")) == b"deep"


@pytest.mark.parametrize("path", ["7FE00010", "54000100/0/54001010", "54000100/1/54001010", "00420011"])
def test_every_cut_of_a_data_set_gives_the_value_or_a_defined_error(waveforms: bytes, path: str) -> None:
    for end in range(len(waveforms)):
        with suppress(BulkDataNotFound, HeaderDamaged):
            assert find_bulk_data([waveforms[:end]], EXPLICIT, path).length == 6


def test_a_chain_of_unknown_elements_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch, write: Any) -> None:
    monkeypatch.setattr(bulk, "_BUDGETS", bulk.Budgets(elements=1000))
    with pytest.raises(DocumentTooLarge):
        find_bulk_data([write.element(0x00091001, "OB", b"") * 2000], EXPLICIT, "7FE00010")
