"""Stores a multi-frame object of 4 GB that is made on the way, and watches how much memory the receiver takes.

`python -m benchmarks.huge_object [--target NAME] [--frames 8191]`; prints one line.
"""

from __future__ import annotations

import argparse
import itertools
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from benchmarks import templates, wire
from benchmarks.association import Association
from benchmarks.contestants import ALL, Contestant
from benchmarks.isolation import isolate
from benchmarks.objects import Numbered
from benchmarks.processes import resident_mib
from benchmarks.turns import started

FRAME_BYTES = 512 * 512 * 2
FRAMES_OF_4_GB = 8191  # the most that a defined length of 32 bits can say


def send_multi_frame(contestant: Contestant, frames: int, number: int, timeout_s: float = 900.0) -> float:
    """Store an object of `frames` frames and return the seconds it took; raises AssertionError when it is refused."""
    one = Numbered(4, number, number, number)
    context = wire.Context(templates.MULTI_FRAME_CLASS, (templates.EXPLICIT_LITTLE,))
    start = time.perf_counter()
    with Association(contestant.address, contestant.aet, [context], timeout_s=timeout_s) as association:
        for piece in _message(association, one, frames):
            association.connection.sendall(piece)
        status = int(association.reader.message().command[wire.STATUS])
    assert status == 0, f"object of {frames} frames: status {status:04x}"
    return time.perf_counter() - start


def part10(one: Numbered, frames: int) -> tuple[int, Iterator[bytes]]:
    """The same object as a Part 10 file: its bytes in number, and in pieces."""
    head = templates.file_meta(templates.MULTI_FRAME_CLASS, one.uid(3)) + _header(one, frames)
    return len(head) + frames * FRAME_BYTES, itertools.chain([head], itertools.repeat(templates.ct_pixels(), frames))


def _message(association: Association, one: Numbered, frames: int) -> Iterator[bytes]:
    number = association.context(templates.MULTI_FRAME_CLASS)
    command: wire.Command = {
        wire.AFFECTED_CLASS: templates.MULTI_FRAME_CLASS.encode(),
        wire.COMMAND: 0x0001,
        wire.MESSAGE_ID: 1,
        wire.PRIORITY: 0,
        wire.DATA_SET_TYPE: 0,
        wire.AFFECTED_INSTANCE: one.uid(3).encode(),
    }
    limit = association.max_pdu
    yield wire.p_data(number, wire.encode_command(command), command=True, max_pdu=limit)
    yield wire.p_data(number, _header(one, frames), command=False, max_pdu=limit, last=False)
    frame = wire.p_data(number, templates.ct_pixels(), command=False, max_pdu=limit, last=False)
    for _ in range(frames - 1):
        yield frame
    yield wire.p_data(number, templates.ct_pixels(), command=False, max_pdu=limit)


def _header(one: Numbered, frames: int) -> bytes:
    encoded = templates.encode(templates.multi_frame_dataset(frames))
    for name, value in one.values().items():
        encoded = encoded.replace(templates.PLACEHOLDERS[name].encode(), value.encode())
    return encoded + struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, frames * FRAME_BYTES)


@dataclass
class Watch:
    """Samples a server's true resident memory ten times a second, as a context manager."""

    contestant: Contestant
    peak_mib: float = 0.0
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Watch:
        self._thread = threading.Thread(target=self._sample)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._thread:
            self._thread.join()

    def _sample(self) -> None:
        while not self._ended.wait(0.1):
            self.peak_mib = max(self.peak_mib, resident_mib(self.contestant.pids()))


def main() -> None:
    """Run it and print the line of figures."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--target", default="charrua", choices=[kind.name for kind in ALL])
    arguments.add_argument("--frames", type=int, default=FRAMES_OF_4_GB, help="of 0.5 MiB each")
    options = arguments.parse_args()
    isolate()
    with started(next(kind for kind in ALL if kind.name == options.target)) as contestant:
        idle = resident_mib(contestant.pids())
        with Watch(contestant) as watch:
            seconds = send_multi_frame(contestant, options.frames, 1)
        usage = contestant.usage()
        size_mb = options.frames * FRAME_BYTES / 1e6
        print(
            f"huge object: {contestant.name}, {size_mb:.0f} MB in {seconds:.1f} s ({size_mb / seconds:.0f} MB/s), resident"
            f" {idle:.0f} MiB idle, {watch.peak_mib:.0f} MiB at most, server's own processes {usage.peak_mib:.0f} MiB"
        )


if __name__ == "__main__":
    main()
