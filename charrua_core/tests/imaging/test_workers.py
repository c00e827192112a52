"""The worker processes of imaging: whatever happens in them, the server goes on and every caller gets an answer."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from charrua_core import errors
from charrua_core.imaging import PixelFormat, workers
from charrua_core.imaging.attributes import Attributes
from charrua_core.imaging.codecs import decode_frame
from charrua_core.imaging.places import FramePlace
from charrua_core.imaging.poison import REMEMBERED_S, Poison, frame_key
from charrua_core.imaging.render import RenderRequest
from charrua_core.imaging.render.work import Work
from charrua_core.imaging.workers import Imaging
from charrua_core.testing.waiting import until
from charrua_core.types import FileRange

EXPLICIT = "1.2.840.10008.1.2.1"
ImagingOf = Callable[..., Imaging]


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"bytes" * 100_000,
        {"a": [1, 2.5, "text"]},
        np.arange(600_000, dtype="i2").reshape(2, 3, -1),
        np.float64(2),
    ],
    ids=["none", "bytes", "plain", "array", "scalar"],
)
async def test_arguments_and_results_are_plain_values_and_arrays(
    imaging: Imaging, functions: ModuleType, value: Any
) -> None:
    result = await imaging.run(functions.same, value)
    assert type(result) is type(value)
    assert np.array_equal(result, value) if isinstance(value, np.ndarray) else result == value


async def test_no_process_is_started_before_the_first_call(imaging: Imaging, functions: ModuleType) -> None:
    assert imaging.figures.started == 0
    await imaging.run(functions.pid)
    assert imaging.figures.started == 1


async def test_a_process_is_kept_for_the_next_call(imaging: Imaging, functions: ModuleType) -> None:
    assert len({await imaging.run(functions.pid) for _ in range(5)}) == 1


async def test_closing_ends_all_processes(imaging_of: ImagingOf, functions: ModuleType, tmp_path: Path) -> None:
    imaging = imaging_of(workers=2)
    calls = [imaging.run(functions.touch, str(tmp_path / name), 0.2) for name in "ab"]
    pids = set(await asyncio.gather(*calls))
    await imaging.close()
    assert len(pids) == 2
    assert not any(runs(pid) for pid in pids)


async def test_a_call_under_way_when_the_archive_stops_is_told_so(
    imaging: Imaging, functions: ModuleType, tmp_path: Path
) -> None:
    call = asyncio.create_task(imaging.run(functions.touch, str(tmp_path / "begun"), 60))
    await until((tmp_path / "begun").exists, timeout_s=30)
    await imaging.close()
    with pytest.raises(errors.ImagingBusy, match="stopping"):
        await call


# -- what goes wrong in a process ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("what", "error"),
    [("hang", errors.ImagingTimeout), ("crash", errors.ImagingCrashed), ("leave", errors.ImagingCrashed)],
)
async def test_a_process_that_hangs_or_dies_is_replaced(
    imaging: Imaging, functions: ModuleType, what: str, error: type[Exception]
) -> None:
    pid = await imaging.run(functions.pid)
    began = time.monotonic()
    with pytest.raises(error):
        await imaging.run(getattr(functions, what), b"frame", timeout_s=1.0)
    assert time.monotonic() - began < 3
    assert not runs(pid)
    assert await imaging.run(functions.pid) != pid


async def test_a_call_that_asks_for_all_memory_fails_alone(imaging: Imaging, functions: ModuleType) -> None:
    with pytest.raises(errors.FrameTooLarge):
        await imaging.run(functions.eat, b"frame")
    assert await imaging.run(functions.same, 1) == 1


async def test_an_exception_that_does_not_unpickle_comes_back_as_one_of_ours(
    imaging: Imaging, functions: ModuleType
) -> None:
    with pytest.raises(errors.ImagingFailed, match="Odd: odd"):
        await imaging.run(functions.fail, b"frame")
    assert imaging.figures.crashes == 0


async def test_errors_of_the_family_come_back_as_they_are(imaging: Imaging) -> None:
    with pytest.raises(errors.FrameUndecodable, match="0 bytes of 8") as damaged:
        await imaging.run(decode_frame, b"", PixelFormat(EXPLICIT, 2, 2))
    assert damaged.value.http_status == 422
    with pytest.raises(errors.CodecUnavailable, match="9\\.9"):
        await imaging.run(decode_frame, b"", PixelFormat("9.9", 2, 2))


async def test_a_process_cannot_make_the_server_run_anything(imaging: Imaging, functions: ModuleType) -> None:
    with pytest.raises(errors.ImagingFailed, match="no plain data"):
        await imaging.run(functions.thing)
    assert await imaging.run(functions.same, 1) == 1


async def test_a_process_knows_no_secrets(
    imaging: Imaging, functions: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHARRUA_DATABASE_URL", "postgresql://user:s3cr3t@host/name")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t")
    assert "s3cr3t" not in str(await imaging.run(functions.environment))


async def test_a_process_is_replaced_after_so_many_calls(
    imaging: Imaging, functions: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "CALLS_OF_A_PROCESS", 2)
    first, second, third = [await imaging.run(functions.pid) for _ in range(3)]
    assert first == second != third


@pytest.mark.parametrize("function", [lambda: 1, Path.exists], ids=["lambda", "method"])
async def test_only_functions_that_a_process_can_import_are_run(imaging: Imaging, function: Any) -> None:
    with pytest.raises(TypeError, match="top level"):
        await imaging.run(function)


async def test_arguments_that_do_not_pickle_are_the_callers_fault_and_no_process_is_lost(
    imaging: Imaging, functions: ModuleType
) -> None:
    with pytest.raises((TypeError, AttributeError)):
        await imaging.run(functions.same, lambda: 1)
    assert await imaging.run(functions.same, 1) == 1


# -- poison --------------------------------------------------------------------------------------------------------------
async def test_a_frame_that_ended_two_processes_is_refused_at_once(imaging: Imaging, functions: ModuleType) -> None:
    for _ in range(2):
        with pytest.raises(errors.ImagingCrashed):
            await imaging.run(functions.leave, b"poison")
    started = imaging.figures.started
    with pytest.raises(errors.FramePoisoned):
        await imaging.run(functions.leave, b"poison")
    assert imaging.figures.started == started
    assert await imaging.run(functions.same, b"poison") == b"poison"  # other work on it is not refused
    with pytest.raises(errors.ImagingCrashed):
        await imaging.run(functions.leave, b"another")


def test_poison_is_forgotten_after_an_hour() -> None:
    now = 0.0
    poison = Poison(lambda: now)
    assert [poison.note(b"frame"), poison.note(b"frame"), poison.holds(b"frame")] == [1, 2, True]
    now += REMEMBERED_S + 1
    assert not poison.holds(b"frame")
    assert poison.note(b"frame") == 1


def test_poison_takes_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("charrua_core.imaging.poison._MOST_REMEMBERED", 3)
    poison = Poison()
    for frame in (b"a", b"a", b"b", b"b", b"c", b"d"):
        poison.note(frame)
    assert [poison.holds(frame) for frame in (b"a", b"b")] == [False, True]


def test_a_frame_is_known_by_its_bytes_and_syntax_whatever_else_is_asked() -> None:
    one, other = PixelFormat(EXPLICIT, 2, 2), PixelFormat("1.2.840.10008.1.2", 2, 2)
    assert frame_key("f", (b"frame", one, 1)) == frame_key("f", (b"frame", one, 2))
    different = [("f", (b"frame", other, 1)), ("f", (b"other", one, 1)), ("g", (b"frame", one, 1)), ("f", (one, 1))]
    assert frame_key("f", (b"frame", one, 1)) not in {frame_key(*call) for call in different}
    assert frame_key("f", (FileRange("a", 0, 9),)) != frame_key("f", (FileRange("a", 9, 9),))


def test_a_frame_is_known_by_its_range_also_within_what_a_rendering_is_told() -> None:
    def asked(offset: int, quality: int) -> tuple[Work]:
        place, layout = FramePlace(FileRange("a", offset, 9)), PixelFormat(EXPLICIT, 2, 2)
        return (Work("1.2", layout, [1], [place], [Attributes({})], RenderRequest(quality=quality), 100.0),)

    assert frame_key("f", asked(0, 50)) == frame_key("f", asked(0, 90)) != frame_key("f", asked(9, 50))


# -- many callers --------------------------------------------------------------------------------------------------------
async def test_many_callers_each_get_their_own_answer_and_the_loop_is_not_held_up(
    imaging_of: ImagingOf, functions: ModuleType
) -> None:
    imaging = imaging_of(workers=2)
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        while True:
            began = time.monotonic()
            await asyncio.sleep(0.01)
            longest = max(longest, time.monotonic() - began)

    watching = asyncio.create_task(watch())
    frames = [np.full(250_000, number, "u2") for number in range(300)]
    results = await asyncio.gather(*(imaging.run(functions.same, frame) for frame in frames))
    watching.cancel()
    assert all(np.array_equal(result, frame) for result, frame in zip(results, frames, strict=True))
    assert imaging.figures.started <= 2
    assert longest < 0.5


async def test_a_caller_for_whom_there_is_no_room_is_told_so(
    imaging: Imaging, functions: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "MOST_WAITING", 2)
    calls = await asyncio.gather(*(imaging.run(functions.same, n) for n in range(5)), return_exceptions=True)
    assert [type(call) for call in calls] == [int, int, int, errors.ImagingBusy, errors.ImagingBusy]


async def test_a_caller_does_not_wait_for_ever(
    imaging: Imaging, functions: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(workers, "LONGEST_WAIT_S", 0.3)
    busy = asyncio.create_task(imaging.run(functions.touch, str(tmp_path / "busy"), 1.0))
    await asyncio.sleep(0)
    with pytest.raises(errors.ImagingBusy):
        await imaging.run(functions.same, 1)
    await busy


async def test_a_caller_that_is_cancelled_while_it_waits_leaves_the_line(
    imaging: Imaging, functions: ModuleType, tmp_path: Path
) -> None:
    busy, gone, last = (
        asyncio.create_task(imaging.run(functions.touch, str(tmp_path / name), 0.3))
        for name in ("busy", "gone", "last")
    )
    await until((tmp_path / "busy").exists, timeout_s=30)
    gone.cancel()
    await asyncio.gather(busy, last)
    assert not (tmp_path / "gone").exists()


async def test_a_caller_that_is_cancelled_while_its_call_runs_costs_no_process(
    imaging: Imaging, functions: ModuleType, tmp_path: Path
) -> None:
    pid = await imaging.run(functions.pid)
    call = asyncio.create_task(imaging.run(functions.touch, str(tmp_path / "begun"), 0.3))
    await until((tmp_path / "begun").exists, timeout_s=30)
    call.cancel()
    assert await imaging.run(functions.pid) == pid


# -- the server's end ----------------------------------------------------------------------------------------------------
_SERVER = """
import asyncio, datetime, os, sys, uvloop
from charrua_core.imaging.codecs import Codecs
from charrua_core.imaging.workers import Imaging

async def serve():
    settings = {"imaging_workers": 1, "imaging_timeout": datetime.timedelta(seconds=9), "imaging_memory_bytes": 2 << 30}
    print(await Imaging(settings, Codecs()).run(os.getpid), flush=True)
    await asyncio.sleep(60)

uvloop.run(serve())
"""


async def test_no_process_outlives_a_server_that_was_killed() -> None:
    server = await asyncio.create_subprocess_exec(sys.executable, "-c", _SERVER, stdout=asyncio.subprocess.PIPE)
    assert server.stdout is not None
    pid = int(await server.stdout.readline())
    server.kill()
    await server.wait()
    await until(lambda: not runs(pid))
