"""Peak resident memory while eight senders store large multi-frame objects that nobody holds as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from benchmarks.contestants import Contestant
from benchmarks.huge_object import FRAME_BYTES, send_multi_frame
from benchmarks.processes import forget_peaks
from benchmarks.results import Results
from benchmarks.turns import interleaved

CONTESTANTS = ("charrua", "orthanc-nodelay", "storescp")


def measure_memory(results: Results, names: Sequence[str], repeats: int, frames: int = 200) -> None:
    """Note how far the server's own processes rise above their idle size while 8 objects of `frames` frames come in."""

    def turn(contestant: Contestant) -> None:
        send_multi_frame(contestant, frames=1, number=0)
        forget_peaks(contestant.pids())
        idle = contestant.usage()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda number: send_multi_frame(contestant, frames, number), range(1, 9)))
        peak = contestant.usage()
        results.add("8 large objects at once: MiB over idle", contestant.name, peak.peak_mib - idle.peak_mib)
        results.add("8 large objects at once: MiB sent", contestant.name, 8 * frames * FRAME_BYTES / 2**20)
        results.add("idle: resident MiB", contestant.name, idle.peak_mib)

    interleaved(names, repeats, turn)
