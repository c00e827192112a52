"""ZIP archives that are made while they are sent, read by Python's own module."""

from __future__ import annotations

import io
import zipfile

import pytest

from charrua_core.errors import StorageFailed
from charrua_core.types import FileRange
from charrua_core.web import Entry, zip_response, zipped


def read(piece: FileRange) -> bytes:
    with open(piece.path, "rb") as file:
        file.seek(piece.offset)
        return file.read(piece.length)


async def bytes_of(*entries: Entry) -> bytes:
    async def each():
        for entry in entries:
            yield entry

    answer = zip_response(each(), "1.2.3.zip")
    assert ("Content-Disposition", 'attachment; filename="1.2.3.zip"') in answer.headers
    content = b""
    async for piece in answer.body:
        content += read(piece) if isinstance(piece, FileRange) else piece
    return content


@pytest.mark.parametrize(("large", "many"), [(0xFFFFFFFF, 0xFFFF), (100, 0xFFFF), (1, 1), (0xFFFFFFFF, 2)], ids=str)
async def test_an_archive_is_read_whatever_of_it_is_large(tmp_path, monkeypatch, large, many) -> None:
    monkeypatch.setattr(zipped, "LARGE", large)
    monkeypatch.setattr(zipped, "MANY", many)
    (tmp_path / "file").write_bytes(b"before" + bytes(range(200)) + b"behind")
    entries = [
        Entry("a/first.dcm", [b"head", FileRange(tmp_path / "file", 6, 200)]),
        Entry("a/second.dcm", [b"12345"]),
        Entry("DICOMDIR", [b"x" * 300]),
    ]
    with zipfile.ZipFile(io.BytesIO(await bytes_of(*entries))) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["a/first.dcm", "a/second.dcm", "DICOMDIR"]
        assert archive.read("a/first.dcm") == b"head" + bytes(range(200))
        assert archive.read("DICOMDIR") == b"x" * 300


async def test_an_archive_of_nothing_is_one() -> None:
    with zipfile.ZipFile(io.BytesIO(await bytes_of())) as archive:
        assert archive.namelist() == []


@pytest.mark.parametrize("length", [10, 0])
async def test_a_file_that_is_gone_or_cut_ends_the_archive(tmp_path, length) -> None:
    if length:
        (tmp_path / "file").write_bytes(b"1")
    with pytest.raises(StorageFailed):
        await bytes_of(Entry("a", [FileRange(tmp_path / "file", 0, 10)]))
