"""OHIF at its path: nobody without log-in, nothing out of the own sight, nothing from elsewhere, and images on the screen."""

from __future__ import annotations

import os
import re
from functools import partial
from pathlib import Path

import pydicom
import pytest

from charrua_core.testing.outside import DATA, with_data
from charrua_core.testing.waiting import until
from charrua_ohif.choices import is_built
from charrua_ohif.files import BUILT, files_of

pytestmark = [
    pytest.mark.skipif(not is_built(), reason="OHIF was not fetched when charrua_ohif was installed"),
    pytest.mark.settings(use_ohif=True),
]

HTML = {"Accept": "text/html"}
CT, MR = DATA / "series" / "ct-ge-28", DATA / "series" / "mr-16"
"""The slices of the one are tilted, so that nothing can be reconstructed from them."""
WEBGL = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
SHADES = """() => [...document.querySelectorAll("canvas")].filter((canvas) => canvas.width > 200).map((canvas) => {
    const copy = Object.assign(document.createElement("canvas"), { width: 64, height: 64 });
    const brush = copy.getContext("2d");
    brush.drawImage(canvas, 0, 0, 64, 64);
    const shades = new Set();
    const data = brush.getImageData(0, 0, 64, 64).data;
    for (let at = 0; at < data.length; at += 4) shades.add(data[at]);
    return shades.size;
})"""
"""How many shades of grey each large canvas shows."""


@pytest.mark.settings()
async def test_ohif_is_not_there_until_it_is_wanted(browse) -> None:
    client = await browse()
    for path in ("/ohif", "/ohif/", "/ohif/viewer", "/ohif/app-config.js"):
        assert (await client.get(path, headers=HTML)).status_code == 404


async def test_who_is_not_logged_in_is_led_to_the_log_in_and_back(browse) -> None:
    nobody = await browse(None)
    answer = await nobody.get("/ohif/viewer?StudyInstanceUIDs=1.2.3", headers=HTML)
    assert (answer.status_code, answer.headers["location"]) == (
        303,
        "/login?next=/ohif/viewer%3FStudyInstanceUIDs%3D1.2.3",
    )
    assert (await nobody.get("/ohif/app-config.js")).status_code == 401


async def test_the_page_runs_no_script_of_its_own_and_loads_nothing_from_elsewhere(browse) -> None:
    page = await (await browse()).get("/ohif/viewer", headers=HTML)
    assert page.status_code == 200
    policy = dict(part.split(" ", 1) for part in page.headers["content-security-policy"].split("; "))
    assert policy["script-src"] == "'self' 'wasm-unsafe-eval'" and "http" not in str(policy)
    assert all("src=" in script for script in re.findall(r"<script[^>]*>", page.text))
    assert re.findall(r'(?:src|href)="(?!/ohif/)[^"]*"', page.text) == []


async def test_no_source_takes_an_address_from_the_url(browse) -> None:
    config = (await (await browse()).get("/ohif/app-config.js")).text
    code = re.sub(r"/\*.*?\*/|//.*", "", config, flags=re.DOTALL)
    assert re.findall(r"dataSourcesModule\.(\w+)", code) == ["dicomweb"]
    assert not re.search(r"dicomjson|proxy|dangerously|customizationUrlPrefixes|https?:", code)


async def test_files_are_packed_and_kept_where_their_name_says_what_is_in_them(browse) -> None:
    client = await browse()
    page = (await client.get("/ohif/viewer", headers=HTML)).text
    script = re.findall(r'src="(/ohif/app\.bundle\.[^"]+)"', page)[0]
    packed = await client.get(script, headers={"Accept-Encoding": "gzip"})
    assert (packed.headers["content-encoding"], packed.headers["content-type"]) == ("gzip", "text/javascript")
    assert "immutable" in packed.headers["cache-control"]
    assert (await client.get(script, headers={"Accept-Encoding": "identity"})).content == packed.content
    assert "no-cache" in (await client.get("/ohif/app-config.js")).headers["cache-control"]
    again = await client.get(script, headers={"If-None-Match": packed.headers["etag"]})
    assert again.status_code == 304


@pytest.mark.parametrize("path", ["../choices.py", "..%2fchoices.py", "no.js", "app.bundle.css.gz", "%00.js"])
async def test_no_other_file_is_given(browse, path) -> None:
    assert (await (await browse()).get(f"/ohif/{path}")).status_code in (400, 404)


def test_every_script_names_its_path_below_ohif() -> None:
    scripts = [file.path.read_text() for name, file in files_of(BUILT).items() if name.endswith(".js")]
    assert len([one for one in scripts if re.search(r'\.p\s*=\s*"/ohif/"', one)]) == 8
    assert not [one for one in scripts if re.search(r'\.p\s*=\s*"/"', one)]


@with_data
async def test_a_radiologist_looks_at_a_ct_and_at_reconstructions_of_an_mr_in_ohif(
    archive, modality, open_browser
) -> None:
    ct, mr = ([pydicom.dcmread(path) for path in sorted(folder.glob("*.dcm"))] for folder in (CT, MR))
    await modality.give(ct, mr)
    page = await open_browser("Radiologist", arguments=WEBGL)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    await page.goto(f"/ohif/viewer?StudyInstanceUIDs={ct[0].StudyInstanceUID}")
    await until(partial(is_drawn, page, 1), 90)
    await shot(page, "ohif")
    await page.goto(f"/ohif/viewer?StudyInstanceUIDs={mr[0].StudyInstanceUID}&hangingprotocolId=mpr")
    await until(partial(is_drawn, page, 3), 90)
    await shot(page, "ohif-mpr")
    assert {url.split("/")[2] for url in asked if url.startswith("http")} == {archive.url.split("/")[2]}
    assert not any("token" in url.lower() for url in asked)


@with_data
async def test_who_may_not_see_the_study_sees_nothing_of_it_in_ohif(modality, open_browser) -> None:
    image = pydicom.dcmread(CT / "01.dcm")
    await modality.give(image)
    page = await open_browser("Radiologist", {"Modality": ["MR"]}, arguments=WEBGL)
    told = []
    page.on("response", lambda response: told.append((response.url, response.status)))
    await page.goto(f"/ohif/viewer?StudyInstanceUIDs={image.StudyInstanceUID}")
    await page.wait_for_url("**/ohif/notfoundstudy", timeout=90_000)
    await shot(page, "ohif-hidden")
    assert str(image.PatientID) not in await page.inner_text("body")
    assert not [url for url, status in told if "/series/" in url and status == 200]


async def is_drawn(page, canvases: int) -> bool:
    """Whether so many canvases show an image."""
    shown = [shades for shades in await page.evaluate(SHADES) if shades > 20]
    return len(shown) >= canvases


async def shot(page, name: str) -> None:
    """Keep what is on the screen, where somebody wants to look at it."""
    if folder := os.environ.get("CHARRUA_SCREENSHOTS"):
        await page.wait_for_timeout(3000)
        await page.screenshot(path=Path(folder) / f"{name}.png")
