"""The viewer's documents in Chromium: read, played and drawn; measurements and key images saved, and there again."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from charrua_core.testing.documents import a_document, a_group, a_recording, a_report, a_text
from charrua_core.testing.objects import an_object

WEBGL = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader")
LEADS = ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"]
MP4, VL_VIDEO = "1.2.840.10008.1.2.4.102", "1.2.840.10008.5.1.4.1.1.77.1.1.1"
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj "
PDF += b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]>>endobj trailer<</Root 1 0 R>>\n"
IMAGE = {"Rows": 64, "Columns": 64, "PixelSpacing": [1, 1], "PixelData": bytes(64 * 64 * 2)}
LATE_MS = 30_000


def a_video() -> Dataset:
    """4 s of 25 pictures a second, as MP4."""
    av = pytest.importorskip("av")
    target = io.BytesIO()
    with av.open(target, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=25, width=64, height=64, pix_fmt="yuv420p")
        for number in range(100):
            picture = np.full((64, 64, 3), number * 2, "u1")
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    pixels = {"NumberOfFrames": 100, "SamplesPerPixel": 3, "PhotometricInterpretation": "YBR_PARTIAL_420"}
    video = an_object(transfer_syntax=MP4, SOPClassUID=VL_VIDEO, Modality="ES", **(IMAGE | pixels), BitsAllocated=8)
    video.BitsStored, video.HighBit = 8, 7
    content = target.getvalue()
    video.PixelData = encapsulate([content + b"\0" * (len(content) & 1)])
    video["PixelData"].is_undefined_length = True
    return video


def a_cardiogram() -> Dataset:
    seconds = np.arange(5000) / 500
    wave = (1000 * np.sin(2 * np.pi * seconds)[:, None] * np.ones(12)).astype("<i2")
    return a_recording(a_group(wave.tobytes(), LEADS))


def shelf() -> dict[str, Dataset]:
    """One study: an image and a document of each kind."""
    objects = {
        "CT": an_object(**IMAGE, Modality="CT"),
        "SR": a_report(a_text("Finding", "<img src=x onerror=alert(1)> & nothing else"), title="Thorax report"),
        "DOC": a_document(
            SOPClassUID="1.2.840.10008.5.1.4.1.1.104.1",
            Modality="DOC",
            EncapsulatedDocument=PDF + b" " * (len(PDF) & 1),
            MIMETypeOfEncapsulatedDocument="application/pdf",
        ),
        "ECG": a_cardiogram(),
        "ES": a_video(),
    }
    for one in objects.values():
        one.StudyInstanceUID = objects["CT"].StudyInstanceUID
    return objects


async def opened(served: Any, browser_at: Any, image: Dataset, modality: str = "") -> Any:
    """The viewer at the series of a study."""
    page = await browser_at(served, "Radiologist", arguments=WEBGL)
    await show(page, image, modality)
    return page


async def show(page: Any, image: Dataset, modality: str = "") -> None:
    await page.goto(f"/viewer/{image.StudyInstanceUID}?series={image.SeriesInstanceUID}")
    await page.locator(".document-body > *" if modality else ".cell canvas").first.wait_for(timeout=LATE_MS)


async def test_documents_are_read_played_and_drawn(serve_web: Any, browser_at: Any) -> None:
    served, objects = await serve_web(), shelf()
    await served.give(*objects.values())
    page = await opened(served, browser_at, objects["SR"], "SR")

    report = page.frame_locator(".document-frame")
    await report.locator("h1", has_text="Thorax report").wait_for(timeout=LATE_MS)
    assert await page.locator(".document-frame").get_attribute("sandbox") == "allow-popups"
    assert await report.locator("img").count() == 0

    async with page.expect_response("**/rendered?accept=application%2Fpdf*") as answer:
        await show(page, objects["DOC"], "DOC")
    assert (await answer.value).ok
    assert await page.get_by_role("link", name="Open in a new tab").get_attribute("target") == "_blank"

    await show(page, objects["ECG"], "ECG")
    sheet = page.locator(".ecg-paper canvas[data-drawn='4']")
    await sheet.wait_for(timeout=LATE_MS)
    assert await sheet.evaluate(BRIGHT) > 500
    await page.get_by_label("Layout").select_option("Leads below each other")
    await page.locator(".ecg-paper canvas[data-drawn='12']").wait_for()
    assert "25 mm/s · 10 mm/mV" in await page.locator(".ecg-legend").inner_text()

    await show(page, objects["ES"], "ES")
    video = page.locator("video")
    assert await video.evaluate(DURATION) == pytest.approx(4, abs=0.1)


BRIGHT = """canvas => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return data.filter((value, at) => at % 4 === 1 && value > 200).length;
}"""
"""How many pixels are as bright as the curve."""
DURATION = """video => new Promise((done, failed) => {
    if (video.readyState) return done(video.duration);
    video.addEventListener("loadedmetadata", () => done(video.duration));
    video.addEventListener("error", () => failed(new Error("the video cannot be played")));
})"""


async def test_measurements_and_key_images_are_there_again_after_a_reload(serve_web: Any, browser_at: Any) -> None:
    served, image = await serve_web(), an_object(**IMAGE, Modality="CT")
    await served.give(image)
    page = await opened(served, browser_at, image)
    await page.locator(".cell .overlay .top-left").first.wait_for(timeout=LATE_MS)

    box = await page.locator(".cell .view").first.bounding_box()
    assert box is not None
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    await page.keyboard.press("l")
    await page.mouse.move(*middle)
    await page.mouse.down()
    await page.mouse.move(middle[0] + 80, middle[1], steps=5)
    await page.mouse.up()
    measured = page.locator("#measured .go span")
    await page.get_by_role("button", name="Save in the study").click()
    await page.get_by_text("The measurements are saved in the study.").wait_for()
    value = await measured.inner_text()
    assert value.endswith(" mm")
    await page.mouse.move(*middle)
    await page.keyboard.press("*")
    await page.get_by_text("This is a key image now.").wait_for()

    await show(page, image)
    await page.keyboard.press("c")
    await page.get_by_role("button", name="Show 1 saved measurements").click(timeout=LATE_MS)
    assert await measured.inner_text() == value
    assert (await page.locator("#key-images .go").inner_text()).split("\n") == ["Of Interest", "axial · image 1"]
    await page.keyboard.press("*")
    await page.get_by_text("The image is no key image any more.").wait_for()
    assert await page.locator("#key-images .go").count() == 0
