"""Damaged code streams at speed, through the real pool of worker processes and every decoder.

`python -m benchmarks.fuzz_codecs [--count 50000] [--seconds 600] [--seed 1] [--workers 2] [--timeout 10]`: frames of every
transfer syntax, made by core's own encoders and, where `CHARRUA_TEST_DATA` has them, taken from real files, are cut, flipped,
swapped, lengthened and given lying headers, then decoded. Beside them, well-behaved frames are decoded and timed. Prints a
line for each decoder and one for all; the exit status is 1 if a call failed with anything but an error of the imaging family,
waited longer than it may, or a well-behaved frame was refused or came out wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import logging
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import numpy as np
import pydicom
from pydicom.encaps import get_frame

from charrua_core.errors import CharruaError, ImagingFailed
from charrua_core.imaging import PixelFormat
from charrua_core.imaging.codecs import DECODERS, ENCODERS, Codecs, decode_frame, encode_frame, encoded_format, syntaxes
from charrua_core.imaging.workers import LONGEST_WAIT_S, Imaging

DATA = Path(os.environ.get("CHARRUA_TEST_DATA", "../shared/data"))
LARGEST_REAL_FRAME = 40_000  # bytes: larger ones tell nothing more, and take longer
START_OF_PROCESS_S = 10.0  # what a caller may wait beyond its own time, while a killed process is replaced
_NAMES = {uid: name for name, uid in vars(syntaxes).items() if isinstance(uid, str) and uid.startswith("1.2.840")}
_KINDS = (
    (8, 8, 0, 1, "MONOCHROME2"),
    (16, 12, 0, 1, "MONOCHROME2"),
    (16, 12, 1, 1, "MONOCHROME2"),
    (8, 8, 0, 3, "RGB"),
)
_NASTY = (0, 1, 2, 0x7F, 0x80, 0xFE, 0xFF)


@dataclass(frozen=True)
class Sample:
    """A whole frame of a transfer syntax."""

    name: str
    data: bytes
    pixel_format: PixelFormat


def made_samples() -> Iterator[Sample]:
    """Give small frames of every syntax that core encodes."""
    for uid, name in _NAMES.items():
        for allocated, stored, signed, samples, photometric in _KINDS:
            plain = PixelFormat(
                syntaxes.EXPLICIT_LITTLE_ENDIAN, 48, 40, samples, allocated, stored, stored - 1, signed, photometric
            )
            pixels = np.random.default_rng(1).integers(0, 1 << (stored - 1), plain.shape).cumsum(1) % (
                1 << (stored - 1)
            )
            try:
                encoded = encode_frame(pixels.astype(plain.dtype), plain, uid)
                yield Sample(name, encoded, encoded_format(plain, uid))
            except CharruaError:
                continue  # not every syntax takes every kind


def real_samples() -> Iterator[Sample]:
    """Give first frames of the real files that are encapsulated, none where there are no such files."""
    if not (DATA / "MANIFEST.csv").exists():
        return
    with (DATA / "MANIFEST.csv").open() as manifest:
        rows = [row for row in csv.DictReader(manifest) if row["transfer_syntax_uid"] in _NAMES and row["rows"]]
    for row in rows:
        uid = row["transfer_syntax_uid"]
        if uid in syntaxes.NATIVE or row["state"] == "broken":
            continue
        dataset = pydicom.dcmread(DATA / row["path"], force=True)
        pixel_format = PixelFormat.from_dataset(dataset, uid)
        frame = get_frame(dataset.PixelData, 0, number_of_frames=pixel_format.number_of_frames)
        if len(frame) <= LARGEST_REAL_FRAME:
            yield Sample(_NAMES[uid], frame, pixel_format)


class Damage:
    """Does damage to frames."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)

    def to(self, sample: Sample) -> bytes:
        """Give the frame with one to four damages, mostly with its end marker where it had one, which guards look for."""
        chance = self._chance
        data = bytearray(sample.data)
        for _ in range(chance.randint(1, 4)):
            self._once(data)
        if sample.data.rstrip(b"\0\xff").endswith(b"\xd9") and chance.random() < 0.8:
            data += b"\xff\xd9"
        return bytes(data)

    def _once(self, data: bytearray) -> None:
        chance = self._chance
        at = (
            chance.randrange(min(len(data), 200)) if data and chance.random() < 0.5 else chance.randrange(len(data) + 1)
        )
        size = chance.choice((1, 1, 2, 4, 16, 200))
        how = chance.randrange(6)
        if how == 0:
            data[at : at + 1] = bytes((chance.choice(_NASTY),))
        elif how == 1:
            data[at : at + size] = chance.randbytes(size)
        elif how == 2:
            del data[at : at + size]
        elif how == 3:
            del data[chance.randrange(len(data) + 1) :]
        elif how == 4:
            data[at:at] = data[:size]
        elif data:
            data[at % len(data)] ^= 1 << chance.randrange(8)


@dataclass
class Findings:
    """What came of it."""

    outcomes: dict[str, Counter[str]] = field(default_factory=dict)
    """Syntax → class of the error, or "decoded" → how often."""
    longest_s: float = 0.0
    good: int = 0
    longest_good_s: float = 0.0
    failures: list[str] = field(default_factory=list)

    def note(self, name: str, outcome: str, seconds: float) -> None:
        """Count one damaged frame."""
        self.outcomes.setdefault(name, Counter())[outcome] += 1
        self.longest_s = max(self.longest_s, seconds)

    @property
    def count(self) -> int:
        """How many damaged frames there were."""
        return sum(counter.total() for counter in self.outcomes.values())


async def _damaged(
    imaging: Imaging, samples: list[Sample], seed: int, findings: Findings, count: int, until: float
) -> None:
    damage = Damage(seed)
    for number in range(count):
        if time.monotonic() > until:
            return
        sample = samples[(number + seed) % len(samples)]
        data, began = damage.to(sample), time.monotonic()
        try:
            await imaging.run(decode_frame, data, sample.pixel_format)
            outcome = "decoded"
        except ImagingFailed as error:
            outcome = "ImagingFailed"
            findings.failures.append(f"{sample.name}: {error}")
        except CharruaError as error:
            outcome = type(error).__name__
        findings.note(sample.name, outcome, time.monotonic() - began)


async def _well_behaved(imaging: Imaging, samples: list[Sample], findings: Findings) -> None:
    whole = [(sample, decode_frame(sample.data, sample.pixel_format)) for sample in samples]
    while True:
        for sample, wanted in whole:
            began = time.monotonic()
            try:
                decoded = await imaging.run(decode_frame, sample.data, sample.pixel_format)
                if not np.array_equal(decoded.pixels, wanted.pixels):
                    findings.failures.append(f"{sample.name}: a whole frame came out wrong")
            except CharruaError as error:
                findings.failures.append(f"{sample.name}: a whole frame: {type(error).__name__}: {error}")
            findings.good += 1
            findings.longest_good_s = max(findings.longest_good_s, time.monotonic() - began)
            await asyncio.sleep(0.1)


async def fuzz(options: argparse.Namespace) -> tuple[Findings, Imaging]:
    """Decode damaged frames until there were enough or the time is up."""
    made = list(made_samples())
    samples = [*made, *real_samples()]
    settings = {
        "imaging_workers": options.workers,
        "imaging_timeout": timedelta(seconds=options.timeout),
        "imaging_memory_bytes": 2 << 30,
    }
    imaging, findings = Imaging(settings, Codecs.of(DECODERS, ENCODERS)), Findings()
    until, parallel = time.monotonic() + options.seconds, 2 * options.workers
    watching = asyncio.create_task(_well_behaved(imaging, made, findings))
    share = options.count // parallel
    seeds = [options.seed * 1000 + number for number in range(parallel)]
    await asyncio.gather(*(_damaged(imaging, samples, seed, findings, share, until) for seed in seeds))
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    await imaging.close()
    return findings, imaging


def _report(findings: Findings, imaging: Imaging, options: argparse.Namespace, elapsed_s: float) -> int:
    allowed_s = LONGEST_WAIT_S + options.timeout + START_OF_PROCESS_S
    if findings.longest_s > allowed_s:
        findings.failures.append(f"a call took {findings.longest_s:.1f} s")
    for name, outcomes in sorted(findings.outcomes.items()):
        print(f"{name:24} {outcomes.total():6}  " + ", ".join(f"{kind} {n}" for kind, n in outcomes.most_common()))
    figures = imaging.figures
    print(
        f"{findings.count} damaged frames in {elapsed_s:.0f} s ({findings.count / elapsed_s:.0f}/s), longest call "
        f"{findings.longest_s:.1f} s; {figures.timeouts} hangs and {figures.crashes} crashes of {figures.started} processes, "
        f"{figures.poisoned} refused as poison; {findings.good} whole frames, longest {findings.longest_good_s:.1f} s; "
        f"{'; '.join(findings.failures[:10]) or 'nothing failed that should not'}"
    )
    return 1 if findings.failures else 0


def main() -> int:
    """Fuzz what is asked for."""
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.fuzz_codecs", description=__doc__)
    arguments.add_argument("--count", type=int, default=50_000, help="damaged frames at most")
    arguments.add_argument("--seconds", type=float, default=600.0, help="time at most")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--workers", type=int, default=2, help="processes of the pool")
    arguments.add_argument("--timeout", type=float, default=10.0, help="seconds that a frame may take")
    options = arguments.parse_args()
    logging.getLogger("charrua_core").setLevel(logging.CRITICAL)  # what dies is counted
    print(f"seed {options.seed}")
    began = time.monotonic()
    findings, imaging = asyncio.run(fuzz(options))
    return _report(findings, imaging, options, time.monotonic() - began)


if __name__ == "__main__":
    sys.exit(main())
