"""Renders CT slices and frames of a large object as JPEG, here in process and by Orthanc over HTTP.

`python -m benchmarks.render [--repeat 3]`; prints medians and ratios. Of Charrua the call `imaging.rendering.render` is
measured, index, file, worker process and all, its cache off; what HTTP adds is not in it. Of Orthanc a GET on an open
connection.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import uvloop

from benchmarks import processes, templates
from benchmarks.contestants import OrthancNoDelay
from benchmarks.isolation import free_port, isolate
from benchmarks.objects import Numbered
from benchmarks.results import Results, aligned, figures_table
from charrua_core.app import App, Start
from charrua_core.archive.search import InstanceRecord, Query, instances
from charrua_core.imaging.rendering import render
from charrua_core.types import SYSTEM, Level, Origin

SLICES, FRAMES = 40, 500
PLUGIN = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"
Shot = Callable[[int], Awaitable[bytes]]


@dataclass(frozen=True)
class Way:
    """A way to a picture, and the processes that take part in it."""

    shot: Shot
    processes: Callable[[], list[int]]


class OrthancWeb(OrthancNoDelay):
    """Orthanc with its HTTP server and the DICOMweb plugin; patient and study are not looked up by a database of ours."""

    name = "orthanc"
    http_port: int
    options: ClassVar[dict[str, object]] = {
        **OrthancNoDelay.options,
        "AuthenticationEnabled": False,
        "Plugins": [PLUGIN],
    }

    def command(self) -> list[str]:
        """Write orthanc.json, with the HTTP server on."""
        command = super().command()
        self.http_port = free_port()
        path = Path(command[-1])
        settings = json.loads(path.read_text())
        path.write_text(json.dumps({**settings, "HttpServerEnabled": True, "HttpPort": self.http_port}))
        return command

    def connect(self) -> http.client.HTTPConnection:
        """A connection that stays open."""
        return http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=300)


def phantom(seed: int) -> bytes:
    """A slice that looks like one: a body of 12 bits with organs and noise, as JPEG and caches meet them."""
    noise = np.random.default_rng(seed)
    y, x = np.mgrid[-1:1:512j, -1:1:512j]
    values = np.where((x / 0.8) ** 2 + (y / 0.6) ** 2 < 1, 1060, 24.0)
    for _ in range(12):
        at_x, at_y, size = noise.uniform(-0.5, 0.5, 3)
        values[(x - at_x) ** 2 + (y - at_y) ** 2 < (0.05 + abs(size) / 5) ** 2] += noise.uniform(-400, 600)
    found: bytes = np.clip(values + noise.normal(0, 12, values.shape), 0, 4095).astype("<u2").tobytes()
    return found


def made(number: int, frames: int = 1) -> tuple[str, str, bytes]:
    """SOP class, SOP instance and data set of an object."""
    one = Numbered(7, number, number, number)
    dataset = templates.ct_dataset() if frames == 1 else templates.multi_frame_dataset(frames)
    dataset.WindowCenter, dataset.WindowWidth, dataset.RescaleIntercept, dataset.RescaleSlope = (
        "40",
        "400",
        "-1024",
        "1",
    )
    dataset.PixelData = b"".join(phantom(number + frame % 5) for frame in range(frames))
    encoded = templates.encode(dataset)
    for name, value in one.values().items():
        encoded = encoded.replace(templates.PLACEHOLDERS[name].encode(), value.encode())
    return str(dataset.SOPClassUID), one.uid(3), encoded


@asynccontextmanager
async def charrua(folder: Path, objects: Sequence[tuple[str, str, bytes]]) -> AsyncIterator[dict[str, Way]]:
    """Our calls by what they are called in the table."""
    environment = {"CHARRUA_DATA_DIR": str(folder), "CHARRUA_IMAGE_CACHE_BYTES": "0"}
    async with App.opened(Start({**os.environ, **environment}, (), ())) as app:
        for sop_class, uid, encoded in objects:
            spool = app.ingest.begin(sop_class, uid, templates.EXPLICIT_LITTLE, Origin("import"))
            spool.write(memoryview(encoded))
            await app.ingest.store(spool)
        query = Query(Level.IMAGE, relational=True)
        records = {record.sop_instance_uid: record async for record in instances(app, query, SYSTEM)}
        ordered = [records[uid] for _, uid, _ in objects]
        yield {"charrua": Way(lambda number: _rendered(app, ordered, number), lambda: _ours(folder))}


def _ours(folder: Path) -> list[int]:
    """This process, the database, and imaging's workers; not Orthanc, which is a child, too."""
    own = os.getpid()
    children = [int(pid) for pid in Path(f"/proc/self/task/{own}/children").read_text().split()]
    workers = [pid for pid in children if b"charrua_core.imaging.worker" in _command(pid)]
    return [own, *workers, *processes.family(-1, folder)]


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return b""


async def _rendered(app: App, records: Sequence[InstanceRecord], number: int) -> bytes:
    if number < SLICES:
        return (await render(app, records[number])).data
    return (await render(app, records[SLICES], number - SLICES + 1)).data


@asynccontextmanager
async def orthanc(folder: Path, objects: Sequence[tuple[str, str, bytes]]) -> AsyncIterator[dict[str, Way]]:
    """Orthanc's answers by the interface that gave them."""
    server = OrthancWeb(folder)
    await asyncio.to_thread(server.start)
    threads, connections = ThreadPoolExecutor(2), [server.connect(), server.connect()]
    free = list(connections)

    def get(path: str) -> bytes:
        connection = free.pop()
        try:
            status, data = _get(connection, path)
        finally:
            free.append(connection)
        assert status == 200 and data[:2] == b"\xff\xd8", (path, status, data[:200])
        return data

    def post(content: bytes) -> str:
        connections[0].request("POST", "/instances", content)
        return str(json.loads(connections[0].getresponse().read())["ID"])

    async def shot(path: str) -> bytes:
        return await asyncio.get_running_loop().run_in_executor(threads, get, path)

    try:
        ids = [await asyncio.to_thread(post, templates.file_meta(*one[:2]) + one[2]) for one in objects]
        rest = [f"/instances/{id_}" for id_ in ids]
        web = [await asyncio.to_thread(_web_path, connections[0], id_) for id_ in ids]
        yield {
            "orthanc REST": Way(lambda number: shot(_path(rest, number, 0)), server.pids),
            "orthanc DICOMweb": Way(lambda number: shot(_path(web, number, 1)), server.pids),
        }
    finally:
        await asyncio.to_thread(server.stop)


def _get(connection: http.client.HTTPConnection, path: str) -> tuple[int, bytes]:
    """Once more on a new connection where the server has closed an idle one."""
    for last in (False, True):
        try:
            connection.request("GET", path, headers={"Accept": "image/jpeg"})
            answer = connection.getresponse()
            return answer.status, answer.read()
        except http.client.RemoteDisconnected:
            connection.close()
            if last:
                raise
    raise AssertionError


def _path(paths: Sequence[str], number: int, first_frame: int) -> str:
    if number < SLICES:
        return f"{paths[number]}/rendered"
    return f"{paths[SLICES]}/frames/{number - SLICES + first_frame}/rendered"


def _web_path(connection: http.client.HTTPConnection, id_: str) -> str:
    connection.request("GET", f"/instances/{id_}/tags?simplify")
    tags = json.loads(connection.getresponse().read())
    uids = (tags["StudyInstanceUID"], tags["SeriesInstanceUID"], tags["SOPInstanceUID"])
    return "/dicom-web/studies/{}/series/{}/instances/{}".format(*uids)


async def measure(results: Results, name: str, way: Way, *, cold: bool) -> None:
    """All figures of one turn."""
    shot = way.shot
    await asyncio.gather(shot(0), shot(1))  # processes that must be started, connections that must be made
    if cold:
        results.add("first frame of 500, first time: ms", name, await _ms(shot, SLICES))
    before = processes.usage(way.processes()).whole_cpu_ms
    slices = [await _ms(shot, number) for _ in range(5) for number in range(SLICES)]
    used = processes.usage(way.processes()).whole_cpu_ms - before
    results.add("a CT slice: p50 ms", name, statistics.median(slices))
    results.add("a CT slice: CPU ms", name, used / len(slices))
    frames = [await _ms(shot, SLICES + number) for number in range(1, FRAMES, 150)]
    results.add("another frame of 500: p50 ms", name, statistics.median(frames))
    start = time.perf_counter()
    await asyncio.gather(*(_in_turn(shot, range(first, SLICES, 2)) for first in (0, 1)))
    results.add("two callers: CT slices/s", name, SLICES / (time.perf_counter() - start))


async def _ms(shot: Shot, number: int) -> float:
    start = time.perf_counter()
    await shot(number)
    return (time.perf_counter() - start) * 1000


async def _in_turn(shot: Shot, numbers: Sequence[int]) -> None:
    for number in numbers:
        await shot(number)


async def run(repeats: int) -> Results:
    """Both archives filled once, then measured in turns."""
    results = Results()
    objects = [*(made(number) for number in range(SLICES)), made(SLICES, FRAMES)]
    with tempfile.TemporaryDirectory(prefix="charrua-bench-") as folder:
        async with (
            charrua(Path(folder, "charrua"), objects) as ours,
            orthanc(Path(folder, "orthanc"), objects) as theirs,
        ):
            for turn in range(repeats):
                for name, way in {**ours, **theirs}.items():
                    await measure(results, name, way, cold=turn == 0)
    return results


def ratios(results: Results) -> str:
    """How many times better ours is, for each metric and interface."""
    rows = [["ratio", "orthanc REST", "orthanc DICOMweb"]]
    for metric in results.figures:
        ours = results.median(metric, "charrua") or 0.0
        others = [results.median(metric, name) or 0.0 for name in rows[0][1:]]
        more = metric.endswith("/s")
        rows.append([metric, *(f"{ours / other if more else other / ours:.2f}x" for other in others)])
    return aligned(rows)


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.render", description=__doc__)
    arguments.add_argument("--repeat", type=int, default=3, help="turns, of which the median counts")
    options = arguments.parse_args()
    isolate()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # as `charrua serve` does
        results = runner.run(run(options.repeat))
    print(figures_table(results))
    print("\n" + ratios(results))


if __name__ == "__main__":
    main()
