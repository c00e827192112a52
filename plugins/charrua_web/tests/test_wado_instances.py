"""WADO-RS of whole objects: what comes back equals what went in, in the form that was asked for, to who may see it."""

from __future__ import annotations

import asyncio
import io
from itertools import product

import httpx
import numpy as np
import pydicom
import pytest
from dicomweb_client.api import DICOMwebClient
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
)

from charrua_core.testing.devices import received_of
from charrua_core.testing.dicomweb import ANY, parts_of, path_of, trail_of
from charrua_core.testing.objects import a_study, an_object


async def test_a_study_a_series_an_instance_come_back_as_they_came(modality, browse) -> None:
    study = a_study(series=2, images=3)
    await modality.give(study, a_study())
    client, sent = await browse(), [received_of(image) for image in study]
    for base, (depth, number) in product(("/dicom-web", "/wado-rs", "/wadors"), ((1, 6), (2, 3), (3, 1))):
        parts = parts_of(await client.get(base + path_of(study[0], depth), headers={"Accept": ANY}))
        kinds = {head["Content-Type"] for head, _ in parts}
        assert kinds == {f"application/dicom; transfer-syntax={ExplicitVRLittleEndian}"}
        assert [received_of(content) for _, content in parts] == sent[:number]


async def test_a_file_that_leaves_does_not_tell_who_sent_it(modality, browse) -> None:
    (image,) = a_study()
    await modality.give(image)
    ((_, content),) = parts_of(await (await browse()).get("/dicom-web" + path_of(image), headers={"Accept": ANY}))
    meta = pydicom.dcmread(io.BytesIO(content)).file_meta
    assert meta.MediaStorageSOPInstanceUID == image.SOPInstanceUID
    assert not {"SourceApplicationEntityTitle", "PrivateInformation"} & {element.keyword for element in meta}
    assert b"MODALITY" not in content


FORMS = {
    "": (200, "multipart/related"),
    "*/*": (200, "multipart/related"),
    "application/dicom": (200, "application/dicom"),
    "application/*": (200, "application/dicom"),
    "multipart/related; type=application/dicom": (200, "multipart/related"),
    "application/dicom;q=0.5, multipart/related;q=0.1": (200, "application/dicom"),
    f"application/dicom; transfer-syntax={JPEG2000Lossless}": (200, "application/dicom"),
    "text/html": (406, "application/problem+json"),
    "application/dicom; transfer-syntax=1.2.3": (406, "application/problem+json"),
    "application/dicom; transfer-syntax=nonsense": (400, "application/problem+json"),
    "nonsense": (400, "application/problem+json"),
}


async def test_an_instance_has_the_form_that_is_accepted(modality, browse) -> None:
    image = an_object(Rows=64, Columns=64, PixelData=bytes(64 * 64 * 2))
    await modality.give(image)
    client = await browse()
    for accept, form in FORMS.items():
        in_header = await client.get("/dicom-web" + path_of(image), headers={"Accept": accept})
        in_query = await client.get("/dicom-web" + path_of(image), params={"accept": accept})
        for answer in (in_header, in_query):
            assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == form, accept


async def test_several_objects_do_not_fit_into_a_single_part(modality, browse) -> None:
    study = a_study(images=2)
    await modality.give(study)
    answer = await (await browse()).get("/dicom-web" + path_of(study[0], 1), headers={"Accept": "application/dicom"})
    assert answer.status_code == 406
    assert "2 objects" in answer.json()["detail"]


@pytest.mark.parametrize("stored", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless])
async def test_an_object_is_transcoded_where_its_own_syntax_is_not_accepted(modality, browse, stored) -> None:
    pixels = (np.arange(64 * 64, dtype=np.uint16) % 4096).reshape(64, 64)
    image = an_object(Rows=64, Columns=64, PixelData=pixels.tobytes())
    if stored == RLELossless:
        image.compress(RLELossless, generate_instance_uid=False)
    elif stored == ExplicitVRBigEndian:
        image.PixelData = pixels.byteswap().tobytes()
    image.file_meta.TransferSyntaxUID = UID(stored)
    await modality.give(image)
    client = await browse()
    for wanted in ("", ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless, JPEG2000Lossless):
        accept = f"application/dicom; transfer-syntax={wanted}" if wanted else "application/dicom"
        answer = await client.get("/dicom-web" + path_of(image), headers={"Accept": accept})
        came = pydicom.dcmread(io.BytesIO(answer.content))
        assert came.file_meta.TransferSyntaxUID == (wanted or ExplicitVRLittleEndian)
        assert np.array_equal(came.pixel_array, pixels)
        assert came.SOPInstanceUID == image.SOPInstanceUID


async def test_what_cannot_be_had_as_accepted_is_left_out_with_a_warning(modality, browse) -> None:
    image = an_object(Rows=64, Columns=64, PixelData=bytes(64 * 64 * 2))
    video = an_object(
        transfer_syntax="1.2.840.10008.1.2.4.102",
        PixelData=encapsulate([b"a video "]),
        StudyInstanceUID=image.StudyInstanceUID,
    )
    await modality.give(image, video)
    client = await browse()
    accept = {"Accept": f'multipart/related; type="application/dicom"; transfer-syntax={JPEG2000Lossless}'}
    some = await client.get("/dicom-web" + path_of(image, 1), headers=accept)
    assert some.status_code == 206
    assert "left out: 1" in some.headers["warning"]
    assert len(parts_of(some)) == 1
    assert (await client.get("/dicom-web" + path_of(video), headers=accept)).status_code == 406
    unsaid = await client.get("/dicom-web" + path_of(image, 1))
    assert (unsaid.status_code, len(parts_of(unsaid))) == (200, 2)


async def test_an_edit_is_in_what_leaves_and_what_is_removed_is_gone(archive, modality, browse) -> None:
    (image,) = a_study()
    await modality.give(image)
    client = await browse()
    await archive.run("archive", "edit", "study", image.StudyInstanceUID, "PatientName=Roe^Richard", "--reason", "test")
    ((_, content),) = parts_of(await client.get("/dicom-web" + path_of(image), headers={"Accept": ANY}))
    came = pydicom.dcmread(io.BytesIO(content))
    assert came.PatientName == "Roe^Richard"
    assert came.PixelData == image.PixelData


async def test_what_the_caller_may_not_see_is_not_there(modality, browse) -> None:
    ct, mr = an_object(Modality="CT"), an_object(Modality="MR")
    await modality.give(ct, mr)
    client, nobody = await browse("Referring", {"Modality": ["CT"]}), await browse(None)
    for depth in (1, 2, 3):
        assert (await client.get("/dicom-web" + path_of(ct, depth))).status_code == 200
        assert (await client.get("/dicom-web" + path_of(mr, depth))).status_code == 404
        assert (await nobody.get("/dicom-web" + path_of(ct, depth))).status_code == 401


async def test_of_a_study_only_what_the_caller_may_see_is_given(modality, browse) -> None:
    ct = an_object(Modality="CT")
    sr = an_object(Modality="SR", StudyInstanceUID=ct.StudyInstanceUID)
    await modality.give(ct, sr)
    client = await browse("Referring", {"Modality": ["CT"]})
    ((_, content),) = parts_of(await client.get("/dicom-web" + path_of(ct, 1)))
    assert received_of(content).sop_instance_uid == ct.SOPInstanceUID


async def test_an_object_is_found_below_its_own_study_and_series_alone(modality, browse) -> None:
    one, other = an_object(), an_object()
    await modality.give(one, other)
    client = await browse()
    for study, series in ((other, one), (one, other), (other, other)):
        path = f"{path_of(study, 1)}/series/{series.SeriesInstanceUID}/instances/{one.SOPInstanceUID}"
        assert (await client.get("/dicom-web" + path)).status_code == 404
    assert (await client.get("/dicom-web/studies/1.2.3")).status_code == 404
    assert (await client.get("/dicom-web/studies/1..2")).status_code == 400


async def test_a_retrieval_is_in_the_audit_trail_once(archive, modality, browse) -> None:
    study = a_study(images=3)
    await modality.give(study)
    await (await browse("Referring")).get("/dicom-web" + path_of(study[0], 1))
    (told,) = await trail_of(archive, "referring1", "110104")
    assert (told["study_uids"], told["succeeded"]) == ([study[0].StudyInstanceUID], True)
    assert "3" in told["detail"]


async def test_an_object_whose_file_is_gone_breaks_the_answer_off(archive, modality, browse) -> None:
    study = a_study(images=2)
    await modality.give(study)
    *_, last = sorted(archive.data_dir.rglob("*.dcm"), key=lambda path: study[1].SOPInstanceUID in str(path))
    last.unlink()
    client = await browse()
    with pytest.raises(httpx.RemoteProtocolError):
        await client.get("/dicom-web" + path_of(study[0], 1), headers={"Accept": ANY})
    alone = await client.get("/dicom-web" + path_of(study[1]), headers={"Accept": ANY})
    assert alone.status_code == 500


async def test_dicomweb_client_retrieves_at_each_level(archive, modality) -> None:
    study = a_study(series=2, images=2)
    await modality.give(study)
    token = await archive.token()
    client = DICOMwebClient(f"{archive.url}/dicom-web", headers={"Authorization": f"Bearer {token}"})
    first = study[0]
    uids = (first.StudyInstanceUID, first.SeriesInstanceUID, first.SOPInstanceUID)
    whole = await asyncio.to_thread(client.retrieve_study, uids[0])
    series = await asyncio.to_thread(client.retrieve_series, *uids[:2])
    one = await asyncio.to_thread(client.retrieve_instance, *uids)
    assert [image.SOPInstanceUID for image in whole] == [image.SOPInstanceUID for image in study]
    assert len(series) == 2
    assert one == first
