"""The Native DICOM Model in XML, written and read."""

from __future__ import annotations

import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrua_core.archive.datasets.header import scan
from charrua_core.archive.datasets.part10 import read_file_meta
from charrua_core.archive.datasets.xmlmodel import MOST_NODES, NAMESPACE, from_xml, to_xml
from charrua_core.errors import MetadataInvalid
from charrua_core.testing.outside import program
from charrua_core.types import DicomJson

# --- data sets of all kinds ----------------------------------------------------------------------------------------

letters = st.sampled_from("aé山\u0338 \t\r\n&<>\"'^=\\\U0001f600")
texts = st.text(letters, min_size=1, max_size=6)
names = st.dictionaries(st.sampled_from(["Alphabetic", "Ideographic", "Phonetic"]), texts, min_size=1, max_size=3)
numbers = st.floats(allow_nan=False, allow_infinity=False)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "LO": texts | st.none(),
    "LT": texts,
    "PN": names | st.none(),
    "DS": numbers | st.none(),
    "IS": st.integers(-(2**31), 2**31 - 1) | st.none(),
    "FD": numbers | st.sampled_from(["NaN", "inf", "-inf"]),
    "US": st.integers(0, 65535),
    "UV": st.integers(0, 2**64 - 1),
    "AT": st.integers(0, 2**32 - 1).map("{:08X}".format),
}
OF_VALUES = [
    st.builds(dict, vr=st.just(vr), Value=st.lists(value, min_size=1, max_size=3)) for vr, value in VALUES.items()
]
OF_BYTES = [
    st.builds(dict, vr=st.just("OW"), InlineBinary=st.sampled_from(["AAE=", "/+8="])),
    st.builds(dict, vr=st.just("UT"), BulkDataURI=texts),
]
elements = st.one_of(*OF_VALUES, *OF_BYTES, st.sampled_from(["SQ", "OB", "UI"]).map(lambda vr: {"vr": vr}))
creators = st.sampled_from(["ACME", "ACME 2", "a & <b>"]).map(lambda name: {"vr": "LO", "Value": [name]})
PUBLIC = ["00080008", "00100010", "00189999", "0040A730", "60020010", "7FE00010"]
PRIVATE = ["00091001", "00091110", "000912FF", "0009FF00", "00090001"]


def datasets(content: st.SearchStrategy[Any]) -> st.SearchStrategy[DicomJson]:
    parts = [
        st.dictionaries(st.sampled_from(PUBLIC + PRIVATE), content, max_size=3),
        st.dictionaries(st.sampled_from(["00090010", "00090011", "000900FF"]), creators),
    ]
    return st.builds(lambda *some: some[0] | some[1], *parts)


def sequences(content: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(dict, vr=st.just("SQ"), Value=st.lists(datasets(content), min_size=1, max_size=2))


@given(datasets(elements | sequences(elements | sequences(elements))))
def test_what_is_written_reads_back_as_it_was(dataset: DicomJson) -> None:
    assert from_xml(to_xml(dataset)) == dataset


# --- what the standard asks for ------------------------------------------------------------------------------------


def first(dataset: DicomJson) -> ET.Element:
    return ET.fromstring(to_xml(dataset))[0]


def test_a_document_has_the_namespace_and_keeps_its_white_space() -> None:
    root = ET.fromstring(to_xml({}))
    assert root.tag == f"{{{NAMESPACE}}}NativeDicomModel"
    assert root.attrib == {"{http://www.w3.org/XML/1998/namespace}space": "preserve"}


def test_an_attribute_tells_tag_vr_and_keyword() -> None:
    told = first({"00080060": {"vr": "CS", "Value": ["CT"]}})
    assert told.attrib == {"tag": "00080060", "vr": "CS", "keyword": "Modality"}


def test_an_element_of_a_repeating_group_has_its_keyword() -> None:
    assert first({"60020010": {"vr": "US"}}).attrib["keyword"] == "OverlayRows"


def test_a_private_element_tells_its_creator_and_hides_its_block() -> None:
    private = {"00091110": {"vr": "SH", "Value": ["x"]}, "00090011": {"vr": "LO", "Value": ["ACME"]}}
    told = list(ET.fromstring(to_xml(private)))[1]
    assert told.attrib == {"tag": "00090010", "vr": "SH", "privateCreator": "ACME"}


def test_values_are_numbered_and_an_empty_one_keeps_its_place() -> None:
    told = first({"00080008": {"vr": "CS", "Value": ["MPG", None, "XR3"]}})
    assert [(value.attrib["number"], value.text) for value in told] == [("1", "MPG"), ("2", None), ("3", "XR3")]


def test_a_name_is_told_by_groups_and_components() -> None:
    told = first({"00100010": {"vr": "PN", "Value": [{"Alphabetic": "Doe^Jane^^Dr", "Ideographic": "山田"}]}})
    groups = {group.tag.rpartition("}")[2]: [(c.tag.rpartition("}")[2], c.text) for c in group] for group in told[0]}
    components = [("FamilyName", "Doe"), ("GivenName", "Jane"), ("NamePrefix", "Dr")]
    assert groups == {"Alphabetic": components, "Ideographic": [("FamilyName", "山田")]}


def test_group_lengths_are_left_out() -> None:
    assert list(ET.fromstring(to_xml({"00080000": {"vr": "UL", "Value": [4]}}))) == []


def test_a_character_that_xml_has_not_becomes_a_replacement_character() -> None:
    assert from_xml(to_xml({"00100020": {"vr": "LO", "Value": ["a\x1bb"]}}))["00100020"]["Value"] == ["a\ufffdb"]


# --- what others write ---------------------------------------------------------------------------------------------


def model(content: str) -> bytes:
    return f"<NativeDicomModel>{content}</NativeDicomModel>".encode()


READ = {
    '<DicomAttribute tag="00080060"><Value number="1">CT</Value></DicomAttribute>': {
        "00080060": {"vr": "CS", "Value": ["CT"]}
    },
    '<DicomAttribute tag="00080008" vr="CS"><Value number="2">B</Value><Value number="1">A</Value></DicomAttribute>': {
        "00080008": {"vr": "CS", "Value": ["A", "B"]}
    },
    '<DicomAttribute tag="7FE00010" vr="OW"><BulkData uuid="1-2"/></DicomAttribute>': {
        "7FE00010": {"vr": "OW", "BulkDataURI": "urn:uuid:1-2"}
    },
    '<DicomAttribute tag="00281201" vr="OW"><InlineBinary>\n AA\n AA </InlineBinary></DicomAttribute>': {
        "00281201": {"vr": "OW", "InlineBinary": "AAAA"}
    },
    '<DicomAttribute tag="00290001" vr="SH" privateCreator="A"><Value number="1">x</Value></DicomAttribute>'
    '<DicomAttribute tag="00290001" vr="SH" privateCreator="B"><Value number="1">y</Value></DicomAttribute>': {
        "00290010": {"vr": "LO", "Value": ["A"]},
        "00290011": {"vr": "LO", "Value": ["B"]},
        "00291001": {"vr": "SH", "Value": ["x"]},
        "00291101": {"vr": "SH", "Value": ["y"]},
    },
    '<DicomAttribute tag="00291001" vr="SH" privateCreator="A"/><DicomAttribute tag="00290002" vr="SH" privateCreator="B"/>': {
        "00290010": {"vr": "LO", "Value": ["A"]},
        "00290011": {"vr": "LO", "Value": ["B"]},
        "00291001": {"vr": "SH"},
        "00291102": {"vr": "SH"},
    },
    '<DicomAttribute tag="00290001" vr="SH" privateCreator="A"/><DicomAttribute tag="00291055" vr="SH"/>': {
        "00290011": {"vr": "LO", "Value": ["A"]},
        "00291055": {"vr": "SH"},
        "00291101": {"vr": "SH"},
    },
}


@pytest.mark.parametrize(("content", "dataset"), READ.items())
def test_another_writers_model_reads(content: str, dataset: DicomJson) -> None:
    read = from_xml(model(content))
    assert read == dataset
    assert list(read) == sorted(read)


WRONG = {
    "not well formed": b"<NativeDicomModel>",
    "empty": b"",
    "another document": b"<html/>",
    "another namespace": b'<NativeDicomModel xmlns="urn:x"/>',
    "an unknown encoding": b'<?xml version="1.0" encoding="klingon"?><NativeDicomModel/>',
    "a document type": b"<!DOCTYPE NativeDicomModel><NativeDicomModel/>",
    "entities": b'<!DOCTYPE N [<!ENTITY a "b"><!ENTITY c SYSTEM "file:///etc/hostname">]><NativeDicomModel>&c;</NativeDicomModel>',
    "text outside of values": model("text"),
    "an element that is none": model("<Attribute/>"),
    "a tag that is none": model('<DicomAttribute tag="0008006" vr="CS"/>'),
    "a tag in lower case": model('<DicomAttribute tag="0008103e" vr="LO"/>'),
    "a VR that is none": model('<DicomAttribute tag="00080060" vr="XX"/>'),
    "a tag twice": model('<DicomAttribute tag="00080060" vr="CS"/>' * 2),
    "values without numbers": model('<DicomAttribute tag="00080060" vr="CS"><Value>CT</Value></DicomAttribute>'),
    "a value's number twice": model(
        '<DicomAttribute tag="00080060" vr="CS"><Value number="1"/><Value number="1"/></DicomAttribute>'
    ),
    "a number that is none": model(
        '<DicomAttribute tag="00280010" vr="US"><Value number="1">x</Value></DicomAttribute>'
    ),
    "a tag as value that is none": model(
        '<DicomAttribute tag="00280009" vr="AT"><Value number="1">x</Value></DicomAttribute>'
    ),
    "a sequence with values": model('<DicomAttribute tag="00081140" vr="SQ"><Value number="1"/></DicomAttribute>'),
    "no Base64": model('<DicomAttribute tag="00420011" vr="OB"><InlineBinary>%</InlineBinary></DicomAttribute>'),
    "two bulk data": model(
        '<DicomAttribute tag="00420011" vr="OB"><BulkData uri="a"/><BulkData uri="b"/></DicomAttribute>'
    ),
    "bulk data of nowhere": model('<DicomAttribute tag="00420011" vr="OB"><BulkData/></DicomAttribute>'),
    "a creator of a public tag": model('<DicomAttribute tag="00080060" vr="CS" privateCreator="A"/>'),
    "a creator in another's block": model(
        '<DicomAttribute tag="00290010" vr="LO"><Value number="1">A</Value></DicomAttribute>'
        '<DicomAttribute tag="00291001" vr="SH" privateCreator="B"/>'
    ),
    "too deep": model(
        '<DicomAttribute tag="00081140" vr="SQ"><Item number="1">' * 70 + "</Item></DicomAttribute>" * 70
    ),
    "too many elements": model("<DicomAttribute/>" * 10),
}


@pytest.mark.parametrize("document", WRONG.values(), ids=WRONG)
def test_what_is_no_native_dicom_model_is_refused(document: bytes) -> None:
    with pytest.raises(MetadataInvalid) as refusal:
        from_xml(document)
    assert refusal.value.http_status == 400


def test_a_document_of_too_many_elements_is_refused() -> None:
    values = "".join(f'<Value number="{number}"/>' for number in range(1, MOST_NODES))
    with pytest.raises(MetadataInvalid, match="too many"):
        from_xml(model(f'<DicomAttribute tag="00080008" vr="CS">{values}</DicomAttribute>'))


def test_a_refusal_names_the_attribute_and_not_its_value() -> None:
    with pytest.raises(MetadataInvalid) as refusal:
        from_xml(model('<DicomAttribute tag="00280010" vr="US"><Value number="1">secret</Value></DicomAttribute>'))
    assert "00280010" in str(refusal.value)
    assert "secret" not in str(refusal.value)


# --- against DCMTK -------------------------------------------------------------------------------------------------

FILES = [
    "charset/chrFren.dcm",
    "sr/reportsi.dcm",
    "rt/rtplan.dcm",
    "seg",
    "enhanced",
    "series/ct-ge-28",
    "series/mr-16",
]


@pytest.mark.parametrize("folder", FILES)
@pytest.mark.skipif(program("dcm2xml") is None, reason="DCMTK is not installed")
def test_what_dcmtk_writes_of_a_file_reads_as_our_own_header(data: Path, folder: str) -> None:
    path = min((data / folder).rglob("*.dcm"), default=data / folder)
    meta = read_file_meta(path)
    header = scan(path.read_bytes(), meta.transfer_syntax_uid, dataset_offset=meta.dataset_offset)
    written = subprocess.run([str(program("dcm2xml")), "-nat", str(path)], capture_output=True, check=True).stdout
    ours, theirs = comparable(orjson.loads(header.json)), comparable(from_xml(written))
    assert theirs == ours
    assert comparable(from_xml(to_xml(orjson.loads(header.json)))) == ours


def comparable(dataset: DicomJson) -> DicomJson:
    """Without group 0002 and bytes, which the two keep in other places; DCMTK rounds numbers and shortens names."""
    return {
        tag: {"vr": element["vr"], "Value": comparable_values(element.get("Value", []))}
        for tag, element in dataset.items()
        if tag > "0003" and tag[4:] != "0000"
    }


def comparable_values(values: list[Any]) -> list[Any]:
    told = [comparable_value(value) for value in values]
    return [] if told == [None] else told


def comparable_value(value: Any) -> Any:
    if isinstance(value, float):
        return pytest.approx(value)
    if isinstance(value, dict) and all(len(key) == 8 for key in value):
        return comparable(value)
    if isinstance(value, dict):
        return {group: text.rstrip("^") for group, text in value.items() if text.rstrip("^")} or None
    return value
