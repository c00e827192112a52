"""The bytes of an answer: whole and in order, read one chunk ahead, and files that change meanwhile."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from charrua_core.errors import StorageFailed
from charrua_core.types import FileRange
from charrua_web import chunks
from charrua_web.chunks import CHUNK, chunks_of

SIZE = 2 * CHUNK + 1000


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("chunks") / "file"
    path.write_bytes(os.urandom(SIZE))
    return path


async def test_pieces_come_whole_and_in_order(file) -> None:
    content, long = file.read_bytes(), b"l" * 100_000
    pieces = [
        b"head",
        b"er",
        FileRange(file, 10, SIZE - 10),
        b"",
        b"a",
        long,
        FileRange(file, 0, 5),
        FileRange(file, 0, 0),
    ]
    came = [chunk async for chunk in chunks_of(pieces)]
    assert b"".join(came) == b"header" + content[10:] + b"a" + long + content[:5]
    assert came[0] == b"header"
    assert max(map(len, came)) == CHUNK


async def test_a_piece_is_read_before_its_maker_is_asked_for_the_next(file, tmp_path) -> None:
    content = file.read_bytes()

    async def pieces():
        for number in range(3):
            path = tmp_path / str(number)
            path.write_bytes(content)
            yield FileRange(path, 0, SIZE)
            path.unlink()

    assert b"".join([chunk async for chunk in chunks_of(pieces())]) == content * 3


async def test_no_more_than_a_chunk_is_read_ahead(file, monkeypatch) -> None:
    reads: list[int] = []
    read = chunks._File.read
    monkeypatch.setattr(chunks._File, "read", lambda self, at, length: reads.append(at) or read(self, at, length))
    several = chunks_of([FileRange(file, 0, SIZE)])
    await anext(several)
    assert sorted(reads) in ([0], [0, CHUNK])
    await several.aclose()


async def test_who_leaves_early_leaves_no_file_open(file) -> None:
    before = open_files()
    for _ in range(20):
        several = chunks_of([FileRange(file, 0, SIZE)])
        await anext(several)
        await several.aclose()
    assert open_files() == before


async def test_a_file_that_is_removed_while_it_is_sent_is_sent_whole(file, tmp_path) -> None:
    path = tmp_path / "going"
    path.write_bytes(file.read_bytes())
    several = chunks_of([FileRange(path, 0, SIZE)])
    first = await anext(several)
    path.unlink()
    assert first + b"".join([chunk async for chunk in several]) == file.read_bytes()


@pytest.mark.parametrize("length", [CHUNK, SIZE + 1])
async def test_a_file_that_is_gone_or_cut_ends_the_answer(file, tmp_path, length) -> None:
    path = file if length > SIZE else tmp_path / "none"
    before = open_files()
    with pytest.raises(StorageFailed):
        [chunk async for chunk in chunks_of([b"head", FileRange(path, 0, length)])]
    assert open_files() == before


def open_files() -> int:
    """How many this process has open, where the system tells it."""
    return len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0
