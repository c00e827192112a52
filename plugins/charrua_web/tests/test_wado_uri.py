"""WADO-URI: one object by query parameters, itself or as a picture, as the manual has it."""

from __future__ import annotations

import io

import numpy as np
import pydicom
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, RLELossless

from charrua_core.testing.devices import received_of
from charrua_core.testing.dicomweb import trail_of
from charrua_core.testing.objects import an_object

GREY = (np.arange(64 * 48) % 4096).astype("<u2").tobytes()
IMAGE = {"Rows": 64, "Columns": 48, "PixelData": GREY, "WindowCenter": 1500, "WindowWidth": 3000}
REPORT = "1.2.840.10008.5.1.4.1.1.88.11"


def asked(image: pydicom.Dataset, **more: object) -> dict[str, object]:
    uids = {"studyUID": image.StudyInstanceUID, "seriesUID": image.SeriesInstanceUID, "objectUID": image.SOPInstanceUID}
    return {"requestType": "WADO", **uids, **more}


def size_of(content: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(content)) as picture:
        return picture.size


async def test_an_object_is_had_as_itself_or_as_a_picture(modality, browse) -> None:
    image = an_object(**IMAGE)
    await modality.give(image)
    client = await browse()
    for path in ("/wado", "/wado/", "/dicom-web/wado"):
        itself = await client.get(path, params=asked(image, contentType="application/dicom"))
        assert itself.headers["content-type"] == "application/dicom"
        assert received_of(itself.content) == received_of(image)
        assert (await client.get(path, params=asked(image))).headers["content-type"] == "image/jpeg"
        in_small = {name.lower(): value for name, value in asked(image, contentType="IMAGE/JPEG").items()}
        assert (await client.get(path, params=in_small)).headers["content-type"] == "image/jpeg"


async def test_a_picture_is_as_was_asked(modality, browse) -> None:
    image = an_object(**IMAGE)
    await modality.give(image)
    client = await browse()
    cases = [
        ({"rows": 32}, (24, 32)),
        ({"columns": 12}, (12, 16)),
        ({"rows": 32, "columns": 12}, (12, 16)),
        ({"region": "0,0,0.5,0.5"}, (24, 32)),
        ({"region": "0.5,0.5,1,1", "rows": 16}, (12, 16)),
        ({"contentType": "image/png", "windowCenter": 100, "windowWidth": 50}, (48, 64)),
        ({"imageQuality": 5, "annotation": "patient,technique", "frameNumber": 1}, (48, 64)),
    ]
    for more, size in cases:
        answer = await client.get("/wado", params=asked(image, **more))
        assert size_of(answer.content) == size, more


async def test_the_object_itself_has_the_transfer_syntax_that_is_asked_for(modality, browse) -> None:
    image = an_object(**IMAGE)
    image.compress(RLELossless, generate_instance_uid=False)
    await modality.give(image)
    client = await browse()
    for syntax, came in {
        None: ExplicitVRLittleEndian,
        JPEG2000Lossless: JPEG2000Lossless,
        "*": RLELossless,
    }.items():
        more = {"contentType": "application/dicom"} | ({"transferSyntax": syntax} if syntax else {})
        answer = pydicom.dcmread(io.BytesIO((await client.get("/wado", params=asked(image, **more))).content))
        assert answer.file_meta.TransferSyntaxUID == came
        assert answer.pixel_array.tobytes() == GREY


async def test_a_presentation_state_is_laid_over_a_picture(modality, browse) -> None:
    image = an_object(**IMAGE)
    state = an_object(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.11.1",
        Modality="PR",
        PixelData=None,
        StudyInstanceUID=image.StudyInstanceUID,
    )
    reference, series, area = Dataset(), Dataset(), Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = image.SOPClassUID, image.SOPInstanceUID
    series.SeriesInstanceUID, series.ReferencedImageSequence = image.SeriesInstanceUID, [reference]
    state.ReferencedSeriesSequence, state.PresentationLUTShape = [series], "INVERSE"
    area.DisplayedAreaTopLeftHandCorner, area.DisplayedAreaBottomRightHandCorner = [1, 1], [48, 64]
    area.PresentationSizeMode, area.PresentationPixelAspectRatio = "SCALE TO FIT", [1, 1]
    state.DisplayedAreaSelectionSequence = [area]
    await modality.give(image, state)
    client = await browse()
    under = {"presentationUID": state.SOPInstanceUID, "presentationSeriesUID": state.SeriesInstanceUID}
    darkest = []
    for more in ({}, under):
        answer = await client.get("/wado", params=asked(image, contentType="image/png", **more))
        darkest.append(np.asarray(Image.open(io.BytesIO(answer.content)))[0, 0])
    assert darkest == [0, 255]
    alone = {"presentationUID": state.SOPInstanceUID}
    assert (await client.get("/wado", params=asked(image, **alone))).status_code == 400


async def test_a_report_is_a_page(modality, browse) -> None:
    report = an_object(SOPClassUID=REPORT, Modality="SR", PixelData=None, Rows=None)
    report.ValueType, report.ContinuityOfContent, report.CompletionFlag = "CONTAINER", "SEPARATE", "COMPLETE"
    await modality.give(report)
    client = await browse()
    page = await client.get("/wado", params=asked(report))
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "Doe" in page.text
    assert (await client.get("/wado", params=asked(report, charset="ISO-8859-1"))).status_code == 406
    assert (await client.get("/wado", params=asked(report, contentType="image/jpeg"))).status_code == 406


REFUSED = [
    ({"requestType": "WADI"}, 400),
    ({"studyUID": ""}, 400),
    ({"objectUID": "1..2"}, 400),
    ({"objectUID": "1.2.3"}, 404),
    ({"anonymize": "yes"}, 501),
    ({"contentType": "text/html"}, 406),
    ({"contentType": "nonsense"}, 400),
    ({"frameNumber": "0"}, 400),
    ({"frameNumber": "2"}, 404),
    ({"rows": "many"}, 400),
    ({"rows": "100000"}, 400),
    ({"region": "0,0,2,1"}, 400),
    ({"region": "nan,0,1,1"}, 400),
    ({"windowCenter": "1"}, 400),
    ({"imageQuality": "101"}, 400),
    ({"transferSyntax": "1.2.840.10008.1.2.1"}, 400),
    ({"contentType": "application/dicom", "rows": "10"}, 400),
    ({"contentType": "application/dicom", "transferSyntax": "jpeg"}, 400),
    ({"contentType": "application/dicom", "transferSyntax": "1.2.3"}, 406),
]


async def test_what_cannot_be_is_refused_with_a_sentence(modality, browse) -> None:
    image = an_object(**IMAGE)
    await modality.give(image)
    client = await browse()
    for more, status in REFUSED:
        answer = await client.get("/wado", params={**asked(image), **more})
        assert answer.status_code == status, (more, answer.text)
        assert answer.json()["detail"]


async def test_objects_are_for_who_may_see_them_and_in_the_audit_trail(archive, modality, browse) -> None:
    shown, hidden = an_object(**IMAGE), an_object(**IMAGE, Modality="MR")
    await modality.give(shown, hidden)
    client = await browse("Referring", {"Modality": ["CT"]})
    for more in ({}, {"contentType": "application/dicom"}):
        assert (await client.get("/wado", params=asked(shown, **more))).status_code == 200
        assert (await client.get("/wado", params=asked(hidden, **more))).status_code == 404
        elsewhere = asked(shown, **more) | {"seriesUID": hidden.SeriesInstanceUID}
        assert (await client.get("/wado", params=elsewhere)).status_code == 404
    assert (await (await browse(None)).get("/wado", params=asked(shown))).status_code == 401
    for event in ("110103", "110104"):
        (told,) = await trail_of(archive, "referring1", event)
        assert told["study_uids"] == [shown.StudyInstanceUID]
