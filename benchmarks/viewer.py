"""The viewer with a series of 500 slices: click to first image, to all images, and images a second while scrolling.

Ours on Charrua beside OHIF on Orthanc, each in headless Chromium on the same machine, with the browser's cache cold, then
warm. OHIF is the build of `charrua_ohif`, served by nginx, which hands what is asked of DICOMweb on to Orthanc. Both draw on
a canvas, which is looked at in the same way: an image is there once the canvas is not of one colour.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import Dataset

from benchmarks.contestants import Charrua, Contestant, OrthancWeb
from benchmarks.isolation import free_port
from benchmarks.results import Results
from benchmarks.turns import interleaved
from charrua_core.testing.objects import an_object, part10

CONTESTANTS = ("charrua", "orthanc-web")
SLICES, SIDE = 500, 512
STUDY, SERIES = "1.2.826.0.1.3680043.10.1.500", "1.2.826.0.1.3680043.10.1.500.1"
WAIT_MS = 180_000
SCROLL_S = 5.0
_IS_DRAWN = """() => [...document.querySelectorAll('canvas')].some(canvas => {
  if (canvas.width < 200 || !canvas.isConnected) return false;
  const context = canvas.getContext('2d'); if (!context) return false;
  const pixel = part => context.getImageData(canvas.width * part | 0, canvas.height * part | 0, 1, 1).data;
  const at = [0.3, 0.4, 0.5, 0.6, 0.7].map(pixel);
  return at.some(one => one[0] + one[1] + one[2] > 30) && new Set(at.map(one => one.join())).size > 1;
})"""
_COUNT_DRAWN = """(seconds) => new Promise(resolve => {
  const canvas = [...document.querySelectorAll('canvas')].filter(one => one.width > 200 && one.getContext('2d'))[0];
  const context = canvas.getContext('2d', {willReadFrequently: true});
  const end = performance.now() + seconds * 1000; let before = '', drawn = 0;
  const look = () => {
    const row = context.getImageData(0, canvas.height >> 1, canvas.width, 1).data; let sum = '';
    for (let at = 0; at < row.length; at += 16) sum += String.fromCharCode(row[at]);
    if (sum !== before) { drawn++; before = sum; }
    if (performance.now() < end) requestAnimationFrame(look); else resolve(drawn / seconds);
  };
  requestAnimationFrame(look);
})"""


@dataclass(frozen=True)
class Viewer:
    """Where a viewer is, and who may open it."""

    url: str
    path: str
    person: tuple[str, str] | None


def measure_viewer(results: Results, names: Sequence[str], repeats: int, scale: float) -> None:
    """Store the series and open it."""
    slices = max(20, int(SLICES * scale))
    with tempfile.TemporaryDirectory() as folder:
        files = _write_series(Path(folder), slices)

        def turn(contestant: Contestant) -> None:
            command = ["storescu", "-aec", contestant.aet, "127.0.0.1", str(contestant.port), "+sd", str(files)]
            subprocess.run(command, check=True, capture_output=True)
            with _viewer(contestant) as viewer:
                asyncio.run(_open(results, contestant.name, viewer, slices))

        interleaved(names, repeats, turn)


def _write_series(folder: Path, slices: int) -> Path:
    """A CT whose slices all differ: a sphere with noise, as compressible as a patient."""
    chance = np.random.default_rng(8)
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    noise = chance.normal(0, 18, (SIDE, SIDE))
    for number in range(slices):
        radius = 60 + 160 * np.sin(np.pi * (number + 1) / (slices + 1))
        inside = (x**2 + y**2) < radius**2
        pixels = (
            np.where(inside, 1040, 24)
            + np.roll(noise, number * 7, axis=0)
            + 300 * ((x // 16 + number // 4) % 8 == 0) * inside
        )
        image = _slice(number, np.clip(pixels, 0, 4095).astype("<u2"))
        (folder / f"{number:04}.dcm").write_bytes(part10(image))
    return folder


def _slice(number: int, pixels: np.ndarray[Any, Any]) -> Dataset:
    return an_object(
        StudyInstanceUID=STUDY,
        SeriesInstanceUID=SERIES,
        SOPInstanceUID=f"{SERIES}.{number + 1}",
        InstanceNumber=str(number + 1),
        Modality="CT",
        Rows=SIDE,
        Columns=SIDE,
        BitsAllocated=16,
        BitsStored=12,
        HighBit=11,
        PixelRepresentation=0,
        SamplesPerPixel=1,
        PhotometricInterpretation="MONOCHROME2",
        RescaleSlope="1",
        RescaleIntercept="-1024",
        WindowCenter="40",
        WindowWidth="400",
        PixelSpacing=["0.7", "0.7"],
        SliceThickness="1",
        ImagePositionPatient=["-179.2", "-179.2", str(number)],
        ImageOrientationPatient=["1", "0", "0", "0", "1", "0"],
        FrameOfReferenceUID=f"{SERIES}.0",
        PixelData=pixels.tobytes(),
    )


@contextlib.contextmanager
def _viewer(contestant: Contestant) -> Iterator[Viewer]:
    if isinstance(contestant, Charrua):
        contestant.authorization()
        yield Viewer(f"http://127.0.0.1:{contestant.web_port}", f"/viewer/{STUDY}", ("bench", contestant.PASSWORD))
        return
    assert isinstance(contestant, OrthancWeb)
    with _ohif(contestant) as url:
        yield Viewer(url, f"/ohif/viewer?StudyInstanceUIDs={STUDY}", None)


@contextlib.contextmanager
def _ohif(orthanc: OrthancWeb) -> Iterator[str]:
    """nginx with OHIF's files, and Orthanc behind it."""
    from charrua_ohif.files import BUILT

    port, folder = free_port(), orthanc.folder / "nginx"
    folder.mkdir()
    temporary = "".join(
        f"{kind}_temp_path {folder}/tmp; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log; user root;\n"
        f"events {{ worker_connections 256; }}\n"
        f"http {{ include /etc/nginx/mime.types; access_log off; sendfile on; gzip on;"
        f" gzip_types text/css application/javascript; {temporary}\n"
        f"server {{ listen 127.0.0.1:{port}; location /ohif/ {{ alias {BUILT}/; try_files $uri /ohif/index.html; }}\n"
        f"location /dicom-web/ {{ proxy_pass http://127.0.0.1:{orthanc.web_port}; proxy_http_version 1.1;"
        f" proxy_buffering off; }} }} }}\n"
    )
    process = subprocess.Popen(["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")])
    try:
        time.sleep(0.5)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


async def _open(results: Results, name: str, viewer: Viewer, slices: int) -> None:
    from charrua_core.testing.browser import chromium, opened

    async with chromium() as browser:
        page = await opened(browser, viewer.url, viewer.person)
        for cache in ("cold", "warm"):
            await page.goto("about:blank")
            answered = _counting(page)
            start = time.perf_counter()
            await page.goto(viewer.path, wait_until="commit")
            await page.wait_for_function(_IS_DRAWN, timeout=WAIT_MS, polling=20)
            results.add(
                f"viewer, {cache} cache: ms from click to first image", name, (time.perf_counter() - start) * 1000
            )
            await _all_came(answered, slices)
            results.add(
                f"viewer, {cache} cache: ms from click to all images", name, (time.perf_counter() - start) * 1000
            )
        await _scroll(results, name, page)


async def _all_came(answered: Callable[[], int], slices: int) -> None:
    for _ in range(WAIT_MS // 20):
        if answered() >= slices:
            return
        await asyncio.sleep(0.02)
    raise RuntimeError(f"{answered()} of {slices} images came")


def _counting(page: Any) -> Callable[[], int]:
    """How many frames have come whole, whatever they were asked for as."""
    frames: set[str] = set()

    def note(request: Any) -> None:
        if "/frames/" in request.url or ("/rendered" in request.url and "thumbnail" not in request.url):
            frames.add(request.url)

    page.on("requestfinished", note)
    return lambda: len(frames)


async def _scroll(results: Results, name: str, page: Any) -> None:
    await page.wait_for_timeout(1500)
    box = await page.locator("canvas").first.bounding_box()
    await page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    counted = asyncio.create_task(page.evaluate(_COUNT_DRAWN, SCROLL_S))
    end = time.perf_counter() + SCROLL_S
    while time.perf_counter() < end:
        await page.mouse.wheel(0, 100)
        await asyncio.sleep(1 / 60)
    results.add("viewer: images a second while scrolling", name, float(await counted))
