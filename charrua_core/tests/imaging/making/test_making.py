"""Objects made of files: they keep the file's stream, say whose they are, and are what the standard asks for."""

from __future__ import annotations

import asyncio
import io
import zipfile
from pathlib import Path
from typing import Any

import pydicom
import pytest
from PIL import Image
from pydicom.encaps import generate_frames

from charrua_core.archive.datasets.part10 import file_meta, new_arrival_id
from charrua_core.archive.datasets.source import SegmentSource
from charrua_core.archive.edit.values import from_keywords
from charrua_core.errors import DocumentUnreadable, ImageInvalid, ImagingBusy, ImagingTimeout
from charrua_core.imaging.making import (
    About,
    OfficeMissing,
    kind_of,
    make,
    make_cda,
    needs_decoding,
    office,
    picture_of,
    to_pdf,
)
from charrua_core.imaging.making.about import elements
from charrua_core.imaging.making.mp4 import Video
from charrua_core.imaging.making.objects import _video_syntax
from charrua_core.testing.files import PDF
from charrua_core.testing.outside import dcmtk
from charrua_core.types import Arrival, Origin

STUDY = from_keywords(
    {
        "PatientName": "Müller^Jürgen=林^花",
        "PatientID": "4711",
        "PatientBirthDate": "19700101",
        "PatientSex": "F",
        "StudyDate": "20260102",
        "StudyTime": "101112",
        "AccessionNumber": "A1",
        "StudyDescription": "Thorax",
    }
) | elements(StudyInstanceUID="1.2.3.4")


def a_picture(form: str = "JPEG", *, mode: str = "RGB", size: tuple[int, int] = (65, 48), **options: Any) -> bytes:
    """A picture with its left half dark and its right half light, of an odd width."""
    light = {"RGB": (200, 120, 40), "L": 200, "RGBA": (200, 120, 40, 255), "I;16": 50_000}[mode]
    picture = Image.new(mode, size)
    picture.paste(light, (size[0] // 2, 0, *size))  # type: ignore[arg-type]
    content = io.BytesIO()
    picture.save(content, form, **options)
    return content.getvalue()


def turned(orientation: int) -> Image.Exif:
    """EXIF that says how the camera was held."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def a_video(frames: int = 5) -> bytes:
    numpy, video = pytest.importorskip("numpy"), pytest.importorskip("charrua_core.imaging.render.video")
    pytest.importorskip("av")
    return video.mp4([numpy.full((48, 64, 3), 40 * number, "uint8") for number in range(frames)], 40.0, 60)


FILES = {
    "PDF": (lambda: PDF, "pdf"),
    "a PDF of an odd length": (lambda: PDF + b"\n", "pdf"),
    "JPEG": (a_picture, "jpeg"),
    "grey JPEG": (lambda: a_picture(mode="L"), "jpeg"),
    "progressive JPEG": (lambda: a_picture(progressive=True), "jpeg"),
    "JPEG on its side": (lambda: a_picture(exif=turned(6)), "jpeg"),
    "PNG": (lambda: a_picture("PNG"), "png"),
    "PNG with transparency": (lambda: a_picture("PNG", mode="RGBA"), "png"),
    "PNG of 16 bits": (lambda: a_picture("PNG", mode="I;16"), "png"),
    "MP4": (a_video, "mp4"),
}


def made_of(content: bytes, folder: Path) -> Path:
    """The object as a file."""
    source, target = folder / "content", folder / "made.dcm"
    source.write_bytes(content)
    kind = kind_of(source)
    assert kind is not None
    picture = picture_of(str(source), kind) if needs_decoding(source, kind) else None
    made = make(source, kind, About(STUDY, "Überweisung", 7), picture)
    arrival = Arrival(new_arrival_id(), About(STUDY, "").at.astimezone(), Origin("web"))
    with SegmentSource(made.segments) as segments:
        meta = file_meta(made.sop_class_uid, made.sop_instance_uid, made.transfer_syntax_uid, arrival)
        target.write_bytes(meta + segments.read(0, segments.size))
    return target


@pytest.mark.parametrize("what", FILES)
async def test_the_object_is_valid_and_says_whose_it_is(tmp_path, what) -> None:
    content, kind = FILES[what]
    target = made_of(content(), tmp_path)
    assert kind_of(tmp_path / "content") == kind
    image = pydicom.dcmread(target)
    assert (str(image.PatientName), image.PatientID, image.StudyInstanceUID) == (
        "Müller^Jürgen=林^花",
        "4711",
        "1.2.3.4",
    )
    assert (image.SeriesDescription, image.SeriesNumber, image.StudyDescription) == ("Überweisung", 7, "Thorax")
    for tool in ("dciodvfy", "dcmdump"):
        status, told = await dcmtk(tool, target)
        assert status == 0 and "Error" not in told, told


def test_a_pdf_lies_in_its_object_byte_for_byte(tmp_path) -> None:
    for content in (PDF, PDF + b"\n"):
        image = pydicom.dcmread(made_of(content, tmp_path))
        assert image.EncapsulatedDocument[: image.EncapsulatedDocumentLength] == content
        assert len(image.EncapsulatedDocument) % 2 == 0


def test_a_cda_lies_in_its_object_with_its_own_identifier(tmp_path) -> None:
    source = tmp_path / "report.xml"
    source.write_bytes(b'<ClinicalDocument><templateId root="9"/><id extension="77" root="1.2.3"/></ClinicalDocument>')
    made = make_cda(source, About(STUDY, "Report"))
    with SegmentSource(made.segments) as segments:
        image = pydicom.dcmread(io.BytesIO(segments.read(0, segments.size)), force=True)
    assert (image.MIMETypeOfEncapsulatedDocument, image.HL7InstanceIdentifier) == ("text/XML", "1.2.3^77")
    assert image.EncapsulatedDocument.startswith(source.read_bytes())
    source.write_bytes(b"<html/>")
    with pytest.raises(DocumentUnreadable):
        make_cda(source, About(STUDY, "Report"))


@pytest.mark.parametrize(
    ("content", "photometric"),
    [
        (a_picture(), "YBR_FULL_422"),
        (a_picture(mode="L"), "MONOCHROME2"),
        (a_picture(keep_rgb=True), "RGB"),
        (a_picture(subsampling=0), "YBR_FULL_422"),
    ],
)
def test_a_baseline_jpeg_keeps_its_stream(tmp_path, content, photometric) -> None:
    image = pydicom.dcmread(made_of(content + b"what a telephone puts behind the picture", tmp_path))
    [frame] = generate_frames(image.PixelData, number_of_frames=1)
    assert frame.rstrip(b"\0") == content.rstrip(b"\0") and image.PhotometricInterpretation == photometric
    assert (image.file_meta.TransferSyntaxUID.name[:13], image.Rows, image.Columns) == ("JPEG Baseline", 48, 65)


def test_what_lies_on_its_side_is_put_upright(tmp_path) -> None:
    image = pydicom.dcmread(made_of(a_picture(exif=turned(6)), tmp_path))
    pixels = image.pixel_array  # the dark half, left in the file, is above when the picture is turned right
    assert (image.Rows, image.Columns) == (65, 48) and image.LossyImageCompression == "01"
    assert pixels[5, 5].sum() < 60 < pixels[60, 40].sum()


def test_an_mp4_keeps_its_stream_and_says_how_fast_it_is(tmp_path) -> None:
    content = a_video(5)
    image = pydicom.dcmread(made_of(content, tmp_path))
    [frame] = generate_frames(image.PixelData, number_of_frames=1)
    assert frame[: len(content)] == content
    assert (image.NumberOfFrames, image.FrameTime, image.Rows, image.Columns) == (5, 40, 48, 64)
    assert image.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.102"


@pytest.mark.parametrize(
    ("codec", "profile", "constrained", "level", "bits", "syntax"),
    [
        ("H.264", 100, False, 41, 8, "102"),
        ("H.264", 77, False, 31, 8, "102"),
        ("H.264", 66, True, 30, 8, "102"),
        ("H.264", 100, False, 42, 8, "104"),
        ("H.265", 1, True, 153, 8, "107"),
        ("H.265", 2, True, 120, 10, "108"),
        ("H.264", 66, False, 30, 8, None),
        ("H.264", 100, False, 51, 8, None),
        ("H.264", 110, False, 41, 8, None),
        ("H.265", 1, True, 186, 8, None),
    ],
)
def test_the_transfer_syntax_of_a_video_is_that_of_its_profile_and_level(
    codec, profile, constrained, level, bits, syntax
) -> None:
    video = Video(codec, profile, constrained, level, bits, 720, 1280, 10, 1.0)
    if syntax is None:
        with pytest.raises(ImageInvalid, match="convert it"):
            _video_syntax(video)
    else:
        assert _video_syntax(video) == f"1.2.840.10008.1.2.4.{syntax}"


DAMAGED = {
    "a PDF cut off": (PDF[:-20], DocumentUnreadable),
    "a JPEG cut off in its head": (a_picture()[:60], ImageInvalid),
    "a JPEG cut off in its pixels": (a_picture()[:-40], ImageInvalid),
    "a PNG cut off": (a_picture("PNG")[:60], ImageInvalid),
    "an MP4 of nothing": (b"\0\0\0\x18ftypisom\0\0\0\0isommp42", ImageInvalid),
    "an MP4 whose box is too long": (b"\0\0\0\x18ftypisom\0\0\0\0isommp42\xff\xff\xff\xffmoov", ImageInvalid),
    "QuickTime": (b"\0\0\0\x14ftypqt  \0\0\0\0qt  \0\0\0\x08moov", ImageInvalid),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_what_is_damaged_is_refused(tmp_path, what) -> None:
    content, error = DAMAGED[what]
    with pytest.raises(error):
        made_of(content, tmp_path)


def test_every_part_of_a_video_may_be_missing_or_wrong(tmp_path) -> None:
    whole = a_video()
    for at in range(0, len(whole), 7):
        for damaged in (whole[:at], whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :]):
            source = tmp_path / "content"
            source.write_bytes(damaged or b"\0")
            try:
                make(source, "mp4", About(STUDY, "x"))
            except ImageInvalid:
                continue


def a_zip(**members: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as opened:
        for name, member in members.items():
            opened.writestr(name.replace("__", "/").replace("_xml", ".xml"), member)
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (a_zip(word__document_xml=b"<x/>"), "docx"),
        (a_zip(mimetype=b"application/vnd.oasis.opendocument.text"), "odt"),
        (a_zip(mimetype=b"application/vnd.oasis.opendocument.spreadsheet"), None),
        (a_zip(other=b"x"), None),
        (bytes.fromhex("D0CF11E0A1B11AE1") + b"\0" * 600 + "WordDocument".encode("utf_16_le"), "doc"),
        (bytes.fromhex("D0CF11E0A1B11AE1") + b"\0" * 600 + "Workbook".encode("utf_16_le"), None),
        (b"{\\rtf1 x}", "rtf"),
        ("Überweisung\n".encode(), "txt"),
        ("Überweisung\n".encode("utf_16"), "txt"),
        (b"MZ\x90\0\x03", None),
        (b"\xff\xfb\x90", None),
        (b"", None),
    ],
)
def test_the_content_says_what_a_file_is(tmp_path, content, kind) -> None:
    (tmp_path / "x").write_bytes(content)
    assert kind_of(tmp_path / "x") == kind


# -- LibreOffice, by a program of the same manners ------------------------------------------------------------------------
def a_program(folder: Path, does: str) -> str:
    path = folder / "soffice"
    path.write_text(f'#!/bin/bash\nwhile [ $# -gt 1 ]; do [ "$1" = --outdir ] && out=$2; shift; done\n{does}\n')
    path.chmod(0o700)
    return str(path)


async def converted(folder: Path, does: str, timeout_s: float = 20) -> Path:
    source, into = folder / "text", folder / "into"
    source.write_text("Überweisung")
    into.mkdir()
    return await to_pdf(source, "txt", into, program=a_program(folder, does), timeout_s=timeout_s)


async def test_a_text_becomes_a_pdf_in_a_profile_that_runs_nothing(tmp_path) -> None:
    made = await converted(tmp_path, 'cat "$out/profile/user/registrymodifications.xcu" "$1" > "$out/document.pdf"')
    told = made.read_text()
    assert "Überweisung" in told and "DisableMacrosExecution" in told and "BlockUntrustedRefererLinks" in told


async def test_a_program_that_hangs_is_killed_with_what_it_started(tmp_path) -> None:
    mark = tmp_path / "mark"
    with pytest.raises(ImagingTimeout):
        await converted(tmp_path, f"(sleep 1.5; touch {mark}) & sleep 60", timeout_s=0.5)
    await asyncio.sleep(1.5)
    assert not mark.exists()


async def test_a_program_that_fails_or_makes_nothing_is_told(tmp_path, monkeypatch) -> None:
    with pytest.raises(DocumentUnreadable):
        await converted(tmp_path, "exit 0")
    monkeypatch.setattr(office, "_running", office.MOST_AT_ONCE)
    with pytest.raises(ImagingBusy):
        await to_pdf(tmp_path / "text", "txt", tmp_path, program="soffice", timeout_s=1)


def test_a_program_that_is_not_there_is_told(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OfficeMissing, match="not installed"):
        office.office_program()
