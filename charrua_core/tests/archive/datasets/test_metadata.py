"""Metadata and bulk data of every sound file, as they are delivered, beside what pydicom and DCMTK make of it.

DCMTK sees a fourth of the files, or all with CHARRUA_TEST_ALL in the environment.
"""

from __future__ import annotations

import csv
import os
import re
import subprocess
import warnings
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from math import isclose
from pathlib import Path
from typing import Any

import orjson
import pydicom
import pytest
from pydicom import config

from charrua_core.archive.datasets.bulk import find_bulk_data
from charrua_core.archive.datasets.header import pack_json, scan
from charrua_core.archive.datasets.metadata import metadata_json
from charrua_core.archive.datasets.overlay import Modification
from charrua_core.archive.datasets.part10 import read_file_meta
from charrua_core.testing.outside import DATA, program
from charrua_core.types import DicomJson, FileRange

BULK = "https://pacs.example.org/instances/1.2.3/bulkdata"
NO_OBJECTS = ("dicomdir-set/DICOMDIR", "worklist/")  # no archive is asked to store them


def sound_files() -> list[str]:
    if not DATA.is_dir():
        return []
    with open(DATA / "MANIFEST.csv", encoding="utf-8") as file:
        rows = [row["path"] for row in csv.DictReader(file) if row["state"] == "ok"]
    return [path for path in rows if not path.startswith(NO_OBJECTS)]


SOUND = sound_files()


def delivered(path: Path) -> DicomJson:
    """The metadata of a file, with the bytes that its BulkDataURIs lead to."""
    meta, size = read_file_meta(path), path.stat().st_size
    header = scan(path.read_bytes(), meta.transfer_syntax_uid, dataset_offset=meta.dataset_offset)
    segments = [FileRange(path, meta.dataset_offset, size - meta.dataset_offset)]

    def value(uri: str, vr: str) -> str:
        assert uri.startswith(BULK + "/")
        found = find_bulk_data(segments, meta.transfer_syntax_uid, uri.removeprefix(BULK + "/"))
        assert found.vr == vr
        return b64encode(b"".join(bytes_of(piece) for piece in found.segments)).decode()

    metadata: DicomJson = orjson.loads(metadata_json(pack_json(header.json), BULK))
    assert not header.unparsed
    return with_bulk_data(metadata, value)


def with_bulk_data(dataset: DicomJson, value: Callable[[str, str], str]) -> DicomJson:
    for element in dataset.values():
        if "BulkDataURI" in element:
            element["InlineBinary"] = value(element.pop("BulkDataURI"), element["vr"])
        for item in element.get("Value", []) if element["vr"] == "SQ" else []:
            with_bulk_data(item, value)
    return dataset


def bytes_of(piece: bytes | FileRange) -> bytes:
    if isinstance(piece, bytes):
        return piece
    with open(piece.path, "rb") as file:
        file.seek(piece.offset)
        return file.read(piece.length)


Element = dict[str, Any]


def flat(dataset: Mapping[str, Any], of: Callable[[Element], Element], path: str = "") -> dict[str, Element]:
    """All elements by path; a sequence tells how many items it has. Group 0002 and group lengths are no part of it."""
    told: dict[str, Element] = {}
    for tag, element in dataset.items():
        if tag[:4] == "0002" or tag[4:] == "0000":
            continue
        if element["vr"] != "SQ":
            told[path + tag] = of(element)
            continue
        items = element.get("Value", [])
        told[path + tag] = {"vr": "SQ", "items": len(items)}
        for number, item in enumerate(items):
            told |= flat(item or {}, of, f"{path}{tag}/{number}/")
    return told


# --- edits ---------------------------------------------------------------------------------------------------------

STORED = {
    "00080005": {"vr": "CS", "Value": ["ISO_IR 100"]},
    "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Before"}]},
    "00100020": {"vr": "LO", "Value": ['"BulkDataURI":"7FE00010?offset=1&length=2"']},
    "54000100": {
        "vr": "SQ",
        "Value": [{"54001010": {"vr": "OW", "BulkDataURI": "54000100/0/54001010?offset=9&length=4"}}],
    },
    "7FE00010": {"vr": "OW", "BulkDataURI": "7FE00010?inflated-offset=99&length=4"},
}


def test_every_bulk_data_uri_leads_to_the_path_of_its_attribute() -> None:
    told = orjson.loads(metadata_json(pack_json(orjson.dumps(STORED)), BULK))
    assert told["7FE00010"] == {"vr": "OW", "BulkDataURI": BULK + "/7FE00010"}
    assert told["54000100"]["Value"][0]["54001010"] == {"vr": "OW", "BulkDataURI": BULK + "/54000100/0/54001010"}
    assert told["00100020"] == STORED["00100020"]


def test_edits_are_laid_over_in_the_order_of_tags_and_told_with_what_was_before() -> None:
    edit = {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "After"}]}, "00080060": {"vr": "CS", "Value": ["CT"]}}
    by = Modification("CHARRUA", datetime(2026, 1, 2, tzinfo=UTC))
    told = orjson.loads(metadata_json(pack_json(orjson.dumps(STORED)), BULK, edit, by))
    assert list(told) == sorted({*STORED, *edit, "04000561"})
    assert told["00100010"] == edit["00100010"]
    assert told["7FE00010"]["BulkDataURI"] == BULK + "/7FE00010"
    assert told["04000561"]["Value"][0]["04000550"]["Value"] == [{"00100010": STORED["00100010"]}]


def test_what_was_removed_is_not_told() -> None:
    told = orjson.loads(metadata_json(pack_json(orjson.dumps(STORED)), BULK, {"00100010": None, "54000100": None}))
    assert told.keys() == STORED.keys() - {"00100010", "54000100"}


# --- pydicom -------------------------------------------------------------------------------------------------------


def of_pydicom(path: Path) -> dict[str, Element]:
    with warnings.catch_warnings(action="ignore"):
        return flat(pydicom.dcmread(path, force=True).to_json_dict(1 << 40), as_pydicom_should)


def as_pydicom_should(element: Element) -> Element:
    """An empty value among others is null (PS3.18 F.2.5), where pydicom has an empty text."""
    if "Value" in element:
        return {**element, "Value": [None if value == "" else value for value in element["Value"]]}
    return element


UNLIKE_PYDICOM = {
    ("charset/chrGB2312.dcm", "00100010"): "pydicom leaves the escape sequences of ISO 2022 IR 58 in the text",
    ("rt/RI6XDosiGap.dcm", "50003000"): "pydicom leaves OB or OW open; implicit VR is always OW (PS3.5 A.1)",
    ("ts/evrbe/MR_small_bigendian.dcm", "7FE00010"): "pydicom leaves words big endian; they are little (PS3.18 F.2.7)",
}


@pytest.mark.parametrize("path", SOUND)
def test_metadata_say_what_pydicom_says(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config.settings, "reading_validation_mode", config.IGNORE)
    ours, theirs = flat(delivered(DATA / path), dict), of_pydicom(DATA / path)
    assert without(ours, path, UNLIKE_PYDICOM) == without(theirs, path, UNLIKE_PYDICOM)


def without(elements: dict[str, Element], path: str, causes: Mapping[tuple[str, str], str]) -> dict[str, Element]:
    return {place: element for place, element in elements.items() if (path, place) not in causes}


# --- DCMTK ---------------------------------------------------------------------------------------------------------


UNLIKE_DCMTK = {
    ("modality/dx/dx_image.dcm", "7FE00010"): "DCMTK pads a value of odd length",
    ("rt/RI6XDosiGap.dcm", "50003000"): "DCMTK takes OB or OW for OB; implicit VR is always OW (PS3.5 A.1)",
}
WITH_UN = {
    "charset/chrKoreanMulti.dcm": "private attributes that pydicom's dictionary has",
    "modality/pt/3.dcm": "retired attributes",
    "ts/rle/rtdose_rle.dcm": "all attributes",
}
"""Files with elements in UN, which DCMTK leaves as they are."""
UNREAD_BY_DCMTK = "character encoding"  # code extensions, where it was built without a library for them
UNWRITTEN_BY_DCMTK = "compressed pixel data"  # what it writes ends before them


def of_dcmtk(path: Path) -> tuple[dict[str, Element], bool]:
    """What dcm2json writes, and whether it is all of the data set."""
    run = subprocess.run([str(program("dcm2json")), "-q", str(path)], capture_output=True, check=False)
    if UNREAD_BY_DCMTK in run.stderr.decode():
        pytest.skip("this DCMTK cannot convert the character set")
    if UNWRITTEN_BY_DCMTK in run.stderr.decode():
        return flat(orjson.loads(re.sub(rb",(\s*[}\]])", rb"\1", run.stdout)), dict), False
    assert run.returncode == 0
    return flat(orjson.loads(run.stdout), dict), True


def as_dcmtk_tells(place: str, element: Element, theirs: Element) -> Element:
    """Our element with what DCMTK does to it: texts are said to be in Unicode, names end without carets, and it rounds."""
    if place.endswith("00080005") and element["vr"] == "CS":
        return {"vr": "CS", "Value": ["ISO_IR 192"]}
    if element["vr"] == "PN" and "Value" in element:
        names = [{group: text.rstrip("^") for group, text in (name or {}).items()} for name in element["Value"]]
        told = [{group: text for group, text in name.items() if text} or None for name in names]
        return {"vr": "PN", "Value": told} if any(told) else {"vr": "PN"}
    if element["vr"] in ("FL", "FD") and "Value" in element and len(element["Value"]) == len(theirs.get("Value", [])):
        pairs = zip(element["Value"], theirs["Value"], strict=True)
        return {**element, "Value": [other if isclose(one, other, rel_tol=1e-8) else one for one, other in pairs]}
    return element


@pytest.mark.parametrize("path", SOUND[:: 1 if os.environ.get("CHARRUA_TEST_ALL") else 4])
@pytest.mark.skipif(program("dcm2json") is None, reason="DCMTK is not installed")
def test_metadata_say_what_dcmtk_says(path: str) -> None:
    theirs, whole = of_dcmtk(DATA / path)
    theirs = without(theirs, path, UNLIKE_DCMTK)
    ours = without(flat(delivered(DATA / path), dict), path, UNLIKE_DCMTK)
    told = {place: as_dcmtk_tells(place, element, theirs.get(place, {})) for place, element in ours.items()}
    if path in WITH_UN:
        told |= {place: element for place, element in theirs.items() if element["vr"] == "UN" and place in told}
    assert {place: element for place, element in told.items() if whole or place in theirs} == theirs
