"""WADO-RS of rendered resources and thumbnails: pictures, animations, videos and documents, for who may see them."""

from __future__ import annotations

import asyncio
import io

import numpy as np
from dicomweb_client.api import DICOMwebClient
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import EncapsulatedPDFStorage

from charrua_core.testing.dicomweb import parts_of, path_of, trail_of
from charrua_core.testing.documents import a_report, a_text
from charrua_core.testing.objects import a_study, an_object

GREY = (np.arange(64 * 48) % 4096).astype("<u2").tobytes()
IMAGE = {"Rows": 64, "Columns": 48, "PixelData": GREY, "WindowCenter": 1500, "WindowWidth": 3000}
VIDEO = "1.2.840.10008.1.2.4.102"
PDF = b"%PDF-1.4 a document"


def cine(**attributes):
    return an_object(**{**IMAGE, "NumberOfFrames": 3, "PixelData": GREY * 2 + GREY[::-1], **attributes})


def picture_of(content: bytes) -> tuple[str | None, tuple[int, int]]:
    with Image.open(io.BytesIO(content)) as picture:
        return picture.format, picture.size


async def test_an_image_is_shown_as_was_asked(modality, browse) -> None:
    image, moving = an_object(**IMAGE), cine()
    await modality.give(image, moving)
    client = await browse()
    cases = [
        (image, "", "", "JPEG", (48, 64)),
        (image, "", "*/*", "JPEG", (48, 64)),
        (image, "", "image/png", "PNG", (48, 64)),
        (image, "?viewport=24,32", "image/*", "JPEG", (24, 32)),
        (image, "?quality=10&window=100,50,linear&accept=image/png", "", "PNG", (48, 64)),
        (moving, "", "", "JPEG", (48, 64)),
        (moving, "", "image/gif", "GIF", (48, 64)),
    ]
    for one, query, accept, kind, size in cases:
        answer = await client.get(f"/dicom-web{path_of(one)}/rendered{query}", headers={"Accept": accept})
        assert picture_of(answer.content) == (kind, size), (query, accept)
        assert answer.headers["content-type"] == f"image/{kind.lower()}"
    refused = {"?quality=0": 400, "?viewport=a": 400, "?annotation=all": 400, "?accept=video/mp4": 406}
    for query, status in refused.items():
        assert (await client.get(f"/dicom-web{path_of(image)}/rendered{query}")).status_code == status, query


async def test_frames_are_shown_alone_as_parts_or_as_an_animation(modality, browse) -> None:
    moving = cine()
    await modality.give(moving)
    client, path = await browse(), f"/dicom-web{path_of(moving)}/frames"
    assert picture_of((await client.get(f"{path}/2/rendered")).content) == ("JPEG", (48, 64))
    parts = parts_of(await client.get(f"{path}/1,3/rendered"))
    assert [(head["Content-Type"], picture_of(data)[0]) for head, data in parts] == [("image/jpeg", "JPEG")] * 2
    animation = await client.get(f"{path}/1,3/rendered", headers={"Accept": "image/gif"})
    with Image.open(io.BytesIO(animation.content)) as gif:
        assert gif.n_frames == 2
    assert (await client.get(f"{path}/4/rendered")).status_code == 404


async def test_the_images_of_a_study_are_parts_and_the_rest_of_it_is_left_out(modality, browse) -> None:
    study = a_study(series=2, images=2, **IMAGE)
    report = an_object(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11", PixelData=None, StudyInstanceUID=study[0].StudyInstanceUID
    )
    await modality.give(study, report)
    client = await browse()
    for depth, number in ((1, 4), (2, 2)):
        parts = parts_of(await client.get(f"/dicom-web{path_of(study[0], depth)}/rendered"))
        assert [picture_of(data)[0] for _, data in parts] == ["JPEG"] * number
    answer = await client.get(f"/dicom-web{path_of(report, 2)}/rendered")
    assert answer.status_code == 406


async def test_thumbnails_are_small(modality, browse) -> None:
    study = a_study(series=2, images=3, **{**IMAGE, "Rows": 192, "Columns": 192, "PixelData": bytes(192 * 192 * 2)})
    moving = cine()
    await modality.give(study, moving)
    client = await browse()
    for depth in (1, 2, 3):
        path = f"/dicom-web{path_of(study[0], depth)}/thumbnail"
        answer = await client.get(path)
        assert picture_of(answer.content) == ("JPEG", (128, 128))
        assert picture_of((await client.get(f"{path}?viewport=32,32")).content) == ("JPEG", (32, 32))
        again = await client.get(path, headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
    assert (await client.get(f"/dicom-web{path_of(moving)}/frames/2/thumbnail")).status_code == 200
    assert (await client.get(f"/dicom-web{path_of(moving)}/frames/4/thumbnail")).status_code == 404


async def test_an_edit_makes_another_picture(archive, modality, browse) -> None:
    image = an_object(**IMAGE)
    await modality.give(image)
    client, path = await browse(), f"/dicom-web{path_of(image)}/rendered?annotation=patient"
    before = await client.get(path)
    assert (await client.get(path, headers={"If-None-Match": before.headers["etag"]})).status_code == 304
    await archive.run("archive", "edit", "study", image.StudyInstanceUID, "PatientName=Roe^Richard")
    after = await client.get(path, headers={"If-None-Match": before.headers["etag"]})
    assert after.status_code == 200
    assert after.content != before.content


async def test_a_document_comes_as_it_is_and_under_a_strict_policy(modality, browse) -> None:
    document = an_object(
        SOPClassUID=EncapsulatedPDFStorage,
        PixelData=None,
        EncapsulatedDocument=PDF + b"\0",
        EncapsulatedDocumentLength=len(PDF),
        MIMETypeOfEncapsulatedDocument="application/pdf",
    )
    await modality.give(document)
    client, path = await browse(), f"/dicom-web{path_of(document)}/rendered"
    answer = await client.get(path)
    assert (answer.headers["content-type"], answer.content) == ("application/pdf", PDF)
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert (await client.get(path, headers={"Range": "bytes=0-3"})).content == b"%PDF"
    assert (await client.get(path, headers={"Accept": "image/jpeg"})).status_code == 406


async def test_a_video_is_played_from_anywhere(modality, browse) -> None:
    stream = b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 1000
    video = cine(transfer_syntax=VIDEO, PixelData=encapsulate([stream[:50_000], stream[50_000:]]))
    await modality.give(video)
    client, path = await browse(), f"/dicom-web{path_of(video)}/rendered"
    whole = await client.get(path, headers={"Accept": "video/mp4"})
    assert (whole.headers["content-type"], whole.headers["accept-ranges"]) == ("video/mp4", "bytes")
    assert whole.content == stream
    cases = {
        "bytes=0-11": (206, stream[:12], f"bytes 0-11/{len(stream)}"),
        "bytes=49990-50009": (206, stream[49990:50010], f"bytes 49990-50009/{len(stream)}"),
        "bytes=-5": (206, stream[-5:], f"bytes {len(stream) - 5}-{len(stream) - 1}/{len(stream)}"),
        f"bytes={len(stream) - 1}-": (206, stream[-1:], f"bytes {len(stream) - 1}-{len(stream) - 1}/{len(stream)}"),
        "bytes=0-1,5-6": (200, stream, None),
        f"bytes={len(stream)}-": (416, None, f"bytes */{len(stream)}"),
    }
    for asked, (status, content, place) in cases.items():
        answer = await client.get(path, headers={"Range": asked, "Accept": "video/mp4"})
        assert (answer.status_code, answer.headers.get("content-range")) == (status, place), asked
        assert content is None or answer.content == content
    assert (await client.get(f"/dicom-web{path_of(video)}/frames/1")).status_code == 406


async def test_pictures_are_for_who_may_see_them_and_are_in_the_audit_trail(archive, modality, browse) -> None:
    shown, hidden = an_object(**IMAGE), an_object(**IMAGE, Modality="MR")
    await modality.give(shown, hidden)
    client = await browse("Referring", {"Modality": ["CT"]})
    for end in ("rendered", "thumbnail", "frames/1/rendered", "frames/1/thumbnail"):
        assert (await client.get(f"/dicom-web{path_of(shown)}/{end}")).status_code == 200, end
        assert (await client.get(f"/dicom-web{path_of(hidden)}/{end}")).status_code == 404, end
    for depth in (1, 2):
        for end in ("rendered", "thumbnail"):
            assert (await client.get(f"/dicom-web{path_of(hidden, depth)}/{end}")).status_code == 404
    told = await trail_of(archive, "referring1", "110103")
    assert {tuple(one["study_uids"]) for one in told} == {(shown.StudyInstanceUID,)}


async def test_dicomweb_client_retrieves_what_is_rendered(archive, modality) -> None:
    image = an_object(**IMAGE)
    await modality.give(image)
    client = DICOMwebClient(f"{archive.url}/dicom-web", headers={"Authorization": f"Bearer {await archive.token()}"})
    uids = (image.StudyInstanceUID, image.SeriesInstanceUID, image.SOPInstanceUID)
    png = await asyncio.to_thread(client.retrieve_instance_rendered, *uids, media_types=("image/png",))
    assert picture_of(png)[0] == "PNG"
    jpeg = await asyncio.to_thread(client.retrieve_instance_frames_rendered, *uids, [1], media_types=("image/jpeg",))
    assert picture_of(jpeg)[0] == "JPEG"


async def test_documents_are_shown_under_a_policy_of_their_own_or_saved(serve_web) -> None:
    """Nothing that came from outside runs in the archive's name, and only its own pages frame it."""
    pdf = an_object(SOPClassUID=EncapsulatedPDFStorage, EncapsulatedDocument=PDF + b" ", PixelData=None, Rows=None)
    cda = an_object(SOPClassUID="1.2.840.10008.5.1.4.1.1.104.2", EncapsulatedDocument=b"<a/>", PixelData=None)
    report = a_report(a_text("Finding", "<script>alert(1)</script>"))
    served = await serve_web()
    await served.give(pdf, cda, report)
    cases = [
        (pdf, "application/pdf", "inline", ["default-src 'none'", "frame-ancestors 'self'"]),
        (report, "text/html", "inline", ["default-src 'none'", "sandbox", "frame-ancestors 'self'"]),
        (report, "application/pdf", "inline", ["default-src 'none'", "frame-ancestors 'self'"]),
        (cda, "text/xml", "attachment", ["default-src 'none'", "sandbox", "frame-ancestors 'none'"]),
    ]
    async with await served.client() as client:
        for one, media_type, place, policy in cases:
            answer = await client.get(f"/dicom-web{path_of(one)}/rendered", params={"accept": media_type})
            told = [part.strip() for part in answer.headers["content-security-policy"].split(";")]
            assert set(policy) <= set(told), (media_type, told)
            assert not any("script" in part or "unsafe" in part for part in told)
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["content-disposition"].startswith(f'{place}; filename="{one.SOPInstanceUID}.')
            assert b"<script" not in answer.content
