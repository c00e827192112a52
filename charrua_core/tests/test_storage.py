"""Volumes: what was placed is there for good, nothing is ever overwritten, and trouble stops the taking, not the reading."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from glob import glob
from pathlib import Path, PurePath
from typing import Any

import pytest

from charrua_core import faults
from charrua_core.db import Database
from charrua_core.errors import CharruaError, DatasetMismatch, StorageFailed, StorageFull
from charrua_core.storage import Placing, Volume, Volumes, object_path, placing
from charrua_core.testing.waiting import until

MORNING = datetime(2026, 3, 4, 7, tzinfo=UTC)
PLACE = object_path(MORNING, "1.2", "1.2.3", "1.2.3.4")

Open = Callable[..., Awaitable[Volumes]]


@pytest.fixture
async def open_volumes(db: Database, tmp_path: Path) -> AsyncIterator[Open]:
    """A function that opens the archive's volumes, as a process does when it starts."""
    opened: list[Volumes] = []

    async def open_volumes(**settings: Any) -> Volumes:
        known = {"data_dir": tmp_path, "volume": None, "storage_reserve_bytes": 0, "storage_sync_threads": 4}
        opened.append(await Volumes.open(db, {**known, **settings}))
        return opened[-1]

    yield open_volumes
    for volumes in opened:
        await volumes.close()


@pytest.fixture
async def volume(open_volumes: Open) -> Volume:
    return (await open_volumes()).current


@pytest.fixture(autouse=True)
def quick_watch(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("charrua_core.storage.volume.PROBE_EVERY_S", 0.02)
    yield
    faults.arm("")


def spooled(volume: Volume, content: bytes = b"object") -> str:
    path = volume.spool_path()
    Path(path).write_bytes(content)
    return path


def stored(volume: Volume) -> list[Path]:
    return [path for path in sorted(volume.root.rglob("*.dcm")) if path.is_file()]


class Steps:
    """Notes the system calls of placing in their order, and has the nth one of a kind fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.taken: list[tuple[str, Path]] = []
        self._failing: dict[str, int] = {}
        for name in ("_fdatasync", "rename_new", "sync_folder", "make_folder"):
            monkeypatch.setattr(placing, name, self._noted(name, getattr(placing, name)))

    def fail(self, name: str, code: int) -> None:
        self._failing[name] = code

    def _noted(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any) -> Any:
            subject = next((one for one in reversed(args) if isinstance(one, str)), None)
            subject = subject or os.readlink(f"/proc/self/fd/{args[0]}")
            self.taken.append((name.strip("_"), Path(subject)))
            if name in self._failing:
                raise OSError(self._failing[name], "injected")
            return call(*args)

        return step


@pytest.fixture
def steps(volume: Volume, monkeypatch: pytest.MonkeyPatch) -> Steps:
    return Steps(monkeypatch)


async def test_an_object_gets_the_place_that_a_person_finds(volume: Volume) -> None:
    relative = await volume.place(spooled(volume, b"bytes"), PLACE)
    assert str(relative) == "2026/03/04/1.2/1.2.3/1.2.3.4.dcm"
    assert volume.path(relative).read_bytes() == b"bytes"
    assert os.listdir(os.path.dirname(volume.spool_path())) == []


async def test_bytes_are_flushed_before_they_are_named_and_names_before_it_is_told(
    volume: Volume, steps: Steps
) -> None:
    spool = spooled(volume)
    await volume.place(spool, PLACE)
    target = volume.path(PLACE)
    assert steps.taken[0] == ("fdatasync", Path(spool))
    named = steps.taken.index(("rename_new", target))
    assert steps.taken[named + 1 :] == [("sync_folder", folder) for folder in list(target.parents)[:6]]


async def test_folders_are_flushed_once_for_a_group(volume: Volume, steps: Steps) -> None:
    group = [Placing(spooled(volume), object_path(MORNING, "1.2", "1.2.3", f"1.2.3.{n}")) for n in range(9)]
    await volume.place_many(group)
    assert [name for name, _ in steps.taken].count("fdatasync") == 9
    assert [step for step in steps.taken if step == ("sync_folder", volume.path(PLACE).parent)] == steps.taken[-6:-5]


async def test_folders_that_another_process_removed_are_flushed_anew(
    volume: Volume, open_volumes: Open, steps: Steps
) -> None:
    place = await volume.place(spooled(volume), PLACE)
    await (await open_volumes()).current.remove(place)
    steps.taken.clear()
    await volume.place(spooled(volume), PLACE)
    assert [path for name, path in steps.taken if name == "sync_folder"] == list(volume.path(PLACE).parents)[:6]


async def test_the_error_of_the_descriptor_written_through_counts(volume: Volume) -> None:
    spool = spooled(volume)
    reading, writing = os.pipe()
    [outcome] = await volume.place_many([Placing(spool, PLACE, writing)])  # a pipe cannot be flushed
    os.close(reading), os.close(writing)
    assert isinstance(outcome, StorageFailed)


async def test_a_taken_name_is_never_overwritten(volume: Volume) -> None:
    contents = [b"first", b"second", b"third"]
    places = [await volume.place(spooled(volume, content), PLACE) for content in contents]
    assert [os.path.basename(place) for place in places] == ["1.2.3.4.dcm", "1.2.3.4-2.dcm", "1.2.3.4-3.dcm"]
    assert [volume.path(place).read_bytes() for place in places] == contents


async def test_64_at_once_under_one_name_are_all_kept(volume: Volume, open_volumes: Open) -> None:
    other = (await open_volumes()).current
    contents = [f"{number}".encode() for number in range(64)]
    places = await asyncio.gather(
        *(
            (other if number % 2 else volume).place(spooled(volume, content), PLACE)
            for number, content in enumerate(contents)
        )
    )
    assert [volume.path(place).read_bytes() for place in places] == contents


async def test_names_are_safe_without_renameat2(volume: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placing, "_renameat2", None)
    places = [await volume.place(spooled(volume, content), PLACE) for content in (b"first", b"second")]
    assert [volume.path(place).read_bytes() for place in places] == [b"first", b"second"]


@pytest.mark.parametrize("uid", ["../../etc/passwd", "1.2/3", "", "1..2", "1." + "2" * 64, "1.2\n", "１.2"])
def test_only_valid_uids_become_part_of_a_path(uid: str) -> None:
    for uids in ((uid, "1.2", "1.3"), ("1.2", uid, "1.3"), ("1.2", "1.3", uid)):
        with pytest.raises(DatasetMismatch):
            object_path(MORNING, *uids)


@pytest.mark.parametrize("path", ["/etc/passwd", "2026/../../secret"])
async def test_no_path_leads_out_of_the_volume(volume: Volume, path: str) -> None:
    with pytest.raises(StorageFailed):
        volume.range(path)


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
@pytest.mark.parametrize("step", ["_fdatasync", "rename_new", "make_folder", "sync_folder"])
async def test_a_step_that_fails_leaves_nothing_under_a_name(
    volume: Volume, steps: Steps, step: str, code: int
) -> None:
    steps.fail(step, code)
    group = [Placing(spooled(volume), object_path(MORNING, "1.2", "1.2.3", f"1.2.3.{n}")) for n in range(3)]
    outcomes = await volume.place_many(group)
    expected = StorageFull if code == errno.ENOSPC else StorageFailed
    assert [type(outcome) for outcome in outcomes] == [expected] * 3
    assert stored(volume) == []


async def test_one_bad_file_does_not_spoil_its_group(volume: Volume) -> None:
    good, missing = Placing(spooled(volume), PLACE), Placing(volume.spool_path(), "2026/missing.dcm")
    placed, failed = await volume.place_many([good, missing])
    assert isinstance(placed, str) and isinstance(failed, CharruaError)
    volume.check()  # a file that is not there says nothing against the volume


async def test_a_failed_flush_is_not_tried_again(volume: Volume, steps: Steps) -> None:
    steps.fail("_fdatasync", errno.EIO)
    spool = spooled(volume)
    with pytest.raises(StorageFailed):
        await volume.place(spool, PLACE)
    assert steps.taken.count(("fdatasync", Path(spool))) == 1


async def test_a_volume_that_failed_takes_nothing_until_a_probe_is_written(volume: Volume, steps: Steps) -> None:
    steps.fail("_fdatasync", errno.EIO)
    with pytest.raises(StorageFailed):
        await volume.place(spooled(volume), PLACE)
    with pytest.raises(StorageFailed, match="being watched"):
        volume.check()
    assert not (await volume.health()).works
    steps._failing.clear()
    await until(lambda: volume._trouble is None)
    volume.check()
    await volume.place(spooled(volume), PLACE)


async def test_objects_are_refused_below_the_reserve_and_taken_again_above_it(
    open_volumes: Open, tmp_path: Path
) -> None:
    settings = {"data_dir": tmp_path, "volume": None, "storage_reserve_bytes": 1 << 60, "storage_sync_threads": 2}
    volume = (await open_volumes()).current
    volume._reserve_bytes = lambda: settings["storage_reserve_bytes"]  # type: ignore[return-value]
    with pytest.raises(StorageFull):
        volume.check()
    settings["storage_reserve_bytes"] = 0
    volume.check()


async def test_a_process_that_dies_leaves_its_spool_to_the_next(volume: Volume, open_volumes: Open) -> None:
    script = f"""
import asyncio, os
from pathlib import Path
from charrua_core.storage.spool import Spool
async def die():
    spool = Spool(Path({str(volume.root)!r}))
    await spool.open()
    Path(spool.path()).write_bytes(b"half an object")
    print(Path(spool.path()).parent, flush=True)
    os.kill(os.getpid(), 9)
asyncio.run(die())
"""
    died = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", script], capture_output=True, text=True)
    left = died.stdout.strip()
    mine = spooled(volume)
    assert os.listdir(left)
    await open_volumes()
    assert os.path.basename(left) not in os.listdir(volume.root / "spool") and mine in glob(f"{volume.root}/spool/*/*")


async def test_a_process_that_ends_empties_its_spool(open_volumes: Open) -> None:
    volumes = await open_volumes()
    left = spooled(volumes.current)
    await volumes.close()
    assert left not in glob(f"{volumes.current.root}/spool/*/*")


async def test_an_earlier_volume_stays_readable(open_volumes: Open, tmp_path: Path) -> None:
    old = (await open_volumes()).current
    place = await old.place(spooled(old, b"old"), PLACE)
    volumes = await open_volumes(volume=tmp_path / "elsewhere" / "volume-2")
    assert volumes.current.root == tmp_path / "elsewhere" / "volume-2"
    assert volumes.by_id(old.id).path(place).read_bytes() == b"old"
    assert [volume.id for volume in volumes.all()] == [old.id, volumes.current.id]


async def test_a_volume_registered_by_another_process_becomes_known(open_volumes: Open, tmp_path: Path) -> None:
    mine = await open_volumes()
    other = await open_volumes(volume=tmp_path / "volume-2")
    await until(lambda: len(mine.all()) == 2)
    assert mine.by_id(other.current.id).root == other.current.root


async def test_the_data_folder_can_be_moved_with_its_volumes(open_volumes: Open, tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    old = await open_volumes(data_dir=before)
    place = await old.current.place(spooled(old.current, b"kept"), PLACE)
    await old.close()
    before.rename(after)
    moved = await open_volumes(data_dir=after)
    assert (moved.current.id, moved.current.path(place).read_bytes()) == (old.current.id, b"kept")


async def test_a_volume_whose_disk_is_not_mounted_is_refused(open_volumes: Open, tmp_path: Path) -> None:
    volumes = await open_volumes()
    await volumes.close()
    volumes.current.root.rename(tmp_path / "unplugged")
    volumes.current.root.mkdir()
    with pytest.raises(StorageFailed, match="mounted"):
        await open_volumes()


async def test_a_full_disk_at_the_start_leaves_the_objects_readable(
    open_volumes: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    volumes = await open_volumes()
    place = await volumes.current.place(spooled(volumes.current), PLACE)
    Steps(monkeypatch).fail("_fdatasync", errno.ENOSPC)
    full = (await open_volumes()).current
    assert full.range(place).length == len(b"object")
    with pytest.raises(StorageFull):
        full.check()


async def test_ranges_sizes_and_lists_tell_what_is_there(volume: Volume) -> None:
    for number in (10, 9):
        await volume.place(spooled(volume, b"0123456789"), object_path(MORNING, "1.2", "1.2.3", f"1.{number}"))
    (volume.root / "journal").mkdir()
    (volume.root / "journal" / "2026-03.jsonl").touch()
    found = [str(path) async for path in volume.list()]
    assert found == ["2026/03/04/1.2/1.2.3/1.10.dcm", "2026/03/04/1.2/1.2.3/1.9.dcm"]
    assert (volume.range(found[0], 4).length, volume.range(found[0], 4, 3).length) == (6, 3)
    assert (await volume.size_bytes(found[0]), await volume.size_bytes("2026/none.dcm")) == (10, None)


async def test_removing_an_object_removes_the_folders_that_are_empty_then(volume: Volume) -> None:
    first = await volume.place(spooled(volume), PLACE)
    second = await volume.place(spooled(volume), object_path(MORNING, "1.2", "1.2.9", "1.2.9.1"))
    await volume.remove(first)
    assert not volume.path(first).parent.exists() and volume.path(second).exists()
    await volume.remove(second)
    await volume.remove(second)  # gone already
    assert not (volume.root / "2026").exists()
    assert await volume.place(spooled(volume), PLACE) == PLACE


async def test_objects_are_placed_while_others_empty_the_same_folders(volume: Volume) -> None:
    async def come_and_go(number: int) -> None:
        for turn in range(15):
            await volume.remove(
                await volume.place(spooled(volume), object_path(MORNING, "1.2", "1.2.3", f"1.{number}.{turn}"))
            )

    await asyncio.gather(*(come_and_go(number) for number in range(8)))
    assert stored(volume) == []


async def test_files_and_folders_are_for_nobody_else(volume: Volume) -> None:
    place = await volume.place(spooled(volume), PLACE)
    folders = [volume.path(folder) for folder in PurePath(place).parents]
    assert [oct(folder.stat().st_mode & 0o077) for folder in folders] == ["0o0"] * len(folders)


@pytest.mark.parametrize(
    ("fault", "expected"), [("after_fsync:1:eio", StorageFailed), ("after_rename:1:enospc", StorageFull)]
)
async def test_an_armed_fault_strikes_once(volume: Volume, fault: str, expected: type[CharruaError]) -> None:
    faults.arm(fault)
    with pytest.raises(expected):
        await volume.place(spooled(volume), PLACE)
    assert stored(volume) == []
    assert await volume.place(spooled(volume), PLACE) == PLACE
