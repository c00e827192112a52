"""Studies to take away: the ZIP archive and the disc image, what is on them, and who may have them."""

from __future__ import annotations

import io
import json
import zipfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pycdlib
import pydicom
import pytest
from pydicom.fileset import FileSet
from pydicom.uid import EncapsulatedPDFStorage, ImplicitVRLittleEndian, RLELossless

from charrua_core import audit
from charrua_core.archive.edit.edit import edit
from charrua_core.testing.objects import a_study, an_object, part10
from charrua_core.testing.outside import DATA, dcmtk, with_data, with_dcmtk
from charrua_core.types import SYSTEM, Level


@asynccontextmanager
async def browser(served, role: str = "Radiologist", row_filter=None):
    headers = {"Authorization": f"Bearer {await served.token(role, row_filter)}"}
    async with httpx.AsyncClient(base_url=served.url, headers=headers, timeout=60, verify=False) as client:
        yield client


@pytest.fixture
async def desk(serve_web):
    """A radiologist's browser, and the archive behind it."""
    served = await serve_web()
    async with browser(served) as client:
        client.served = served
        yield client


async def stored(client, images) -> Any:
    files = [("file", ("a", part10(image) if not isinstance(image, bytes) else image, "x/x")) for image in images]
    answer = await client.post("/uploads/files", files=files)
    assert {one["status"] for one in answer.json()["results"]} == {"stored"}, answer.text
    return images


def a_mixed_study() -> list[pydicom.Dataset]:
    """Two series of images, a report and a document."""
    study = a_study(series=2, images=2, PatientName="Müller^Jürgen", SpecificCharacterSet="ISO_IR 100")
    same = {name: study[0][name].value for name in ("StudyInstanceUID", "PatientName", "SpecificCharacterSet")}
    report = an_object(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11", Modality="SR", PixelData=None, Rows=None, **same)
    report.ValueType, report.ContinuityOfContent = "CONTAINER", "SEPARATE"
    document = an_object(SOPClassUID=EncapsulatedPDFStorage, Modality="DOC", PixelData=None, Rows=None, **same)
    document.EncapsulatedDocument, document.DocumentTitle = b"%PDF-1.4", "A title"
    document.MIMETypeOfEncapsulatedDocument = "application/pdf"
    return [*study, report, document]


def opened(content: bytes) -> zipfile.ZipFile:
    archive = zipfile.ZipFile(io.BytesIO(content))
    assert archive.testzip() is None
    return archive


def told(archive: zipfile.ZipFile) -> Any:
    script = archive.read("VIEWER/DATA.JS").decode()
    assert script.startswith("window.CHARRUA = ")
    return json.loads(script.removeprefix("window.CHARRUA = ").rstrip(";\n"))


async def downloaded(client, study: str, **query: str) -> zipfile.ZipFile:
    answer = await client.get(f"/studies/{study}/download", params=query)
    assert answer.status_code == 200, answer.text
    return opened(answer.content)


async def test_a_download_is_a_medium_that_dicom_programs_read(desk, tmp_path) -> None:
    study = await stored(desk, a_mixed_study())
    archive = await downloaded(desk, study[0].StudyInstanceUID)
    archive.extractall(tmp_path)
    files = FileSet(tmp_path / "DICOMDIR")
    assert {one.SOPInstanceUID for one in files} == {one.SOPInstanceUID for one in study}
    assert all(one.load().PatientName == study[0].PatientName for one in files)
    names = archive.namelist()
    assert {"DICOMDIR", "README.TXT", "INDEX.HTM", "VIEWER/VIEWER.JS", "VIEWER/VIEWER.CSS", "VIEWER/DATA.JS"} < set(
        names
    )
    assert "DICOM/PAT00001/ST000001/SE000001/IM000001" in names
    for name in names:
        assert all(len(part.split(".")[0]) <= 8 for part in name.split("/")), name
    assert archive.read("DICOMDIR")[:128] == bytes(128)
    assert "Müller".encode("latin_1") not in archive.read("README.TXT")


async def test_what_a_directory_must_tell_and_the_object_does_not_is_made_up(desk, tmp_path) -> None:
    lacking = {"StudyDate": "", "StudyTime": None, "StudyID": "", "SeriesNumber": None, "InstanceNumber": ""}
    (image,) = await stored(desk, [an_object(**lacking)])
    (await downloaded(desk, image.StudyInstanceUID)).extractall(tmp_path)
    _, study, series, one = pydicom.dcmread(tmp_path / "DICOMDIR").DirectoryRecordSequence
    assert (study.StudyDate, study.StudyTime, study.StudyID) == ("19000101", "000000", "1")
    assert (series.SeriesNumber, one.InstanceNumber) == (1, 1)


@with_dcmtk
async def test_dcmtk_finds_no_fault_with_it(desk, tmp_path) -> None:
    study = await stored(desk, a_mixed_study())
    (await downloaded(desk, study[0].StudyInstanceUID)).extractall(tmp_path)
    status, said = await dcmtk("dcmdump", Path(tmp_path, "DICOMDIR"))
    assert (status, said.count("DirectoryRecordType")) == (0, 12)


async def test_the_viewer_is_told_of_pictures_and_documents(desk) -> None:
    study = await stored(desk, a_mixed_study())
    archive = await downloaded(desk, study[0].StudyInstanceUID)
    (patient,) = told(archive)["patients"]
    assert (patient["name"], patient["id"], patient["born"]) == ("Müller, Jürgen", "4711", "19700101")
    series = {one["modality"] + one["number"]: one for one in patient["studies"][0]["series"]}
    pictures = [name for one in series["CT1"]["objects"] for name in one["pictures"]]
    assert len(pictures) == 2
    assert archive.read(pictures[0]).startswith(b"\xff\xd8")
    (document,) = series["DOC1"]["objects"]
    assert (document["title"], archive.read(document["document"])) == ("A title", b"%PDF-1.4")
    (report,) = series["SR1"]["objects"]
    assert archive.read(report["document"]).startswith(b"%PDF")


async def test_edits_are_in_what_leaves(desk) -> None:
    (image,) = await stored(desk, a_study(images=1))
    name = {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "Smith^John"}]}}
    await edit(desk.served.app, SYSTEM, Level.STUDY, image.StudyInstanceUID, name)
    archive = await downloaded(desk, image.StudyInstanceUID)
    assert told(archive)["patients"][0]["name"] == "Smith, John"
    (file,) = [name for name in archive.namelist() if name.startswith("DICOM/")]
    assert pydicom.dcmread(io.BytesIO(archive.read(file))).PatientName == "Smith^John"
    assert b"Smith^John" in archive.read("DICOMDIR")


async def test_of_many_images_every_second_is_shown_and_all_are_there(serve_web) -> None:
    served = await serve_web({"media_most_pictures": 3})
    async with browser(served) as client:
        study = await stored(client, a_study(images=6))
        archive = await downloaded(client, study[0].StudyInstanceUID)
        assert told(archive)["every"] == 2
        names = archive.namelist()
        assert len([name for name in names if name.startswith("DICOM/")]) == 6
        assert len([name for name in names if name.endswith(".JPG")]) == 3


async def test_what_cannot_be_shown_keeps_nothing_else_from_the_medium(desk) -> None:
    study = a_study(images=2)
    study[0].PixelData = bytes(3)
    study[0].file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.90"
    study[0]["PixelData"].VR = "OB"
    study[0].PixelData = pydicom.encaps.encapsulate([b"no image"])
    study[0]["PixelData"].is_undefined_length = True
    await stored(desk, study)
    archive = await downloaded(desk, study[0].StudyInstanceUID)
    objects = told(archive)["patients"][0]["studies"][0]["series"][0]["objects"]
    assert [(len(one.get("pictures", [])), bool(one.get("note"))) for one in objects] == [(0, True), (1, False)]
    assert len([name for name in archive.namelist() if name.startswith("DICOM/")]) == 2


@pytest.mark.parametrize(
    ("syntax", "wanted", "profile"),
    [
        ("", {"1.2.840.10008.1.2.1", "1.2.840.10008.1.2.5"}, ""),
        ("explicit", {"1.2.840.10008.1.2.1"}, "STD-GEN-CD"),
        ("jpeg", {"1.2.840.10008.1.2.1"}, "STD-GEN-CD"),
    ],
)
async def test_files_are_in_the_syntaxes_of_the_profile(desk, syntax, wanted, profile) -> None:
    plain, implicit, packed = a_study(images=3)
    implicit.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    packed.compress(RLELossless, generate_instance_uid=False)
    await stored(desk, [plain, implicit, packed])
    archive = await downloaded(desk, plain.StudyInstanceUID, **({"syntax": syntax} if syntax else {}))
    files = [archive.read(name) for name in archive.namelist() if name.startswith("DICOM/")]
    assert {pydicom.dcmread(io.BytesIO(one)).file_meta.TransferSyntaxUID for one in files} == wanted
    assert (profile or "application profiles") in archive.read("README.TXT").decode() or not profile


async def test_several_studies_come_together(desk) -> None:
    first, second = await stored(desk, [an_object(PatientID=name) for name in ("P1", "P2")])
    uids = [first.StudyInstanceUID, second.StudyInstanceUID]
    answer = await desk.get("/download", params=[("study", uid) for uid in uids])
    archive = opened(answer.content)
    assert [patient["id"] for patient in told(archive)["patients"]] == ["P1", "P2"]
    missing = await desk.get("/download", params=[("study", uids[0]), ("study", "1.2.3")])
    assert missing.status_code == 404
    assert (await desk.get("/download")).status_code == 400
    assert (await desk.get("/download", params={"study": "../x"})).status_code == 400
    assert (await desk.get("/download", params={"study": uids[0], "syntax": "png"})).status_code == 400


async def test_who_sees_a_part_takes_that_part(desk) -> None:
    ct = an_object()
    mr = an_object(Modality="MR", StudyInstanceUID=ct.StudyInstanceUID)
    await stored(desk, [ct, mr])
    async with browser(desk.served, "Referring", {"Modality": ["CT"]}) as doctor:
        archive = await downloaded(doctor, ct.StudyInstanceUID)
        assert len([name for name in archive.namelist() if name.startswith("DICOM/")]) == 1
        assert mr.SOPInstanceUID.encode() not in archive.read("DICOMDIR")
        assert (await doctor.get(f"/studies/{ct.StudyInstanceUID}/disc")).status_code == 403
    async with browser(desk.served, "Referring", {"Modality": ["CR"]}) as doctor:
        assert (await doctor.get(f"/studies/{ct.StudyInstanceUID}/download")).status_code == 404


async def test_downloads_can_be_switched_off_and_have_a_limit(serve_web) -> None:
    served = await serve_web({"enable_download": False, "media_most_bytes": 1 << 20})
    async with browser(served) as client:
        study = await stored(client, a_study(images=1))
        assert (await client.get(f"/studies/{study[0].StudyInstanceUID}/download")).status_code == 403
        large = await stored(client, [an_object(Rows=1024, Columns=1024, PixelData=bytes(2 << 20))])
        assert (await client.get(f"/studies/{large[0].StudyInstanceUID}/disc")).status_code == 413


async def test_what_a_download_would_be_is_told_before(desk) -> None:
    study = await stored(desk, a_study(images=2))
    query = {"study": study[0].StudyInstanceUID}
    told = (await desk.get("/download/choices", params=query)).json()
    assert (told["studies"], told["objects"], told["fits"], told["disc"]) == (1, 2, True, True)
    assert told["bytes"] > 2 * 128
    async with browser(desk.served, "Referring") as doctor:
        assert (await doctor.get("/download/choices", params=query)).json()["disc"] is False


async def test_a_disc_image_holds_the_same_under_both_kinds_of_names(desk) -> None:
    study = await stored(desk, a_mixed_study())
    answer = await desk.get(f"/studies/{study[0].StudyInstanceUID}/disc")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-iso9660-image")
    assert int(answer.headers["content-length"]) == len(answer.content)
    disc = pycdlib.PyCdlib()
    disc.open_fp(io.BytesIO(answer.content))
    for image in ({"iso_path": "/DICOMDIR.;1"}, {"joliet_path": "/DICOMDIR"}):
        content = io.BytesIO()
        disc.get_file_from_iso_fp(content, **image)
        listed = pydicom.dcmread(io.BytesIO(content.getvalue())).DirectoryRecordSequence
        files = [one.ReferencedFileID for one in listed if "ReferencedFileID" in one]
        assert len(files) == 6
        for file in files:
            kept = io.BytesIO()
            if "iso_path" in image:
                disc.get_file_from_iso_fp(kept, iso_path=f"/{'/'.join(file)}.;1")
            else:
                disc.get_file_from_iso_fp(kept, joliet_path=f"/{'/'.join(file)}")
            assert pydicom.dcmread(io.BytesIO(kept.getvalue())).PatientID == "4711"
    assert not [path for path in desk.served.app.volumes.current.root.glob("spool/*/*") if path.is_file()]


async def test_what_is_given_out_is_in_the_audit_trail(desk) -> None:
    study = await stored(desk, a_study(images=2))
    await downloaded(desk, study[0].StudyInstanceUID)
    app = desk.served.app
    await app.audit.flush()
    (record,) = await audit.read(app.db, event=audit.Event.EXPORT)
    assert (record["study_uids"], record["detail"]["objects"]) == ([study[0].StudyInstanceUID], 2)


@with_data
@with_dcmtk
@pytest.mark.parametrize("folder", ["sr", "encapsulated", "ecg", "ko-pr", "rt", "seg", "enhanced"])
async def test_a_medium_of_real_objects_of_every_kind_holds_together(desk, tmp_path, folder) -> None:
    for path in sorted((DATA / folder).rglob("*.dcm"))[:8]:
        content = path.read_bytes()
        answer = await desk.post("/uploads/files", files=[("file", ("a", content, "x/x"))])
        (result,) = answer.json()["results"]
        if result["status"] != "stored":
            continue
        archive = await downloaded(desk, result["study"])
        target = tmp_path / path.stem
        archive.extractall(target)
        status, said = await dcmtk("dcmdump", target / "DICOMDIR")
        assert status == 0, said
        names = {name for name in archive.namelist() if name.startswith("DICOM/")}
        listed = pydicom.dcmread(target / "DICOMDIR").DirectoryRecordSequence
        assert {"/".join(one.ReferencedFileID) for one in listed if "ReferencedFileID" in one} == names
