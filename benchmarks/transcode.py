"""Transcoding file to file: Charrua's own beside DCMTK's and GDCM's converters, one syntax after the other, in turns.

    python -m benchmarks.transcode --frames 60 --repeat 3

One multi-frame image a kind, so that starting a program costs little beside what it does. The figures are megabytes of
native pixels a second, and processor milliseconds a megabyte of all processes together.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy

from benchmarks.processes import own_cpu_ms
from benchmarks.results import Results, figures_table
from charrua_core.archive.datasets.part10 import file_meta, read_file_meta
from charrua_core.archive.datasets.source import SegmentSource
from charrua_core.imaging.codecs import DECODERS, ENCODERS, Codecs, syntaxes
from charrua_core.imaging.transcode import transcoded
from charrua_core.imaging.workers import Imaging
from charrua_core.testing.objects import an_object, part10
from charrua_core.types import Arrival, FileRange, Origin

_COPIED_AT_ONCE = 1 << 20
_SETTINGS: dict[str, Any] = {
    "imaging_workers": None,
    "imaging_timeout": timedelta(seconds=60),
    "imaging_memory_bytes": 2 << 30,
}


@dataclass(frozen=True)
class Syntax:
    """A transfer syntax and the commands that encode and decode it, without the names of the files; None: there is none."""

    name: str
    uid: str
    dcmtk: tuple[Sequence[str], Sequence[str]] | None = None
    gdcm: Sequence[str] | None = None


SYNTAXES = (
    Syntax("RLE", syntaxes.RLE, (["dcmcrle"], ["dcmdrle"]), ["gdcmconv", "--rle"]),
    Syntax(
        "JPEG Lossless SV1", syntaxes.JPEG_LOSSLESS_SV1, (["dcmcjpeg", "+e1"], ["dcmdjpeg"]), ["gdcmconv", "--jpeg"]
    ),
    Syntax("JPEG-LS", syntaxes.JPEG_LS, (["dcmcjpls"], ["dcmdjpls"]), ["gdcmconv", "--jpegls"]),
    Syntax("JPEG 2000", syntaxes.JPEG_2000_LOSSLESS, None, ["gdcmconv", "--j2k"]),
    Syntax("HTJ2K", syntaxes.HTJ2K_LOSSLESS),
)


def ct(frames: int) -> bytes:
    """An image of 512 × 512 pixels of 12 bits: a body with noise, another in each frame."""
    y, x = numpy.mgrid[-1:1:512j, -1:1:512j]
    body = numpy.where(x**2 + 1.4 * y**2 < 0.8, 1000 + 400 * numpy.sin(9 * x) * numpy.cos(7 * y), 24)
    noise = numpy.random.default_rng(1).normal(0, 12, (frames, 512, 512))
    pixels = numpy.clip(body + noise, 0, 4095).astype("<u2")
    image = an_object(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.7.3",
        Rows=512,
        Columns=512,
        NumberOfFrames=frames,
        PixelData=pixels.tobytes(),
    )
    return part10(image)


async def ours(imaging: Imaging, source: Path, wanted: str, target: Path) -> None:
    """Transcode a file into another."""
    meta = read_file_meta(source)
    data_set = FileRange(source, meta.dataset_offset, _size(source) - meta.dataset_offset)
    spill = target.with_suffix(".spill")
    async with transcoded(imaging, [data_set], meta.transfer_syntax_uid, wanted, lambda: spill) as made:
        arrival = Arrival("0" * 32, datetime.now(UTC), Origin("cli"))
        head = file_meta(meta.sop_class_uid, made.sop_instance_uid, wanted, arrival)
        await asyncio.to_thread(_write, target, head, made.segments)


def _size(path: Path) -> int:
    return path.stat().st_size


def _write(target: Path, head: bytes, segments: Sequence[bytes | FileRange]) -> None:
    with target.open("wb") as file, SegmentSource(segments) as whole:
        file.write(head)
        for at in range(0, whole.size, _COPIED_AT_ONCE):
            file.write(whole.read(at, _COPIED_AT_ONCE))


class Bench:
    """One file of native pixels, and what everybody makes of it."""

    def __init__(self, folder: Path, frames: int, results: Results) -> None:
        self.native, self.folder, self.results = folder / "native.dcm", folder, results
        self.native.write_bytes(ct(frames))
        self.megabytes = frames * 512 * 512 * 2 / 1e6

    def run(self, syntax: Syntax) -> None:
        """Let everybody encode, then everybody decode what Charrua has encoded."""
        encoded = self.folder / "encoded.dcm"
        self._charrua(f"encode {syntax.name}", self.native, syntax.uid, encoded)
        self._others(f"encode {syntax.name}", syntax, 0, self.native)
        self._charrua(f"decode {syntax.name}", encoded, syntaxes.EXPLICIT_LITTLE_ENDIAN, self.folder / "back.dcm")
        self._others(f"decode {syntax.name}", syntax, 1, encoded)

    def _charrua(self, what: str, source: Path, wanted: str, target: Path) -> None:
        async def run() -> None:
            imaging = Imaging(_SETTINGS, Codecs.of(DECODERS, ENCODERS))
            await ours(imaging, source, wanted, target)  # starts the processes and their codecs, as an archive has them
            with self._noted(what, "charrua"):
                await ours(imaging, source, wanted, target)
            await imaging.close()

        asyncio.run(run())

    def _others(self, what: str, syntax: Syntax, way: int, source: Path) -> None:
        if syntax.dcmtk is not None:
            self._program(what, "dcmtk", [*syntax.dcmtk[way], str(source), str(self.folder / "dcmtk.dcm")])
        if syntax.gdcm is not None:
            command = syntax.gdcm if way == 0 else ["gdcmconv", "--raw"]
            self._program(what, "gdcm", [*command, str(source), str(self.folder / "gdcm.dcm")])

    def _program(self, what: str, name: str, command: Sequence[str]) -> None:
        with self._noted(what, name):
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    @contextmanager
    def _noted(self, what: str, name: str) -> Iterator[None]:
        began, spent = time.perf_counter(), own_cpu_ms()
        yield
        seconds = time.perf_counter() - began
        self.results.add(f"{what}, MB/s", name, self.megabytes / seconds)
        self.results.add(f"{what}, processor ms/MB", name, (own_cpu_ms() - spent) / self.megabytes)


def main() -> None:
    """Run it and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=60, help="frames of the image, 0.52 MB each")
    parser.add_argument("--repeat", type=int, default=3)
    given = parser.parse_args()
    results = Results()
    with tempfile.TemporaryDirectory(prefix="charrua-bench-") as folder:
        bench = Bench(Path(folder), given.frames, results)
        for _ in range(given.repeat):
            for syntax in SYNTAXES:
                bench.run(syntax)
    print(figures_table(results))


if __name__ == "__main__":
    main()
