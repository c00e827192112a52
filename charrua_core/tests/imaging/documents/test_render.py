"""The one entry: what can be had of which object, safe to run in a worker, and an error of ours whatever comes in."""

from __future__ import annotations

import copy
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest

from charrua_core.errors import CharruaError, NotRenderable
from charrua_core.imaging.documents import Rendered, media_types, read_report, render_document
from charrua_core.imaging.workers import Imaging
from charrua_core.testing.documents import a_document, a_report, a_text
from charrua_core.testing.outside import with_data
from charrua_core.types import FileRange

MAGIC = {
    "text/html": b"<!DOCTYPE html>",
    "application/pdf": b"%PDF-",
    "image/png": b"\x89PNG",
    "image/svg+xml": b"<svg ",
    "application/json": b'{"sop_class_uid":',
}
OBJECTS = {
    "sr/sr.dcm": ("text/html", "application/pdf", "application/json", "image/png"),
    "series/mr-ihe-kos/kos/kos.dcm": ("text/html", "application/pdf", "application/json", "image/png"),
    "ecg/waveform_ecg.dcm": ("text/html", "application/pdf", "image/svg+xml", "image/png"),
    "encapsulated/pdf.dcm": ("application/pdf",),
    "sr/rwvm.dcm": (),
    "sr/seg.dcm": (),
}


@with_data
@pytest.mark.parametrize("path", OBJECTS)
def test_an_object_can_be_had_in_these_media_types_and_no_others(path: str, real: Callable[..., Any]) -> None:
    header, stored = real(path)
    assert media_types(header["00080016"]["Value"][0]) == OBJECTS[path]
    for media_type in MAGIC:
        if media_type in OBJECTS[path]:
            made = render_document(header, media_type, stored)
            assert made.media_type == media_type
            assert not isinstance(made.body, bytes) or made.body.startswith(MAGIC[media_type])
        else:
            with pytest.raises(NotRenderable):
                render_document(header, media_type, stored)


@with_data
@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("sr/sr.dcm", "application/pdf"),
        ("sr/sr.dcm", "text/html"),
        ("ecg/waveform_ecg.dcm", "image/png"),
        ("encapsulated/pdf.dcm", "application/pdf"),
    ],
)
async def test_a_worker_process_makes_it_within_the_memory_that_it_has(
    path: str, media_type: str, imaging_of: Callable[..., Imaging], real: Callable[..., Any]
) -> None:
    header, stored = real(path)
    made = await imaging_of(memory_bytes=1 << 30).run(render_document, header, media_type, stored)
    assert isinstance(made, Rendered)
    assert made.media_type == media_type
    assert isinstance(made.body, FileRange) == path.startswith("encapsulated")


async def test_a_worker_process_tells_why_it_makes_nothing(imaging: Imaging, stored: Callable[..., Any]) -> None:
    header, file = stored(a_report())
    with pytest.raises(NotRenderable, match="image/jpeg"):
        await imaging.run(render_document, header, "image/jpeg", file)


def test_the_entry_to_it_loads_no_typesetter() -> None:
    loaded = "import sys, charrua_core.imaging.documents; print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert "typst" not in told.stdout.split()


def test_edits_in_force_stand_in_the_page(stored: Callable[..., Any]) -> None:
    header, _ = stored(a_report(a_text("Finding", "none")))
    header["00100010"] = {"vr": "PN", "Value": [{"Alphabetic": "Corrected^Name"}]}
    assert b"Corrected, Name" in render_document(header, "text/html").body  # type: ignore[operator]


def test_a_report_as_json_is_its_tree_for_people(stored: Callable[..., Any]) -> None:
    header, _ = stored(a_report(a_text("Finding", "none"), PatientName="Doe^Jane"))
    told = orjson.loads(render_document(header, "application/json").body)  # type: ignore[arg-type]
    assert (told["title"], told["patient"]["patient_name"], told["completion"]) == ("Report", "Doe, Jane", "COMPLETE")
    (item,) = told["content"]["items"]
    assert (item["position"], item["name"], item["type"], item["value"]) == ("1.1", "Finding", "TEXT", "none")


@with_data
def test_json_has_every_item_and_number(real: Callable[..., Any]) -> None:
    header, _ = real("sr/sr_document_with_multiple_groups.dcm")
    told = orjson.loads(render_document(header, "application/json").body)  # type: ignore[arg-type]
    assert len(list(flat(told["content"]))) == len(list(read_report(header).root.walk()))
    sizes = [
        (item["name"], item["value"], item["units"]) for item in flat(told["content"]) if item.get("type") == "NUM"
    ]
    assert ("Diameter", 20.0, "mm") in sizes
    assert ("Intensity Histogram Mean", -119.0738525390625, "HU") in sizes


def flat(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield item
    for child in item.get("items", []):
        yield from flat(child)


JUNK: list[Any] = [
    None,
    [None],
    [""],
    ["\ud7ff" * 3, 7, None],
    [{}],
    [[]],
    [True],
    [1e308, -1e308],
    [-1],
    [2**63],
    ["9" * 400],
    ["CONTAINER"],
    ["NUM"],
    [{"Alphabetic": 5}],
    {"a": 1},
    "text",
    0,
]


def elements(dataset: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for element in dataset.values():
        yield element
        for item in element.get("Value", []):
            if isinstance(item, dict) and element["vr"] == "SQ":
                yield from elements(item)


@with_data
@pytest.mark.parametrize("path", ["sr/test-SR.dcm", "sr/sr_document_with_multiple_groups.dcm", "ecg/waveform_ecg.dcm"])
@pytest.mark.parametrize("media_type", ["text/html", "application/pdf"])
def test_no_value_of_any_element_makes_anything_but_a_page_or_an_error_of_ours(
    path: str, media_type: str, real: Callable[..., Any]
) -> None:
    header, stored = real(path)
    rest = {tag: element for tag, element in header.items() if tag not in {"00080016", "0040B020"}}
    chance = random.Random(20260102)
    count = len(list(elements(rest)))
    for _ in range(100 if media_type == "text/html" and not path.startswith("ecg") else 30):
        broken = copy.deepcopy(rest)
        element = list(elements(broken))[chance.randrange(count)]
        element.pop("BulkDataURI", None)
        element["Value"] = chance.choice(JUNK)
        try:
            render_document({**broken, "00080016": header["00080016"]}, media_type, stored)
        except CharruaError:
            continue


def test_an_object_of_no_class_is_not_rendered(stored: Callable[..., Any]) -> None:
    header, _ = stored(a_document())
    for sop_class in ({}, {"00080016": {"vr": "UI"}}, {"00080016": {"vr": "UI", "Value": [None]}}):
        with pytest.raises(NotRenderable):
            render_document({**header, "00080016": {}, **sop_class}, "text/html")
