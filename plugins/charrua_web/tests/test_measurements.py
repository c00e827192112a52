"""Measurements: what the viewer saves is a report that every program reads, and comes back as it was."""

from __future__ import annotations

import asyncio
import io
import re
import uuid
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest
from pydicom.sr.codedict import codes as dictionary
from pydicom.uid import MultiFrameGrayscaleWordSecondaryCaptureImageStorage

from charrua_core.testing.documents import a_code, a_number, a_report, a_section, an_item
from charrua_core.testing.objects import a_study, an_object
from charrua_core.testing.outside import DATA, dcmtk, program, with_data
from charrua_web.documents import codes

STUDIES = "/dicom-web/studies"
LENGTH = {
    "kind": "length",
    "points": [[1.5, 2.25], [6.5, 2.25]],
    "values": [{"name": "length", "value": 12.5, "unit": "mm"}],
    "label": "Nódulo 1",
}
ELLIPSE = {
    "kind": "ellipse",
    "points": [[3, 1], [3, 3], [0.5, 2], [5.5, 2]],
    "values": [
        {"name": "area", "value": 78.54, "unit": "mm²"},
        {"name": "mean", "value": -12.25, "unit": "HU"},
        {"name": "deviation", "value": 3.5, "unit": "HU"},
        {"name": "minimum", "value": -20, "unit": "HU"},
        {"name": "maximum", "value": 4, "unit": "HU"},
    ],
}
KINDS = [
    LENGTH,
    ELLIPSE,
    {"kind": "angle", "points": [[1, 1], [2, 2], [3, 1]], "values": [{"name": "angle", "value": 90, "unit": "°"}]},
    {
        "kind": "rectangle",
        "points": [[1, 1], [4, 1], [4, 3], [1, 3]],
        "values": [{"name": "area", "value": 6, "unit": "px²"}, {"name": "mean", "value": 7, "unit": ""}],
    },
    {"kind": "arrow", "points": [[2, 2], [5, 5]], "values": [], "label": "here"},
    {"kind": "probe", "points": [[2.5, 2.5]], "values": [{"name": "value", "value": 40, "unit": "HU"}]},
]


def on(image: Any, measured: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A measurement on an image, as the viewer sends it."""
    return {"id": str(uuid.uuid4()), "instance": image.SOPInstanceUID, "frame": 1, "label": ""} | measured | more


@pytest.fixture
async def archive(serve_web: Any) -> Any:
    return await serve_web()


def path_of(image: Any) -> str:
    return f"/studies/{image.StudyInstanceUID}/measurements"


async def save(client: httpx.AsyncClient, image: Any, *measured: Any, replaces: tuple[str, ...] = ()) -> httpx.Response:
    body = {"measurements": list(measured), "replaces": list(replaces)}
    return await client.post(path_of(image), json=body)


async def saved(client: httpx.AsyncClient, image: Any) -> list[dict[str, Any]]:
    answer = await client.get(path_of(image))
    assert answer.status_code == 200, answer.text
    return answer.json()["measurements"]


async def report_of(client: httpx.AsyncClient, image: Any, answer: httpx.Response) -> tuple[bytes, Any]:
    assert answer.status_code == 201, answer.text
    told = answer.json()
    path = f"{STUDIES}/{image.StudyInstanceUID}/series/{told['series']}/instances/{told['document']}"
    content = (await client.get(path, headers={"Accept": "application/dicom; transfer-syntax=*"})).content
    return content, pydicom.dcmread(io.BytesIO(content))


async def test_measurements_come_back_as_they_were_saved(archive: Any) -> None:
    image = an_object()
    await archive.give(image)
    measured = [on(image, one) for one in KINDS]
    async with await archive.client() as radiologist:
        answer = await save(radiologist, image, *measured)
        assert answer.status_code == 201, answer.text
        assert answer.json()["visible"] is True
        found = await saved(radiologist, image)
    told = [{name: one[name] for name in measured[0]} for one in found]
    whole = [one | {"points": [[float(x) for x in point] for point in one["points"]]} for one in measured]
    # An ellipse has its longer axis first, as DICOM wants it.
    whole[1]["points"] = [*whole[1]["points"][2:], *whole[1]["points"][:2]]
    assert told == whole
    assert {one["series"] for one in found} == {image.SeriesInstanceUID}
    assert all(one["mine"] for one in found)


async def test_a_report_tells_whose_it_is_who_measured_and_where(archive: Any) -> None:
    images = a_study(images=2, PatientName="Núñez^Ana", IssuerOfPatientID="HC", TimezoneOffsetFromUTC="-0300")
    await archive.give(*images)
    async with await archive.client() as radiologist:
        answer = await save(radiologist, images[0], on(images[0], LENGTH), on(images[1], ELLIPSE))
        _, report = await report_of(radiologist, images[0], answer)
    copied = "PatientName PatientID IssuerOfPatientID PatientBirthDate PatientSex StudyDate StudyTime AccessionNumber StudyID"
    for keyword in copied.split():
        assert report[keyword].value == images[0][keyword].value, keyword
    assert report.StudyInstanceUID == images[0].StudyInstanceUID
    assert report.SeriesInstanceUID != images[0].SeriesInstanceUID
    (evidence,) = report.CurrentRequestedProcedureEvidenceSequence
    (series,) = evidence.ReferencedSeriesSequence
    assert {one.ReferencedSOPInstanceUID for one in series.ReferencedSOPSequence} == {
        one.SOPInstanceUID for one in images
    }
    assert report.AuthorObserverSequence[0].PersonName == "radiologist2"
    assert (report.CompletionFlag, report.VerificationFlag) == ("COMPLETE", "UNVERIFIED")


async def test_who_measures_again_replaces_the_own_report_and_nobody_elses(archive: Any) -> None:
    image = an_object()
    await archive.give(image)
    async with await archive.client() as ana, await archive.client() as ben:
        first = (await save(ana, image, on(image, LENGTH))).json()["document"]
        await save(ben, image, on(image, ELLIPSE))
        assert (await save(ben, image, on(image, LENGTH), replaces=(first,))).status_code == 403
        second = (await save(ana, image, on(image, LENGTH, label="again"), replaces=(first,))).json()["document"]
        found = await saved(ana, image)
        assert {(one["label"], one["kind"], one["mine"]) for one in found} == {
            ("again", "length", True),
            ("", "ellipse", False),
        }
        assert (await save(ana, image, replaces=(first,))).status_code == 404
        assert (await save(ana, image, replaces=(second,))).status_code == 201
        assert [one["kind"] for one in await saved(ana, image)] == ["ellipse"]


async def test_the_newest_report_tells_what_two_tell(archive: Any) -> None:
    image = an_object()
    await archive.give(image)
    same = on(image, LENGTH)
    async with await archive.client() as ana:
        await save(ana, image, same)
        await asyncio.sleep(1.1)  # Content Time counts seconds
        await save(ana, image, same | {"label": "later"})
        assert [one["label"] for one in await saved(ana, image)] == ["later"]


async def test_a_frame_is_named_only_where_there_are_several(archive: Any) -> None:
    moving = an_object(NumberOfFrames=3, PixelData=bytes(384))
    await archive.give(moving)
    async with await archive.client() as radiologist:
        answer = await save(radiologist, moving, on(moving, LENGTH, frame=3))
        assert [one["frame"] for one in await saved(radiologist, moving)] == [3]
        _, report = await report_of(radiologist, moving, answer)
        assert (await save(radiologist, moving, on(moving, LENGTH, frame=4))).status_code == 400
    group = report.ContentSequence[-1].ContentSequence[0]
    drawing = group.ContentSequence[-1].ContentSequence[0]
    assert drawing.ContentSequence[0].ReferencedSOPSequence[0].ReferencedFrameNumber == 3


WRONG = [
    {},
    {"measurements": []},
    {"measurements": {}},
    {"measurements": [{}]},
    {"measurements": [on(an_object(), LENGTH)], "replaces": "all"},
    {"measurements": [on(an_object(), LENGTH, kind="freehand")]},
    {"measurements": [on(an_object(), LENGTH, points=[[1, 2]])]},
    {"measurements": [on(an_object(), LENGTH, points=[[1, 2], [1, "2"]])]},
    {"measurements": [on(an_object(), LENGTH, points=[[1, 2], [1e9, 2]])]},
    {"measurements": [on(an_object(), LENGTH, frame=0)]},
    {"measurements": [on(an_object(), LENGTH, frame=True)]},
    {"measurements": [on(an_object(), LENGTH, id="1")] * 2},
    {"measurements": [on(an_object(), LENGTH, label="x" * 257)]},
    {"measurements": [on(an_object(), LENGTH, values=[{"name": "length"}])]},
    {"measurements": [on(an_object(), LENGTH, values=[{"name": "weight", "value": 1}])]},
    {"measurements": [on(an_object(), LENGTH, values=[{"name": "length", "value": 1, "unit": "a{b"}])]},
    {"measurements": [on(an_object(), LENGTH)] * 1001},
]


async def test_what_cannot_be_read_is_refused_with_a_sentence(archive: Any) -> None:
    image = an_object()
    await archive.give(image)
    async with await archive.client() as radiologist:
        for body in WRONG:
            answer = await radiologist.post(path_of(image), json=body)
            assert answer.status_code == 400 and answer.json()["detail"], (str(body)[:200], answer.text)
        assert await saved(radiologist, image) == []


async def test_nobody_measures_or_reads_what_they_do_not_see(archive: Any) -> None:
    ct, mr = a_study(series=2, Modality="CT")
    mr.Modality, other = "MR", an_object()
    await archive.give(ct, mr, other)
    both = [on(ct, LENGTH), on(mr, LENGTH)]
    async with (
        await archive.client() as radiologist,
        await archive.client("Radiologist", {"Modality": ["CT", "SR"]}) as few,
    ):
        assert (await save(few, ct, on(mr, LENGTH))).status_code == 404
        assert (await save(few, ct, on(other, LENGTH))).status_code == 404
        assert (await save(radiologist, other, on(ct, LENGTH))).status_code == 404
        await save(radiologist, ct, *both)
        assert [one["instance"] for one in await saved(few, ct)] == [ct.SOPInstanceUID]
    async with await archive.client("Referring") as referring:
        assert (await save(referring, ct, on(ct, LENGTH))).status_code == 403
        assert len(await saved(referring, ct)) == 2
    async with await archive.client("Radiologist", {"Modality": ["CT"]}) as blind:
        answer = await save(blind, ct, on(ct, LENGTH))
        assert (answer.status_code, answer.json()["visible"]) == (201, False)
    async with await archive.client("Radiologist", {"Modality": ["US"]}) as nobody:
        hidden, absent = await nobody.get(path_of(ct)), await nobody.get(path_of(an_object()))
        assert (hidden.status_code, hidden.content) == (absent.status_code, absent.content)
        assert hidden.status_code == 404


@pytest.mark.skipif(program("dsrdump") is None, reason="DCMTK is not installed")
async def test_other_programs_take_the_reports(archive: Any, tmp_path: Path) -> None:
    image, moving = a_study(series=2)
    moving.NumberOfFrames, moving.PixelData = 2, bytes(256)
    moving.SOPClassUID = moving.file_meta.MediaStorageSOPClassUID = MultiFrameGrayscaleWordSecondaryCaptureImageStorage
    await archive.give(image, moving)
    async with await archive.client() as radiologist:
        measured = [on(image, one) for one in KINDS]
        answer = await save(radiologist, image, *measured, on(moving, LENGTH, frame=2))
        content, _ = await report_of(radiologist, image, answer)
        again = await save(radiologist, image, replaces=(answer.json()["document"],))
        empty, _ = await report_of(radiologist, image, again)
    for name, file in (("full", content), ("empty", empty)):
        (tmp_path / name).write_bytes(file)
        status, told = await dcmtk("dsrdump", tmp_path / name)
        assert status == 0 and not re.search("^[EF]: |violat|invalid", told, re.MULTILINE), told
        if program("dciodvfy") is not None:
            _, told = await dcmtk("dciodvfy", tmp_path / name)
            assert "Error" not in told, told


def test_the_codes_are_those_of_the_standard() -> None:
    known = {**vars(codes), **codes.QUANTITIES, **codes.DERIVATIONS, **codes.UNITS}.values()
    wanted = {one for one in known if isinstance(one, codes.Coding) and one.scheme in ("DCM", "SCT")}
    meanings = {(code.value, scheme): code.meaning for scheme in ("DCM", "SCT") for code in every(scheme)}
    told = {(one.value, one.scheme): one.meaning.lower() for one in wanted if (one.value, one.scheme) in meanings}
    assert len(told) == len(wanted), wanted - {one for one in wanted if (one.value, one.scheme) in told}
    for code in ((code, scheme) for scheme in ("DCM", "SCT") for code in every(scheme)):
        told.pop((code[0].value, code[1]), "") if code[0].meaning.lower() == told.get(
            (code[0].value, code[1])
        ) else None
    assert told == {}


def every(scheme: str) -> list[Any]:
    found = getattr(dictionary, scheme)
    return [code for name in dir(found) for code in [getattr(found, name)] if hasattr(code, "meaning")]


# -- reports of others ----------------------------------------------------------------------------------------------------
def drawn(graphic: str, points: list[float], image: Any, relationship: str = "INFERRED FROM") -> Any:
    reference = an_item("IMAGE", relationship="SELECTED FROM")
    reference.ReferencedSOPSequence = [pydicom.Dataset()]
    reference.ReferencedSOPSequence[0].ReferencedSOPClassUID = image.SOPClassUID
    reference.ReferencedSOPSequence[0].ReferencedSOPInstanceUID = image.SOPInstanceUID
    kind = "SCOORD" if len(points) != 6 or graphic != "POLYLINE" else "SCOORD3D"
    return an_item(kind, "", reference, relationship=relationship, GraphicType=graphic, GraphicData=points)


def group_of(tool: str, *items: Any) -> Any:
    tracking = an_item("TEXT", relationship="HAS OBS CONTEXT", TextValue=f"cornerstoneTools@^4.0.0:{tool}")
    tracking.ConceptNameCodeSequence = a_code("Tracking Identifier", "112039", "DCM")
    return a_section("", tracking, *items, ConceptNameCodeSequence=a_code("Measurement Group", "125007", "DCM"))


async def test_reports_of_other_programs_are_read_as_far_as_they_can_be_drawn(archive: Any) -> None:
    place = {
        "ImagePositionPatient": [10, 20, 30],
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "PixelSpacing": [2, 1],
    }
    image = an_object(FrameOfReferenceUID="1.2.3", **place)
    in_space = drawn("POLYLINE", [10, 20, 30, 13, 24, 30], image)
    in_space.ReferencedFrameOfReferenceUID = "1.2.3"
    elsewhere = drawn("POLYLINE", [10, 20, 50, 13, 24, 50], image)
    elsewhere.ReferencedFrameOfReferenceUID = "1.2.3"
    area = a_number("Area", "9", "mm2", drawn("CIRCLE", [4, 4, 4, 6], image))
    area.ConceptNameCodeSequence = a_code("Area", "G-A166", "SRT")
    report = a_report(
        group_of("CircleRoi", area),
        group_of("Length", a_number("Length", "5", "mm", in_space)),
        group_of("Length", a_number("Length", "5", "mm", elsewhere)),
        group_of("Freehand", drawn("POLYLINE", [float(x) for x in range(40)], image, "CONTAINS")),
        group_of("Angle", a_number("Angle", "90", "deg", drawn("POLYLINE", [1, 1, 2, 2, 2, 2, 3, 1], image))),
        StudyInstanceUID=image.StudyInstanceUID,
    )
    await archive.give(image, report)
    async with await archive.client() as radiologist:
        found = await saved(radiologist, image)
        assert [await saved(radiologist, image)] == [found]
    told = {one["kind"]: (one["points"], [value["name"] for value in one["values"]]) for one in found}
    assert told == {
        "ellipse": ([[2, 4], [6, 4], [4, 2], [4, 6]], ["area"]),
        "length": ([[0.5, 0.5], [3.5, 2.5]], ["value"]),
        "angle": ([[1, 1], [2, 2], [3, 1]], ["value"]),
    }
    assert not any(one["mine"] for one in found)


@with_data
async def test_real_reports_break_nothing(archive: Any) -> None:
    for path in sorted(DATA.glob("sr/*.dcm")):
        report = pydicom.dcmread(path)
        await archive.give(report)
        async with await archive.client() as radiologist:
            answer = await radiologist.get(path_of(report))
            assert answer.status_code == 200, path
