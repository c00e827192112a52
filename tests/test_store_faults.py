"""What goes wrong while objects are stored: breaking off, kill -9 at every step, a full disk, a database that is away."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import asyncpg
import pytest

from charrua_core.dicom import PeerRejected, ProposedContext, associate
from charrua_core.errors import CharruaError
from charrua_core.postgresql import EmbeddedServer
from charrua_core.postgresql.postmaster import Postmaster
from charrua_core.testing.devices import Modality, received_of
from charrua_core.testing.objects import a_study, an_object
from charrua_core.types import Peer

POINTS = [
    "after_write",
    "after_fsync",
    "after_rename",
    "after_dirsync",
    "before_commit",
    "after_commit",
    "before_reply",
]


class Ledger:
    """What a modality has sent, and what of it was acknowledged."""

    def __init__(self, archive) -> None:
        self.archive = archive
        self.acknowledged: list[str] = []

    async def store(self, objects) -> None:
        """Send them on one association until it breaks."""
        sent = [received_of(image) for image in objects]
        contexts = [ProposedContext(sent[0].sop_class_uid, (sent[0].transfer_syntax_uid,))]
        try:
            async with associate(self.archive.peer, contexts, calling_aet="LEDGER") as association:
                for one in sent:
                    context = (one.sop_class_uid, one.transfer_syntax_uid)
                    answer = await association.store(context, one.sop_class_uid, one.sop_instance_uid, [one.data_set])
                    if answer.status == 0x0000:
                        self.acknowledged.append(one.sop_instance_uid)
        except CharruaError:
            pass

    async def check(self, objects) -> None:
        """Nothing acknowledged is lost, nothing is half there: each row has its bytes, each count is right."""
        rows = await query(self.archive, "SELECT sop_instance_uid, path, size_bytes, dataset_offset FROM core.instance")
        kept = {row["sop_instance_uid"]: row for row in rows}
        assert set(self.acknowledged) <= set(kept)
        for image in objects:
            if row := kept.get(image.SOPInstanceUID):
                content = volume_of(self.archive).joinpath(row["path"]).read_bytes()
                assert content[row["dataset_offset"] :] == received_of(image).data_set
        [count] = await query(self.archive, "SELECT coalesce(sum(instance_count), 0) AS objects FROM core.study")
        assert count["objects"] == len(rows)


async def query(archive, statement):
    connection = await asyncpg.connect(archive.environment["CHARRUA_DATABASE_URL"])
    try:
        return await connection.fetch(statement)
    finally:
        await connection.close()


def volume_of(archive) -> Path:
    return Path(archive.environment.get("CHARRUA_VOLUME") or Path(archive.environment["CHARRUA_DATA_DIR"], "volume-1"))


def spooled(archive) -> list[Path]:
    return [path for path in volume_of(archive).glob("spool/*/*") if path.is_file()]


async def until(condition, timeout_s: float = 5.0) -> bool:
    """Whether it becomes true within the time."""
    for _ in range(int(timeout_s / 0.05)):
        if condition():
            return True
        await asyncio.sleep(0.05)
    return False


async def cutting_proxy(peer: Peer, after_bytes: int) -> asyncio.Server:
    """A way to the archive that is cut after so many bytes."""

    async def pass_on(reader, writer):
        to_archive, to_peer = await asyncio.open_connection(peer.host, peer.port)
        answers = asyncio.create_task(copy(to_archive, writer))
        left = after_bytes
        while left and (data := await reader.read(left)):
            to_peer.write(data)
            await to_peer.drain()
            left -= len(data)
        to_peer.transport.abort()
        writer.transport.abort()
        await asyncio.gather(answers, return_exceptions=True)

    async def copy(reader, writer):
        while data := await reader.read(1 << 16):
            writer.write(data)

    return await asyncio.start_server(pass_on, "127.0.0.1", 0)


async def test_an_association_cut_at_any_byte_leaves_nothing(archive):
    image = an_object(PixelData=bytes(40_000), Rows=100, Columns=200)
    for after_bytes in [*range(150, 900, 50), *range(1_000, 41_000, 2_500)]:
        async with await cutting_proxy(archive.peer, after_bytes) as proxy:
            port = proxy.sockets[0].getsockname()[1]
            with pytest.raises(CharruaError):
                await Modality(Peer(archive.peer.aet, "127.0.0.1", port)).store(image)
    assert await until(lambda: not spooled(archive))
    assert await query(archive, "SELECT 1 FROM core.study UNION ALL SELECT 1 FROM core.instance") == []
    assert await Modality(archive.peer).store(image) == [0x0000]


@pytest.mark.parametrize("point", POINTS)
async def test_killed_at_any_step_no_acknowledged_object_is_lost(start_archive, point):
    archive = await start_archive(env={"CHARRUA_FAULT": f"{point}:9:kill"})
    objects = a_study(series=2, images=10)
    ledger = Ledger(archive)
    await asyncio.gather(ledger.store(objects[::2]), ledger.store(objects[1::2]))
    assert await until(lambda: not archive.runs)
    await archive.kill()
    archive.environment.pop("CHARRUA_FAULT")
    await archive.start()
    assert spooled(archive) == []
    await ledger.check(objects)
    await ledger.store(objects)
    assert set(ledger.acknowledged) == {image.SOPInstanceUID for image in objects}
    await ledger.check(objects)


@pytest.fixture
def small_disk(tmp_path: Path):
    """A volume of 12 MB that can be full."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = shutil.which("mount") or "mount"
    if subprocess.run([mount, "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(folder)], check=False).returncode:
        pytest.skip("only an administrator can mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


async def test_a_full_disk_is_told_and_storing_goes_on_once_there_is_room(start_archive, small_disk):
    archive = await start_archive(env={"CHARRUA_VOLUME": str(small_disk)})
    objects = a_study(images=6, PixelData=bytes(3_000_000), Rows=1000, Columns=1500)
    statuses = await Modality(archive.peer).store(objects)
    assert statuses[0] == 0x0000 and statuses[-1] == 0xA700
    assert spooled(archive) == []
    stored = [image.SOPInstanceUID for image, status in zip(objects, statuses, strict=True) if status == 0x0000]
    rows = await query(archive, "SELECT sop_instance_uid, path FROM core.instance")
    assert sorted(row["sop_instance_uid"] for row in rows) == sorted(stored)
    (small_disk / rows[0]["path"]).unlink()
    (small_disk / rows[1]["path"]).unlink()
    assert await becomes_stored(archive, objects[-1])


async def becomes_stored(archive, image) -> bool:
    """Whether the archive takes the object within some ten seconds."""
    for _ in range(20):
        with suppress(PeerRejected):
            if await Modality(archive.peer).store(image) == [0x0000]:
                return True
        await asyncio.sleep(0.5)
    return False


async def test_without_its_database_the_archive_refuses_in_time_and_goes_on_after(start_archive, tmp_path_factory):
    server = EmbeddedServer(tmp_path_factory.mktemp("own") / "postgresql")
    await server.join()
    archive = await start_archive(env={"CHARRUA_DATABASE_URL": server.url("postgres")})
    try:
        first, second = received_of(an_object()), received_of(an_object())
        context = (first.sop_class_uid, first.transfer_syntax_uid)
        contexts = [ProposedContext(context[0], (context[1],))]
        async with associate(archive.peer, contexts, calling_aet="MODALITY") as association:
            answer = await association.store(context, context[0], first.sop_instance_uid, [first.data_set])
            assert answer.status == 0x0000
            await server.leave()
            began = time.monotonic()
            answer = await association.store(context, context[0], second.sop_instance_uid, [second.data_set])
            assert answer.status == 0xA700
            assert time.monotonic() - began < 10
        await server.join()
        assert await becomes_stored(archive, an_object())
        assert spooled(archive) == []
    finally:
        await archive.stop()
        await server.leave()


async def test_the_archive_ends_although_its_database_hangs(start_archive, tmp_path_factory):
    server = EmbeddedServer(tmp_path_factory.mktemp("own") / "postgresql")
    await server.join()
    archive = await start_archive(env={"CHARRUA_DATABASE_URL": server.url("postgres")})
    storing = asyncio.create_task(Modality(archive.peer).store(a_study(images=300)))
    await asyncio.sleep(0.3)
    with paused(server):
        began = time.monotonic()
        assert await archive.stop() == 0
        assert time.monotonic() - began < 30
    with pytest.raises(CharruaError):
        await storing
    await server.leave()


@contextmanager
def paused(server):
    """PostgreSQL as on a machine that swaps, or whose disk does not answer."""
    first = Postmaster.read(server.folder).pid
    pids = [first, *map(int, Path(f"/proc/{first}/task/{first}/children").read_text().split())]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


async def test_a_connection_that_the_database_ends_is_made_again_unseen(archive):
    statuses = []
    for image in a_study(images=5):
        statuses += await Modality(archive.peer).store(image)
        await query(
            archive,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE query LIKE '%store_objects%' AND pid <> pg_backend_pid()",
        )
    assert statuses == [0x0000] * 5


async def test_an_object_of_hundreds_of_megabytes_takes_no_memory(archive):
    image = received_of(an_object())
    length = 300 << 20
    pixels = image.data_set.index(b"\xe0\x7f\x10\x00OW")
    head = image.data_set[: pixels + 8] + length.to_bytes(4, "little")
    block = bytes(1 << 20)
    contexts = [ProposedContext(image.sop_class_uid, (image.transfer_syntax_uid,))]
    before = resident_bytes(archive.process.pid)
    async with associate(archive.peer, contexts, calling_aet="BIG") as association:
        context = (image.sop_class_uid, image.transfer_syntax_uid)
        answer = await association.store(context, image.sop_class_uid, image.sop_instance_uid, [head, *[block] * 300])
    assert answer.status == 0x0000
    assert peak_bytes(archive.process.pid) - before < 32 << 20


def resident_bytes(pid: int) -> int:
    return _status(pid, "VmRSS:")


def peak_bytes(pid: int) -> int:
    return _status(pid, "VmHWM:")


def _status(pid: int, name: str) -> int:
    if os.name != "posix" or not Path("/proc/self/status").exists():
        pytest.skip("/proc tells it")
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(name))
