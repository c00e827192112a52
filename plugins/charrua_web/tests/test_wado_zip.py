"""WADO-RS of studies and series as one download, with and without a DICOMDIR."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pydicom
import pytest
from pydicom.fileset import FileSet
from pydicom.uid import EncapsulatedPDFStorage, RLELossless

from charrua_core.testing.devices import received_of
from charrua_core.testing.dicomweb import path_of, trail_of
from charrua_core.testing.objects import a_study, an_object
from charrua_core.testing.outside import dcmtk, with_dcmtk

ZIP = {"Accept": "application/zip"}
DICOMDIR = {"Accept": "application/zip; dicomdir=true"}


def a_mixed_study() -> list[pydicom.Dataset]:
    """Two series of images, a report and a document."""
    study = a_study(series=2, images=2, PatientName="Müller^Jürgen", SpecificCharacterSet="ISO_IR 100")
    same = {name: study[0][name].value for name in ("StudyInstanceUID", "PatientName", "SpecificCharacterSet")}
    report = an_object(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11", Modality="SR", PixelData=None, **same)
    document = an_object(SOPClassUID=EncapsulatedPDFStorage, Modality="DOC", PixelData=None, **same)
    document.EncapsulatedDocument, document.DocumentTitle = b"%PDF", "A title"
    return [*study, report, document]


async def test_a_download_has_each_object_as_it_is_stored_under_a_name_that_tells_of_nobody(modality, browse) -> None:
    study = a_mixed_study()
    study[0].compress(RLELossless, generate_instance_uid=False)
    await modality.give(study)
    client = await browse()
    for depth, number in ((1, 6), (2, 2), (3, 1)):
        answer = await client.get(f"/dicom-web{path_of(study[0], depth)}", headers=ZIP)
        assert answer.headers["content-type"] == "application/zip"
        assert answer.headers["content-disposition"].startswith('attachment; filename="1.')
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            assert archive.testzip() is None
            assert len(archive.namelist()) == number
            for image in study[:number]:
                content = archive.read(f"{image.SeriesInstanceUID}/{image.SOPInstanceUID}.dcm")
                assert received_of(content) == received_of(image)


async def test_a_download_for_media_has_a_dicomdir_of_what_is_in_it(modality, browse, tmp_path) -> None:
    study = a_mixed_study()
    await modality.give(study)
    answer = await (await browse()).get(f"/dicom-web{path_of(study[0], 1)}", headers=DICOMDIR)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        archive.extractall(tmp_path)
    files = FileSet(tmp_path / "DICOMDIR")
    assert {one.SOPInstanceUID for one in files} == {one.SOPInstanceUID for one in study}
    assert all(one.load().PatientName == study[0].PatientName for one in files)
    assert files.find_values("PatientName") == [study[0].PatientName]
    read = pydicom.dcmread(tmp_path / "DICOMDIR")
    kinds = [record.DirectoryRecordType for record in read.DirectoryRecordSequence]
    assert sorted(kinds) == sorted(["PATIENT", "STUDY", *["SERIES"] * 4, *["IMAGE"] * 4, "SR DOCUMENT", "ENCAP DOC"])


@with_dcmtk
async def test_dcmtk_reads_the_dicomdir(modality, browse, tmp_path) -> None:
    study = a_mixed_study()
    await modality.give(study)
    answer = await (await browse()).get(f"/dicom-web{path_of(study[0], 1)}", headers=DICOMDIR)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        archive.extractall(tmp_path)
    status, said = await dcmtk("dcmdump", Path(tmp_path, "DICOMDIR"))
    assert (status, said.count("DirectoryRecordType")) == (0, 12)


async def test_a_download_holds_what_the_caller_may_see_and_is_in_the_audit_trail(archive, modality, browse) -> None:
    ct = an_object()
    mr = an_object(Modality="MR", StudyInstanceUID=ct.StudyInstanceUID)
    await modality.give(ct, mr)
    client = await browse("Referring", {"Modality": ["CT"]})
    for headers in (ZIP, DICOMDIR):
        answer = await client.get(f"/dicom-web{path_of(ct, 1)}", headers=headers)
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive_:
            assert len([name for name in archive_.namelist() if name != "DICOMDIR"]) == 1
        assert mr.SOPInstanceUID.encode() not in answer.content
        assert (await client.get(f"/dicom-web{path_of(mr, 2)}", headers=headers)).status_code == 404
    assert len(await trail_of(archive, "referring1", "110104")) >= 1


@pytest.mark.parametrize(("syntax", "status"), [("1.2.840.10008.1.2.5", 200), ("1.2.840.10008.1.2.4.102", 406)])
async def test_a_download_may_be_in_another_transfer_syntax(modality, browse, syntax, status) -> None:
    image = an_object(Rows=64, Columns=64, PixelData=bytes(8192))
    await modality.give(image)
    accept = {"Accept": f"application/zip; transfer-syntax={syntax}"}
    answer = await (await browse()).get(f"/dicom-web{path_of(image, 1)}", headers=accept)
    assert answer.status_code == status
    if status == 200:
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            (name,) = archive.namelist()
            assert pydicom.dcmread(io.BytesIO(archive.read(name))).file_meta.TransferSyntaxUID == syntax
