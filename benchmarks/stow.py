"""STOW-RS: MB/s and processor time of CT in one request and in several at once, and memory while a large object comes in."""

from __future__ import annotations

import contextlib
import http.client
import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from benchmarks import objects
from benchmarks.contestants import Contestant
from benchmarks.huge_object import FRAME_BYTES, part10
from benchmarks.objects import Numbered, Template, numbered
from benchmarks.processes import forget_peaks
from benchmarks.results import Results
from benchmarks.turns import interleaved

Answer = dict[str, Any]
CONTESTANTS = ("charrua", "orthanc-web", "orthanc-web-nosync")
BOUNDARY = "benchmark-of-many-objects"
CONTENT_TYPE = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'
_PART = f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
_END = f"--{BOUNDARY}--\r\n".encode()
_LARGE_BYTES = 1500 << 20


class Trial(NamedTuple):
    """One load: how many objects, over how many requests at once."""

    title: str
    template: Callable[[], Template]
    objects: int
    clients: int


TRIALS = (
    Trial("STOW, 200 CT in one request", objects.ct, 200, 1),
    Trial("STOW, 4 clients of 50 CT", objects.ct, 200, 4),
    Trial("STOW, 400 SR in one request", objects.sr, 400, 1),
)


def measure_stow(results: Results, names: Sequence[str], repeats: int, scale: float) -> None:
    """Run every trial, then store an object of 1.5 GB; `scale` below 1 sends less."""

    def turn(contestant: Contestant) -> None:
        token = contestant.authorization()
        stow(contestant, token, _files(objects.ct(), 60, 4))
        for number, trial in enumerate(TRIALS):
            _try(results, contestant, token, trial, run=61 + number, scale=scale)
        _large(results, contestant, token, int(_LARGE_BYTES * scale))

    interleaved(names, repeats, turn)


def _files(template: Template, run: int, count: int) -> list[bytes]:
    file = template.file()
    return [bytes(file.of(one)) for one in numbered(run, count)]


def _try(results: Results, contestant: Contestant, token: str, trial: Trial, run: int, scale: float) -> None:
    files = _files(trial.template(), run, max(trial.clients, int(trial.objects * scale)))
    shares = [files[number :: trial.clients] for number in range(trial.clients)]
    before, start = contestant.usage(), time.perf_counter()
    with ThreadPoolExecutor(trial.clients) as pool:
        list(pool.map(lambda share: stow(contestant, token, share), shares))
    seconds, after = time.perf_counter() - start, contestant.usage()
    results.add(f"{trial.title}: MB/s", contestant.name, sum(map(len, files)) / 1e6 / seconds)
    results.add(f"{trial.title}: objects/s", contestant.name, len(files) / seconds)
    cpu_ms = (after.whole_cpu_ms - before.whole_cpu_ms) / len(files)
    results.add(f"{trial.title}: CPU ms/object", contestant.name, cpu_ms)


def _large(results: Results, contestant: Contestant, token: str, size: int) -> None:
    """A multi-frame object that nobody holds as a whole."""
    frames = size // FRAME_BYTES
    forget_peaks(contestant.pids())
    idle, start = contestant.usage(), time.perf_counter()
    length, pieces = part10(Numbered(70, 1, 1, 1), frames)
    send(contestant, token, len(_PART) + length + 2 + len(_END), _framed(pieces))
    seconds, peak = time.perf_counter() - start, contestant.usage()
    results.add("STOW, an object of 1.5 GB: MB/s", contestant.name, length / 1e6 / seconds)
    results.add("STOW, an object of 1.5 GB: MiB over idle", contestant.name, peak.peak_mib - idle.peak_mib)


def _framed(pieces: Iterator[bytes]) -> Iterator[bytes]:
    yield _PART
    yield from pieces
    yield b"\r\n" + _END


def stow(contestant: Contestant, token: str, files: Sequence[bytes]) -> None:
    """Store the files by one request; raises AssertionError when one of them is not stored."""
    answer(contestant, token, files, takes=(200,))


def answer(
    contestant: Contestant, token: str, files: Sequence[bytes], takes: Sequence[int] = (200, 202, 409)
) -> Answer:
    """Send the files by one request; give what is answered, DICOM JSON. AssertionError where that is another status."""
    pieces = [piece for file in files for piece in (_PART, file, b"\r\n")] + [_END]
    return send(contestant, token, sum(map(len, pieces)), iter(pieces), takes)


def stored(told: Answer) -> list[str]:
    """The SOP Instance UIDs that an answer names as stored."""
    return [item["00081155"]["Value"][0] for item in told.get("00081199", {}).get("Value", [])]


def failed(told: Answer) -> dict[str, str]:
    """The SOP Instance UIDs that it names as refused, and why: 4 hexadecimal digits."""
    items = told.get("00081198", {}).get("Value", [])
    return {item["00081155"]["Value"][0]: f"{item['00081197']['Value'][0]:04x}" for item in items}


def send(
    contestant: Contestant, token: str, length: int, pieces: Iterator[bytes], takes: Sequence[int] = (200,)
) -> Answer:
    """Send one request; give what is answered."""
    connection = http.client.HTTPConnection("127.0.0.1", contestant.web_port, timeout=900)
    headers = {"Content-Type": CONTENT_TYPE, "Content-Length": str(length), "Accept": "application/dicom+json"}
    if token:
        headers["Authorization"] = token
    with contextlib.closing(connection):
        connection.request("POST", f"{contestant.web}/studies", pieces, headers)
        response = connection.getresponse()
        content = response.read()
    if response.status not in takes:
        raise AssertionError(f"{contestant.name}: {response.status} {content[:500]!r}")
    told: Answer = json.loads(content)
    return told
