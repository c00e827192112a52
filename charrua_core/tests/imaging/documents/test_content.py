"""The content tree: as DCMTK reads it, and within its limits whatever an object says."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset

from charrua_core.errors import DocumentTooLarge, NotRenderable
from charrua_core.imaging.documents import ContentItem, attributes, read_report
from charrua_core.imaging.documents.content import Limits, read_content
from charrua_core.imaging.documents.values import ByReference, Coded, Measured, Reference, Region, Stretch, Table
from charrua_core.testing.documents import a_code, a_number, a_report, a_section, a_text, an_item
from charrua_core.testing.outside import DATA, dcmtk, with_data, with_dcmtk

REPORTS = [
    "sr/sample-sr.dcm",
    "sr/sr-2.dcm",
    "sr/sr.dcm",
    "sr/sr_document.dcm",
    "sr/sr_document_with_multiple_groups.dcm",
    "sr/test-SR.dcm",
    "series/mr-ihe-kos/kos/kos.dcm",
    "series/mr-ihe-kos/kos/kos-selftest.dcm",
    "ts/deflated/report_dfl",
]
REFUSED_BY_DCMTK = ["sr/reportsi.dcm", "sr/structured_report.dcm", "sr/reportsi_with_empty_number_tags.dcm"]
RELATIONS = {
    "contains": "CONTAINS",
    "has obs context": "HAS OBS CONTEXT",
    "has acq context": "HAS ACQ CONTEXT",
    "has concept mod": "HAS CONCEPT MOD",
    "has properties": "HAS PROPERTIES",
    "inferred from": "INFERRED FROM",
    "selected from": "SELECTED FROM",
}
LINE = re.compile(
    rf"^(?P<indent> *)<(?:(?P<relation>{'|'.join(RELATIONS)}) )?"
    r'(?:(?P<type>[A-Z0-9]+):(?:\((?P<code>[^,]*),(?P<scheme>[^,]*),"(?P<name>.*?)"\))?(?P<value>=.*)?|(?P<target>[\d.]+))>'
)


async def dumped(path: str) -> list[re.Match[str]]:
    """The content items as DCMTK's dsrdump tells them, all values whole and in UTF-8."""
    status, told = await dcmtk("dsrdump", "+Pl", "+Pu", "+Pc", "+U8", "-Ph", "-q", DATA / path)
    assert status == 0, told
    return [found for line in told.splitlines() if line.lstrip().startswith("<") and (found := LINE.match(line))]


def quoted(value: str) -> str:
    return re.sub(r'^="|"$', "", value)


def agrees(item: ContentItem, told: str) -> bool:
    """Whether our value is what dsrdump writes behind the equals sign."""
    match item.value:
        case Measured(number=number, units=units):
            found = re.match(r'="(.*?)" \((.*?),', told)
            # Floating Point Value is more exact than Numeric Value, which is all that dsrdump tells.
            return (
                found is not None
                and units is not None
                and (pytest.approx(float(found[1])), found[2]) == (number, units.value)
            )
        case Coded(code=code):
            return told.startswith(f"=({code.value},{code.scheme}") and told.endswith(f',"{code.meaning}")')
        case Reference(sop_instance_uid=uid):
            return f'"{uid}"' in told
        case Region(graphic=graphic, coordinates=coordinates):
            return told.startswith(f"=({graphic},") and f"{coordinates[0]:.9g}/{coordinates[1]:.9g}" in told
        case Stretch(kind=kind):
            return told.startswith(f"=({kind},")
    return plain(told) == plain(dicom_text(item))


def dicom_text(item: ContentItem) -> str:
    return item.value.dicom if item.value_type in {"DATE", "TIME", "DATETIME"} else item.text  # type: ignore[union-attr]


def plain(text: str) -> str:
    """Without what differs by design: escaped line ends, delimiters of name components, quotes."""
    return re.sub(r"\\[rn]|[\s^,\"]|^=", "", quoted(text))


@with_data
@with_dcmtk
@pytest.mark.parametrize("path", REPORTS)
async def test_the_tree_is_the_one_that_dcmtk_reads(path: str, real: Callable[..., Any]) -> None:
    lines = await dumped(path)
    items = list(read_report(*real(path)).root.walk())
    assert len(items) == len(lines) > 0
    for item, line in zip(items, lines, strict=True):
        assert len(item.position) - 1 == len(line["indent"]) // 2, item
        assert item.relationship == RELATIONS.get(line["relation"] or "", ""), item
        assert item.value_type == (line["type"] or ""), item
        if line["target"]:
            assert item.value == ByReference(tuple(int(number) for number in line["target"].split(".")))
        elif item.value_type != "CONTAINER":
            assert agrees(item, line["value"] or "="), (item, line[0])
        concept = (
            (item.concept.value, item.concept.scheme, item.concept.meaning) if item.concept else (None, None, None)
        )
        assert concept == (line["code"], line["scheme"], line["name"])


def walked(dataset: Dataset) -> Iterator[tuple[str, str]]:
    yield dataset.get("ValueType", ""), dataset.get("RelationshipType", "")
    for child in dataset.get("ContentSequence", []):
        yield from walked(child)


@with_data
@pytest.mark.parametrize("path", [*REPORTS, *REFUSED_BY_DCMTK])
def test_no_item_is_lost_also_of_a_report_that_dcmtk_refuses(path: str, real: Callable[..., Any]) -> None:
    items = read_report(*real(path)).root.walk()
    assert [(item.value_type, item.relationship) for item in items] == list(walked(pydicom.dcmread(DATA / path)))


@with_data
def test_a_report_says_who_verified_it_and_what_it_replaces(real: Callable[..., Any]) -> None:
    report = read_report(*real("sr/test-SR.dcm"))
    assert (report.completion, report.verification) == ("COMPLETE", "VERIFIED")
    assert report.completion_description == "This document is completed!"
    told = [(one.name, one.organization, one.at) for one in report.verifications]
    assert told[0] == ("Riesmeier, Jörg", "OFFIS e.V.", "2001-02-13 18:47:46")
    assert [one.sop_instance_uid for one in report.predecessors] == [
        "1.2.276.0.7230010.3.1.4.2139363186.7819.982086466.1"
    ]


@with_data
@pytest.mark.parametrize(
    ("path", "language"),
    [("sr/sr.dcm", "eng-US"), ("sr/sr_document.dcm", "en-US"), ("sr/sample-sr.dcm", "en-US"), ("sr/sr-2.dcm", "")],
)
def test_a_report_says_its_language(path: str, language: str, real: Callable[..., Any]) -> None:
    assert read_report(*real(path)).language == language


@with_data
def test_a_selection_of_key_objects_knows_the_series_of_each(real: Callable[..., Any]) -> None:
    report = read_report(*real("series/mr-ihe-kos/kos/kos.dcm"))
    assert report.is_key_object_selection
    chosen = {item.value.sop_instance_uid for item in report.root.walk() if isinstance(item.value, Reference)}
    assert chosen == {one.sop_instance_uid for one in report.evidence}
    assert all(one.series_uid and one.study_uid for one in report.evidence)


def test_every_item_has_its_position(stored: Callable[..., Any]) -> None:
    root = read_report(*stored(a_report(a_text("A", "a"), a_section("B", a_text("C", "c"))))).root
    assert [item.position for item in root.walk()] == [(1,), (1, 1), (1, 2), (1, 2, 1)]
    assert root.at((1, 2, 1)) is root.children[1].children[0]
    assert [root.at(position) for position in ((), (2,), (1, 3), (1, 0), (1, 1, 1))] == [None] * 5


def test_an_item_without_a_value_has_none(stored: Callable[..., Any]) -> None:
    kinds = (
        "TEXT NUM CODE DATETIME DATE TIME UIDREF PNAME COMPOSITE IMAGE WAVEFORM SCOORD SCOORD3D TCOORD TABLE HOLOGRAM"
    )
    root = read_report(*stored(a_report(*(an_item(kind, kind) for kind in kinds.split())))).root
    assert [(item.value_type, item.value) for item in root.children] == [(kind, None) for kind in kinds.split()]


def test_a_number_may_have_a_reason_for_its_absence(stored: Callable[..., Any]) -> None:
    missing = an_item(
        "NUM", "Volume", MeasuredValueSequence=[], NumericValueQualifierCodeSequence=a_code("Not a number")
    )
    value = read_report(*stored(a_report(missing))).root.children[0].value
    assert isinstance(value, Measured)
    assert (value.number, value.text) == (None, "Not a number")


@pytest.mark.parametrize(
    ("value", "meaning", "scheme", "shown"),
    [
        ("mm", "millimeter", "UCUM", "10 mm"),
        ("mm2", "square millimeter", "UCUM", "10 mm²"),
        ("1", "no units", "UCUM", "10"),
        ("1", "px", "UCUM", "10 px"),
        ("{pixels}", "pixels", "UCUM", "10 pixels"),
        ("{SUVbw}g/ml", "Standardized Uptake Value", "UCUM", "10 g/ml"),
        ("[hnsf'U]", "Hounsfield unit", "UCUM", "10 HU"),
        ("C-12345", "millimeter", "SRT", "10 millimeter"),
        ("cm", "Length Unit", "99TEST", "10 cm"),
    ],
)
def test_units_are_printed_as_people_write_them(
    value: str, meaning: str, scheme: str, shown: str, stored: Callable[..., Any]
) -> None:
    item = a_number("Size", "10.0")
    item.MeasuredValueSequence[0].MeasurementUnitsCodeSequence = a_code(meaning, value, scheme)
    assert read_report(*stored(a_report(item))).root.children[0].text == shown


def test_a_table_has_its_cells_where_they_belong(stored: Callable[..., Any]) -> None:
    root = read_report(*stored(a_report(a_table()))).root
    value = root.children[0].value
    assert isinstance(value, Table)
    assert (value.columns, value.rows) == (("Mean (mm)", "Finding"), ("Left", "Right"))
    assert value.cells == (("1.5", ""), ("2.5", "Cyst"))


def a_table() -> Dataset:
    table = Dataset()
    table.NumberOfTableRows, table.NumberOfTableColumns = 2, 2
    table.TableRowDefinitionSequence = [a_title("Left", TableRowNumber=1), a_title("Right", TableRowNumber=2)]
    mean = a_title("Mean", TableColumnNumber=1, MeasurementUnitsCodeSequence=a_code("millimeter", "mm", "UCUM"))
    table.TableColumnDefinitionSequence = [mean, a_title("Finding", TableColumnNumber=2)]
    table.CellValuesSequence = [
        a_cell(1, 1, SelectorAttributeVR="DS", SelectorDSValue="1.5"),
        a_cell(2, 1, SelectorAttributeVR="FD", SelectorFDValue=2.5),
        a_cell(2, 2, SelectorAttributeVR="SQ", SelectorCodeSequenceValue=a_code("Cyst")),
        a_cell(9, 9, SelectorAttributeVR="DS", SelectorDSValue="99"),
    ]
    return an_item("TABLE", "Sizes", TabulatedValuesSequence=[table])


def a_title(name: str, **attributes: Any) -> Dataset:
    title = Dataset()
    title.ConceptNameCodeSequence = a_code(name)
    for keyword, value in attributes.items():
        setattr(title, keyword, value)
    return title


def a_cell(row: int, column: int, **attributes: Any) -> Dataset:
    cell = Dataset()
    cell.TableRowNumber, cell.TableColumnNumber = row, column
    for keyword, value in attributes.items():
        setattr(cell, keyword, value)
    return cell


def test_a_text_too_long_for_the_header_is_read_from_the_file_in_its_character_set(stored: Callable[..., Any]) -> None:
    long = "Größe des Tumors — " * 5000
    header, file = stored(a_report(a_text("Befund", long), SpecificCharacterSet="ISO_IR 192"))
    assert "BulkDataURI" in header["0040A730"]["Value"][0]["0040A160"]
    assert read_report(header, file).root.children[0].text == long.strip()


@pytest.mark.parametrize("transfer_syntax", ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"])
def test_a_drawing_too_long_for_the_header_is_read_from_the_file(
    transfer_syntax: str, stored: Callable[..., Any]
) -> None:
    points = [float(number) / 2 for number in range(20_000)]
    region = an_item("SCOORD", "Outline", GraphicType="POLYLINE", GraphicData=points)
    header, file = stored(a_report(region, transfer_syntax=transfer_syntax))
    assert "BulkDataURI" in header["0040A730"]["Value"][0]["00700022"]
    value = read_report(header, file).root.children[0].value
    assert isinstance(value, Region)
    assert list(value.coordinates) == points


def test_an_object_of_another_kind_has_no_content_tree(stored: Callable[..., Any]) -> None:
    with pytest.raises(NotRenderable):
        read_report(*stored(a_report(SOPClassUID="1.2.840.10008.5.1.4.1.1.2")))


def nested(depth: int) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for _ in range(depth):
        tree = {"0040A040": {"vr": "CS", "Value": ["CONTAINER"]}, "0040A730": {"vr": "SQ", "Value": [tree]}}
    return tree


def test_a_tree_nested_too_deep_is_refused() -> None:
    assert len(list(read_content(nested(47)).walk())) == 48
    with pytest.raises(DocumentTooLarge, match="nested more than 48 deep"):
        read_content(nested(48))
    with pytest.raises(DocumentTooLarge):
        read_content(nested(5000))


def test_a_tree_of_too_many_items_is_refused() -> None:
    leaves = {"0040A730": {"vr": "SQ", "Value": [{} for _ in range(100)]}}
    assert len(read_content(leaves, limits=Limits(items=101)).children) == 100
    with pytest.raises(DocumentTooLarge, match="more than 100 content items"):
        read_content(leaves, limits=Limits(items=100))


def test_a_table_of_too_many_cells_is_refused(stored: Callable[..., Any]) -> None:
    table = a_table()
    table.TabulatedValuesSequence[0].NumberOfTableRows = 0xFFFFFFFF
    with pytest.raises(DocumentTooLarge, match="table"):
        read_report(*stored(a_report(table)))


@pytest.mark.parametrize(
    ("item", "text"),
    [
        (an_item("DATE", "D", Date="20260102"), "2026-01-02"),
        (an_item("TIME", "T", Time="101112.500000"), "10:11:12.5"),
        (an_item("DATETIME", "D", DateTime="20260102101112+0200"), "2026-01-02 10:11:12 +02:00"),
        (an_item("PNAME", "P", PersonName="Doe^John^Q^Dr^Jr"), "Doe, John Q, Dr, Jr"),
        (
            an_item("PNAME", "P", PersonName="Yamada^Tarou=山田^太郎=やまだ^たろう"),
            "Yamada, Tarou (山田 太郎 / やまだ たろう)",
        ),
        (
            an_item("TCOORD", "T", TemporalRangeType="SEGMENT", ReferencedSamplePositions=[1, 9]),
            "Segment sample 1, sample 9",
        ),
        (an_item("TCOORD", "T", TemporalRangeType="POINT", ReferencedTimeOffsets="2.5"), "Point 2.5 s"),
        (
            an_item("TCOORD", "T", TemporalRangeType="BEGIN", ReferencedDateTime="20260102101112"),
            "Begin 2026-01-02 10:11:12",
        ),
        (an_item("SCOORD3D", "S", GraphicType="POINT", GraphicData=[1.5, -2.0, 3.0]), "Point (1.5, -2, 3)"),
        (
            an_item("SCOORD", "S", GraphicType="POLYLINE", GraphicData=[0.0] * 20),
            f"Polyline {'(0, 0) ' * 4}… 10 points",
        ),
    ],
)
def test_values_are_written_as_people_read_them(item: Dataset, text: str, stored: Callable[..., Any]) -> None:
    root = read_report(*stored(a_report(item, SpecificCharacterSet="ISO_IR 192"))).root
    assert root.children[0].text == text


@pytest.mark.parametrize(
    ("frames", "text"),
    [
        ([], "CT Image"),
        ([3], "CT Image, frame 3"),
        ([1, 2, 3, 7, 9, 8], "CT Image, frames 1-3, 7-9"),
        ([5, 5], "CT Image, frame 5"),
    ],
)
def test_frames_are_told_as_ranges(frames: list[int], text: str, stored: Callable[..., Any]) -> None:
    referenced = Dataset()
    referenced.ReferencedSOPClassUID, referenced.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", "1.2.3"
    if frames:
        referenced.ReferencedFrameNumber = frames
    root = read_report(*stored(a_report(an_item("IMAGE", ReferencedSOPSequence=[referenced])))).root
    assert root.children[0].text == text


@pytest.mark.parametrize("readable", [attributes.date, attributes.time, attributes.moment])
@pytest.mark.parametrize("text", ["yesterday", "", "2026-01-02", "99", "１２３４"])
def test_what_is_no_date_or_time_stays_as_it_is(readable: Callable[[str], str], text: str) -> None:
    assert readable(text) == text
