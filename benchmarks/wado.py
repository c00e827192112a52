"""WADO-RS on one archive of CT: a study's MB/s, the metadata of a series of 1,000, frames and rendered images a second.

Each contestant is filled by C-STORE and asked by `wrk`, from one thread over one or four connections. nginx serves files
that hold what a DICOMweb server would answer.
"""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from pydicom import dcmread

from benchmarks import objects
from benchmarks.contestants import Contestant, Nginx
from benchmarks.objects import Numbered, numbered
from benchmarks.results import Results
from benchmarks.sending import send
from benchmarks.turns import interleaved

CONTESTANTS = ("charrua", "orthanc-web", "nginx")
SLICES, IN_SERIES = 200, 1000
FRAMES = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'
FILES = 'multipart/related; type="application/dicom"; transfer-syntax=*'
JSON = "application/dicom+json"
_STUDY_RUN, _SERIES_RUN = 81, 82
_RATE = re.compile(r"Requests/sec:\s+([\d.]+)")
_MEDIAN = re.compile(r"50%\s+([\d.]+)(us|ms|s)")
_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


@dataclass(frozen=True)
class Question:
    """What is asked for: the paths, in turn, and what is accepted."""

    title: str
    paths: Sequence[str]
    accept: str
    connections: int
    seconds: float


def measure_wado(results: Results, names: Sequence[str], repeats: int, scale: float) -> None:
    """Fill each contestant and ask it every question; `scale` below 1 stores and asks less."""

    def turn(contestant: Contestant) -> None:
        slices, in_series = max(2, int(SLICES * scale)), max(10, int(IN_SERIES * scale))
        study = list(numbered(_STUDY_RUN, slices, per_series=slices))
        series = list(numbered(_SERIES_RUN, in_series, per_series=in_series, per_study=in_series))
        authorization = contestant.authorization()
        if isinstance(contestant, Nginx):
            ask = _questions_of_files(contestant, study, series, scale)
        else:
            send(contestant.address, contestant.aet, objects.ct(), study)
            send(contestant.address, contestant.aet, objects.sr(), series)
            ask = _questions(contestant, study, series, scale)
        for question in ask:
            _ask(results, contestant, authorization, question)

    interleaved(names, repeats, turn)


def _path(contestant: Contestant, one: Numbered, levels: int) -> str:
    names = ("studies", "series", "instances")
    return contestant.web + "".join(f"/{names[n]}/{one.uid(n + 1)}" for n in range(levels))


def _questions(
    contestant: Contestant, study: Sequence[Numbered], series: Sequence[Numbered], scale: float
) -> Iterator[Question]:
    whole = [_path(contestant, study[0], 1)]
    slices = [_path(contestant, one, 3) for one in study]
    yield Question("WADO-RS study, 1 client", whole, FILES, 1, 6 * scale)
    yield Question("WADO-RS study, 4 clients", whole, FILES, 4, 6 * scale)
    yield Question("WADO-RS metadata of 1,000", [_path(contestant, series[0], 2) + "/metadata"], JSON, 1, 6 * scale)
    yield Question("WADO-RS metadata of 200 CT", [_path(contestant, study[0], 2) + "/metadata"], JSON, 1, 4 * scale)
    yield Question("WADO-RS frames, 4 clients", [f"{path}/frames/1" for path in slices], FRAMES, 4, 5 * scale)
    yield Question("WADO-RS frames, 1 client", [f"{path}/frames/1" for path in slices], FRAMES, 1, 5 * scale)
    yield Question("WADO-RS rendered, 1 client", [f"{path}/rendered" for path in slices], "image/jpeg", 1, 5 * scale)


def _questions_of_files(
    nginx: Nginx, study: Sequence[Numbered], series: Sequence[Numbered], scale: float
) -> Iterator[Question]:
    file, pixels = objects.ct().file(), objects.ct().pixels
    whole = [nginx.put("study", b"".join(_part(bytes(file.of(one)), "application/dicom") for one in study))]
    yield Question("WADO-RS study, 1 client", whole, "*/*", 1, 6 * scale)
    yield Question("WADO-RS study, 4 clients", whole, "*/*", 4, 6 * scale)
    report = objects.sr().file()
    metadata = nginx.put("metadata", _metadata(lambda one: bytes(report.of(one)), series))
    yield Question("WADO-RS metadata of 1,000", [metadata], "*/*", 1, 6 * scale)
    metadata = nginx.put("metadata-ct", _metadata(lambda one: bytes(file.of(one)), study))
    yield Question("WADO-RS metadata of 200 CT", [metadata], "*/*", 1, 4 * scale)
    frame = _part(pixels, "application/octet-stream")
    frames = [nginx.put(f"frame-{one.instance}", frame) for one in study]
    yield Question("WADO-RS frames, 4 clients", frames, "*/*", 4, 5 * scale)
    yield Question("WADO-RS frames, 1 client", frames, "*/*", 1, 5 * scale)


def _part(content: bytes, media_type: str) -> bytes:
    return f"--boundary\r\nContent-Type: {media_type}\r\n\r\n".encode() + content + b"\r\n"


def _metadata(file_of: Callable[[Numbered], bytes], which: Sequence[Numbered]) -> bytes:
    datasets = (dcmread(BytesIO(file_of(one)), stop_before_pixels=True).to_json_dict() for one in which)
    return json.dumps(list(datasets)).encode()


def _ask(results: Results, contestant: Contestant, authorization: str, question: Question) -> None:
    headers = {"Accept": question.accept, **({"Authorization": authorization} if authorization else {})}
    start = time.perf_counter()
    length = _one(contestant, question.paths[0], headers)
    first_ms = (time.perf_counter() - start) * 1000
    before = contestant.usage().whole_cpu_ms
    rate, median_ms = _wrk(contestant, question, headers)
    spent = contestant.usage().whole_cpu_ms - before
    name = contestant.name
    if "study" in question.title:
        results.add(f"{question.title}: MB/s", name, rate * length / 1e6)
        results.add(f"{question.title}: CPU ms/MB", name, spent / max(rate * question.seconds * length / 1e6, 1e-9))
        return
    results.add(f"{question.title}: a second", name, rate)
    results.add(f"{question.title}: p50 ms", name, median_ms)
    if "metadata" in question.title:
        results.add(f"{question.title}: first ms", name, first_ms)


def _one(contestant: Contestant, path: str, headers: dict[str, str]) -> int:
    """Bytes of one answer; AssertionError where it is none."""
    connection = http.client.HTTPConnection("127.0.0.1", contestant.web_port, timeout=300)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    if answer.status != 200:
        raise AssertionError(f"{contestant.name}: {path}: {answer.status} {content[:500]!r}")
    return len(content)


def _wrk(contestant: Contestant, question: Question, headers: dict[str, str]) -> tuple[float, float]:
    """Answers a second, and the median of their milliseconds."""
    paths = ",".join(json.dumps(path) for path in question.paths)
    script = f"local n, paths = 0, {{{paths}}}\nfunction request() n = n % #paths + 1; return wrk.format('GET', paths[n]) end"
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "paths.lua").write_text(script)
        command = ["wrk", "-t1", f"-c{question.connections}", f"-d{max(1, round(question.seconds))}s", "--latency"]
        command += ["--timeout", "60s", "-s", f"{folder}/paths.lua"]
        command += [text for name, value in headers.items() for text in ("-H", f"{name}: {value}")]
        command.append(f"http://127.0.0.1:{contestant.web_port}")
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rate, median = _RATE.search(told), _MEDIAN.search(told)
    if rate is None or median is None or "Non-2xx" in told:
        raise AssertionError(f"{contestant.name}: {question.title}: {told}")
    return float(rate[1]), float(median[1]) * _MS[median[2]]
