"""The viewer in a browser, on real images: they have the values that are stored, and lengths are those of the patient."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.pixels import apply_modality_lut

from charrua_core.testing.browser import executable
from charrua_core.testing.daily import is_todays
from charrua_core.testing.outside import DATA, with_data
from charrua_core.testing.waiting import until

pytestmark = [with_data, pytest.mark.skipif(not executable(), reason="there is no Chromium")]

HEAD = sorted((DATA / "series" / "ct-ge-28").glob("*"))
WITHOUT_WEBGL = ("--disable-gpu", "--disable-webgl", "--disable-webgl2", "--disable-3d-apis")
FIRST, ALL = "charrua:first-image", "charrua:all-images"


async def marked(page: Any, name: str) -> None:
    """Wait for a mark of the viewer on the page's timeline."""
    await until(lambda: page.evaluate("name => performance.getEntriesByName(name).length > 0", name), 60)


async def opened(page: Any, study_uid: str, until: str = ALL) -> Any:
    await page.goto(f"/viewer/{study_uid}")
    await marked(page, until)
    return page


async def values(page: Any, path: Path, frame: int = 1) -> np.ndarray:
    """The values of an image as the viewer has them."""
    script = """async ([uid, frame]) => {
        const image = await window.charruaViewer.image(uid, frame);
        return Array.from(image.getPixelData());
    }"""
    uid = dcmread(path, stop_before_pixels=True).SOPInstanceUID
    return np.array(await page.evaluate(script, [uid, frame]))


def stored(path: Path) -> np.ndarray:
    image = dcmread(path)
    pixels = image.pixel_array
    return (pixels if image.SamplesPerPixel == 3 else apply_modality_lut(pixels, image)).ravel()


async def drawn(page: Any, *points: tuple[float, float]) -> None:
    """Draw with the tool in the hand."""
    await page.mouse.move(*points[0])
    await page.mouse.down()
    for point in points[1:]:
        await page.mouse.move(*point, steps=4)
    await page.mouse.up()


async def measurements(page: Any) -> list[dict[str, Any]]:
    return list(await page.evaluate("window.charruaViewer.measurements()"))


async def test_a_doctor_opens_a_ct_and_measures_in_millimetres_of_the_patient(modality, open_browser) -> None:
    await modality.give(*HEAD)
    image = dcmread(HEAD[0], stop_before_pixels=True)
    page = await opened(await open_browser("Radiologist"), image.StudyInstanceUID)
    await page.keyboard.press("l")
    await drawn(page, (600, 300), (840, 480))
    await page.get_by_role("button", name="Length").first.wait_for()
    [length] = await measurements(page)
    (x1, y1), (x2, y2) = length["points"]
    high, wide = image.PixelSpacing
    expected = math.hypot((x2 - x1) * wide, (y2 - y1) * high)
    [value] = length["values"]
    assert (value["name"], value["unit"]) == ("length", "mm")
    assert value["value"] == pytest.approx(expected, rel=1e-6)
    assert 20 < expected < 400
    assert np.array_equal(await values(page, HEAD[0]), stored(HEAD[0]))
    # A lossy picture is not measured on.
    await page.keyboard.press("u")
    await page.keyboard.press("l")
    await page.get_by_text("Measuring is off").wait_for()


async def test_without_webgl_images_are_drawn_all_the_same(modality, archive, browser_at) -> None:
    await modality.give(*HEAD[:3])
    study = dcmread(HEAD[0], stop_before_pixels=True).StudyInstanceUID
    page = await opened(await browser_at(archive, "Radiologist", arguments=WITHOUT_WEBGL), study)
    brightest = """() => {
        const canvas = document.querySelector(".view canvas");
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return Math.max(...data.filter((_, at) => at % 4 === 0 && at % 64 === 0));
    }"""
    await until(lambda: page.evaluate(f"({brightest})() >= 200"), 20)
    await page.keyboard.press("m")
    await page.get_by_text("Reconstruction needs WebGL").wait_for()


# Each in another transfer syntax; what the browser cannot decode exactly, the server does.
SYNTAXES = [
    "ts/wg04-CT1/CT1_RLE",
    "ts/wg04-CT1/CT1_J2KR",
    "ts/wg04-US1/US1_UNC",
    "ts/wg04-VL1/VL1_J2KR",
    "ts/evrbe/MR_small_bigendian.dcm",
    "ts/jpeg-baseline/SC_rgb_dcmtk__eb_cr.dcm",
    "modality/us/YBR_FULL-RLE.dcm",
]


async def test_images_of_all_transfer_syntaxes_have_the_values_that_are_stored(modality, open_browser) -> None:
    """Every day has its half of them."""
    paths = [DATA / name for name in SYNTAXES if is_todays(name, parts=2)]
    await modality.give(*paths)
    page = await open_browser("Radiologist")
    for path in paths:
        await opened(page, dcmread(path, stop_before_pixels=True).StudyInstanceUID)
        assert np.array_equal(await values(page, path), stored(path)), path


async def moved(position: Any) -> bool:
    return await position.input_value() not in ("0", "1")


async def test_frames_play_in_colour_and_stop(modality, open_browser) -> None:
    path = DATA / "ts" / "jpeg-baseline" / "examples_ybr_color.dcm"
    await modality.give(path)
    page = await opened(await open_browser("Radiologist"), dcmread(path, stop_before_pixels=True).StudyInstanceUID)
    position = page.get_by_label("Position in the stack")
    await page.keyboard.press("Space")
    await until(lambda: moved(position), 20)
    await page.keyboard.press("k")
    await asyncio.sleep(0.3)
    stopped = await position.input_value()
    await asyncio.sleep(0.5)
    assert await position.input_value() == stopped
    assert await page.evaluate("window.charruaViewer.pictures") == 0  # decoded here, not drawn by the server
