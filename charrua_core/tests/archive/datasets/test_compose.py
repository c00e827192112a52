"""Data sets of DICOM JSON and bulk data: what is sent is checked, and what is made of it says the same."""

from __future__ import annotations

import csv
import os
import tracemalloc
import warnings
from base64 import b64encode
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import orjson
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import config

from charrua_core.archive.datasets.bulk import BulkData, find_bulk_data
from charrua_core.archive.datasets.compose import compose_dataset
from charrua_core.archive.datasets.header import pack_json, scan
from charrua_core.archive.datasets.identifier import decode_identifier
from charrua_core.archive.datasets.metadata import metadata_json
from charrua_core.archive.datasets.part10 import read_file_meta
from charrua_core.archive.datasets.received import MOST_VALUES, checked_dataset, read_json
from charrua_core.archive.datasets.source import SegmentSource
from charrua_core.archive.datasets.xmlmodel import from_xml, to_xml
from charrua_core.errors import BulkDataNotFound, MetadataInvalid
from charrua_core.testing.outside import DATA
from charrua_core.types import DicomJson, FileRange

EXPLICIT = "1.2.840.10008.1.2.1"


def no_bulk_data(uri: str, vr: str) -> BulkData:
    raise BulkDataNotFound


def whole(segments: list[bytes | FileRange]) -> bytes:
    with SegmentSource(segments) as source:
        return b"".join(source.chunks(1000))


def composed(dataset: Any, bulk_data: Callable[[str, str], BulkData] = no_bulk_data) -> DicomJson:
    """What a data set says when it has been checked, composed, and read again."""
    return decode_identifier(whole(compose_dataset(checked_dataset(dataset), bulk_data)), EXPLICIT)


# --- what is right -------------------------------------------------------------------------------------------------

texts = st.text(st.sampled_from("aé山ñ\U0001f600.<"), min_size=1, max_size=6)
numbers = st.floats(allow_nan=False, allow_infinity=False, width=32)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "LO": texts | st.none(),
    "UT": texts,
    "PN": st.dictionaries(st.sampled_from(["Alphabetic", "Ideographic", "Phonetic"]), texts, min_size=1),
    "DS": st.integers(-(10**9), 10**9) | st.none(),
    "IS": st.integers(-(2**31), 2**31 - 1) | st.none(),
    "FD": numbers | st.sampled_from(["NaN", "inf", "-inf"]),
    "FL": numbers,
    "US": st.integers(0, 65535),
    "SV": st.integers(-(2**63), 2**63 - 1),
    "AT": st.integers(0, 2**32 - 1).map("{:08X}".format),
    "UI": st.sampled_from(["1.2.840.10008.1.2", "1.2"]),
}
VMS = {"UT": 1}
elements = st.one_of(
    *[
        st.builds(dict, vr=st.just(vr), Value=st.lists(value, min_size=1, max_size=VMS.get(vr, 3)).filter(any))
        for vr, value in VALUES.items()
    ],
    st.binary(min_size=1).map(lambda raw: {"vr": "OB", "InlineBinary": b64encode(raw + raw).decode()}),
    st.sampled_from(["SQ", "OW", "SH"]).map(lambda vr: {"vr": vr}),
)
TAGS = ["00080008", "00100010", "00091010", "00090010", "0040A730", "60020010", "00420011"]


def datasets(content: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.dictionaries(st.sampled_from(TAGS), content, max_size=3)


def sequences(content: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(dict, vr=st.just("SQ"), Value=st.lists(datasets(content), min_size=1, max_size=2))


@given(datasets(elements | sequences(elements | sequences(elements))))
def test_what_is_composed_says_what_the_json_says(dataset: Any) -> None:
    told = composed(orjson.loads(orjson.dumps(dataset)))
    assert told.pop("00080005", None) in (None, {"vr": "CS", "Value": ["ISO_IR 192"]})
    assert told == dataset


@given(datasets(elements | sequences(elements)))
def test_what_comes_as_xml_is_composed_as_well(dataset: Any) -> None:
    told = composed(from_xml(to_xml(dataset)))
    told.pop("00080005", None)
    assert told == dataset


READ_AS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"vr": "DS", "Value": ["1.50"]}, {"vr": "DS", "Value": [1.5]}),
    ({"vr": "IS", "Value": ["12", 13.0, None]}, {"vr": "IS", "Value": [12, 13, None]}),
    ({"vr": "UV", "Value": ["18446744073709551615"]}, {"vr": "UV", "Value": [2**64 - 1]}),
    ({"vr": "FD", "Value": ["Infinity"]}, {"vr": "FD", "Value": ["inf"]}),
    ({"vr": "CS", "Value": ["A", "", None, "B"]}, {"vr": "CS", "Value": ["A", None, None, "B"]}),
    ({"vr": "SQ", "Value": [None]}, {"vr": "SQ", "Value": [{}]}),
    ({"vr": "LT", "Value": ["a\\b"]}, {"vr": "LT", "Value": ["a\\b"]}),
    ({"vr": "LO", "Value": [], "keyword": "x"}, {"vr": "LO"}),
    ({"vr": "OB", "InlineBinary": ""}, {"vr": "OB"}),
]


@pytest.mark.parametrize(("sent", "read"), READ_AS)
def test_a_value_may_be_written_in_more_than_one_way(sent: dict[str, Any], read: dict[str, Any]) -> None:
    assert composed({"00189999": sent}) == {"00189999": read}


def test_group_2_and_group_lengths_are_no_part_of_it() -> None:
    sent = {"00020010": {"vr": "UI", "Value": [EXPLICIT]}, "00080000": {"vr": "UL", "Value": [4]}}
    assert checked_dataset(sent) == {}


def test_texts_are_in_unicode_where_a_character_set_is_named() -> None:
    told = composed(
        {
            "00080005": {"vr": "CS", "Value": ["ISO_IR 100"]},
            "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Müller"}]},
            "0040A730": {"vr": "SQ", "Value": [{"00080005": {"vr": "CS", "Value": ["ISO_IR 13"]}}]},
        }
    )
    assert told["00080005"]["Value"] == ["ISO_IR 192"]
    assert told["00100010"]["Value"] == [{"Alphabetic": "Müller"}]
    assert told["0040A730"]["Value"] == [{}]


def test_a_data_set_in_ascii_that_names_no_character_set_gets_none() -> None:
    assert "00080005" not in composed({"00100020": {"vr": "LO", "Value": ["4711"]}})


def test_several_data_sets_of_a_document_are_read() -> None:
    one = {"00100020": {"vr": "LO", "Value": ["1"]}}
    assert read_json(orjson.dumps([one, {}])) == [one, {}]
    assert read_json(orjson.dumps(one)) == [one]


# --- what is wrong -------------------------------------------------------------------------------------------------


def nested(depth: int) -> dict[str, Any]:
    dataset: dict[str, Any] = {}
    for _ in range(depth):
        dataset = {"0040A730": {"vr": "SQ", "Value": [dataset]}}
    return dataset


WRONG: dict[str, tuple[Any, str]] = {
    "no object": ([1], ""),
    "a name that is no tag": ({"PatientName": {"vr": "PN"}}, "tag"),
    "a tag in small letters": ({"0008103e": {"vr": "LO"}}, "tag"),
    "an item as attribute": ({"FFFEE000": {"vr": "OB"}}, "FFFEE000"),
    "a command": ({"00000100": {"vr": "US"}}, "00000100"),
    "an element that is none": ({"00100020": "4711"}, "00100020"),
    "no VR": ({"00100020": {"Value": ["4711"]}}, "00100020"),
    "an unknown VR": ({"00100020": {"vr": "XX"}}, "00100020"),
    "a VR that is no text": ({"00100020": {"vr": ["LO"]}}, "00100020"),
    "two kinds of content": ({"00420011": {"vr": "OB", "InlineBinary": "", "BulkDataURI": "x"}}, "00420011"),
    "a Value that is no array": ({"00100020": {"vr": "LO", "Value": "4711"}}, "00100020"),
    "a number as text": ({"00100020": {"vr": "LO", "Value": [4711]}}, "00100020"),
    "a text as number": ({"00280010": {"vr": "US", "Value": ["many"]}}, "00280010"),
    "a fraction as whole number": ({"00280010": {"vr": "US", "Value": [1.5]}}, "00280010"),
    "a truth value as number": ({"00280010": {"vr": "US", "Value": [True]}}, "00280010"),
    "a decimal that is none": ({"00280030": {"vr": "DS", "Value": ["1,5"]}}, "00280030"),
    "an infinite decimal": ({"00280030": {"vr": "DS", "Value": ["inf"]}}, "00280030"),
    "a tag that is none": ({"00280009": {"vr": "AT", "Value": ["x"]}}, "00280009"),
    "a name that is a text": ({"00100010": {"vr": "PN", "Value": ["Doe"]}}, "00100010"),
    "a name of other groups": ({"00100010": {"vr": "PN", "Value": [{"Family": "Doe"}]}}, "00100010"),
    "a backslash in a value": ({"00100020": {"vr": "LO", "Value": ["a\\b"]}}, "00100020"),
    "two long texts": ({"00104000": {"vr": "LT", "Value": ["a", "b"]}}, "00104000"),
    "values of bytes": ({"00420011": {"vr": "OB", "Value": [1]}}, "00420011"),
    "no Base64": ({"00420011": {"vr": "OB", "InlineBinary": "%"}}, "00420011"),
    "InlineBinary of a text": ({"00100020": {"vr": "LO", "InlineBinary": "AAAA"}}, "00100020"),
    "bulk data of a sequence": ({"0040A730": {"vr": "SQ", "BulkDataURI": "x"}}, "0040A730"),
    "a BulkDataURI that is none": ({"00420011": {"vr": "OB", "BulkDataURI": 1}}, "00420011"),
    "an item that is none": ({"0040A730": {"vr": "SQ", "Value": [1]}}, "0040A730/0"),
    "a wrong value in an item": (
        {"0040A730": {"vr": "SQ", "Value": [{}, {"00280010": {"vr": "US", "Value": ["x"]}}]}},
        "0040A730/1/00280010",
    ),
    "too deep": (nested(70), "0040A730"),
    "too many values": ({"00080008": {"vr": "CS", "Value": ["A"] * MOST_VALUES}}, "00080008"),
    "a number out of range": ({"00280010": {"vr": "US", "Value": [65536]}}, "00280010"),
    "a float out of range": ({"00189999": {"vr": "FL", "Value": [1e39]}}, "00189999"),
}


@pytest.mark.parametrize(("sent", "named"), WRONG.values(), ids=WRONG)
def test_a_wrong_data_set_is_refused_with_the_name_of_the_attribute(sent: Any, named: str) -> None:
    with pytest.raises(MetadataInvalid) as refusal:
        composed(sent)
    assert refusal.value.http_status == 400
    assert named in str(refusal.value)


@pytest.mark.parametrize("document", [b"", b"[", b'{"a":}', b"[[]]", b"1", b"\xff", b"[" * 100_000, b" " * (65 << 20)])
def test_a_document_that_is_no_dicom_json_is_refused(document: bytes) -> None:
    with pytest.raises(MetadataInvalid):
        read_json(document)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["Alphabetic", *TAGS, "vr"]), inner),
    max_leaves=6,
)


@given(
    st.dictionaries(
        st.sampled_from(TAGS),
        st.fixed_dictionaries(
            {"vr": st.sampled_from([*VALUES, "SQ", "OB"]), "Value": st.lists(json_values, max_size=2)}
        ),
    )
)
def test_whatever_is_sent_is_composed_or_refused(sent: Any) -> None:
    try:
        composed(sent)
    except MetadataInvalid as refusal:
        assert str(refusal)


# --- bulk data -----------------------------------------------------------------------------------------------------


def test_bulk_data_in_a_file_stay_there_and_are_padded(tmp_path: Path) -> None:
    (tmp_path / "pixels").write_bytes(b"12345")
    place = FileRange(tmp_path / "pixels", 1, 3)
    asked = []

    def bulk_data(uri: str, vr: str) -> BulkData:
        asked.append((uri, vr))
        return BulkData(vr, [place])

    segments = compose_dataset({"7FE00010": {"vr": "OW", "BulkDataURI": "file-1"}}, bulk_data)
    assert asked == [("file-1", "OW")]
    assert segments[1] is place
    assert decode_identifier(whole(segments), EXPLICIT)["7FE00010"]["BulkDataURI"].endswith("?offset=12&length=4")
    assert whole(segments).endswith(b"234\0")


def test_memory_does_not_grow_with_bulk_data(tmp_path: Path) -> None:
    with open(tmp_path / "pixels", "wb") as file:
        size = file.truncate(64 << 20)
    tracemalloc.start()
    segments = compose_dataset(
        {"7FE00010": {"vr": "OW", "BulkDataURI": "x"}},
        lambda _, vr: BulkData(vr, [FileRange(tmp_path / "pixels", 0, size)]),
    )
    with SegmentSource(segments) as source:
        assert sum(map(len, source.chunks())) == size + 12
    assert tracemalloc.get_traced_memory()[1] < 8 << 20
    tracemalloc.stop()


def test_bulk_data_in_an_item_are_put_there() -> None:
    sent = {"54000100": {"vr": "SQ", "Value": [{"54001010": {"vr": "OW", "BulkDataURI": "x"}}]}}
    told = composed(sent, lambda _, vr: BulkData(vr, [b"12"]))
    assert told["54000100"]["Value"] == [{"54001010": {"vr": "OW", "InlineBinary": "MTI="}}]


def test_a_text_as_bulk_data_is_in_unicode() -> None:
    told = composed({"00420010": {"vr": "UT", "BulkDataURI": "x"}}, lambda _, vr: BulkData(vr, ["é山".encode()]))
    assert told["00420010"]["Value"] == ["é山"]
    assert told["00080005"]["Value"] == ["ISO_IR 192"]


def test_encapsulated_pixels_keep_their_fragments(write: Any) -> None:
    items = write.item(b"") + write.item(b"frame1")
    pixels = BulkData("OB", [items], encapsulated=True)
    dataset = whole(compose_dataset({"7FE00010": {"vr": "OB", "BulkDataURI": "x"}}, lambda *_: pixels))
    assert dataset == write.fragments(b"", b"frame1")


def test_bulk_data_that_are_longer_than_an_element_are_refused(tmp_path: Path) -> None:
    large = BulkData("OB", [FileRange(tmp_path / "none", 0, 1 << 32)])
    with pytest.raises(MetadataInvalid, match="7FE00010"):
        compose_dataset({"7FE00010": {"vr": "OB", "BulkDataURI": "x"}}, lambda *_: large)


# --- real files ----------------------------------------------------------------------------------------------------


def sound_files() -> list[str]:
    if not DATA.is_dir():
        return []
    with open(DATA / "MANIFEST.csv", encoding="utf-8") as file:
        rows = [row["path"] for row in csv.DictReader(file) if row["state"] == "ok"]
    paths = [path for path in rows if not path.startswith(("dicomdir-set/DICOMDIR", "worklist/"))]
    return paths[:: 1 if os.environ.get("CHARRUA_TEST_ALL") else 4]


UNLIKE = {
    "charset/chrGB2312.dcm": {"00100010"},  # pydicom leaves the escape sequences of ISO 2022 IR 58 in the text
    "modality/dx/dx_image.dcm": {"7FE00010"},  # its value has an odd length
    "rt/RI6XDosiGap.dcm": {"50003000"},  # pydicom leaves OB or OW open
    "ts/evrbe/MR_small_bigendian.dcm": {"7FE00010"},  # pydicom leaves words big endian
}


@pytest.mark.parametrize("path", sound_files())
def test_metadata_and_bulk_data_of_a_file_make_it_anew(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config.settings, "reading_validation_mode", config.IGNORE)
    again = BytesIO(whole(compose_dataset(*taken_apart(DATA / path))))
    with warnings.catch_warnings(action="ignore"):
        one, other = pydicom.dcmread(DATA / path, force=True), pydicom.dcmread(again, force=True)
    left_out = {"00080005", *UNLIKE.get(path, ())}
    assert comparable(other, left_out) == comparable(one, left_out)


def taken_apart(path: Path) -> tuple[DicomJson, Callable[[str, str], BulkData]]:
    """The metadata of a file, and where its bulk data are."""
    meta, size = read_file_meta(path), path.stat().st_size
    header = scan(path.read_bytes(), meta.transfer_syntax_uid, dataset_offset=meta.dataset_offset)
    segments = [FileRange(path, meta.dataset_offset, size - meta.dataset_offset)]

    def bulk_data(uri: str, _: str) -> BulkData:
        return find_bulk_data(segments, meta.transfer_syntax_uid, uri.removeprefix("bulk/"))

    [dataset] = read_json(metadata_json(pack_json(header.json), "bulk"))
    return dataset, bulk_data


def comparable(dataset: pydicom.Dataset, left_out: set[str]) -> Any:
    """What pydicom reads, without group lengths and the character set that it is in.

    Encapsulated pixels are OB (PS3.5 A.4), also where a file says OW.
    """
    told = without(dataset.to_json_dict(1 << 40), left_out)
    if told.get("7FE00010", {}).get("InlineBinary", "").startswith("/v8A4"):  # an item
        told["7FE00010"]["vr"] = "OB"
    return told


def without(dataset: dict[str, Any], left_out: set[str]) -> dict[str, Any]:
    told = {}
    for tag, element in dataset.items():
        if tag.endswith("0000") or tag in left_out:
            continue
        items = element.get("Value", ()) if element["vr"] == "SQ" else ()
        told[tag] = {**element, "Value": [without(item, left_out) for item in items]} if items else element
    return told
