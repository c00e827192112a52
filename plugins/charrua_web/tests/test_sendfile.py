"""Ranges of files sent from where they lie: whole and in order, and nothing left open when a client goes away."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import httpx
import pytest

PLUGIN = """
    import os
    from pathlib import Path
    from charrua_core.types import FileRange
    from charrua_core.web import PUBLIC, Part, Response, WebRoute, multipart_response

    PATH = os.environ["CHARRUA_TEST_FILE"]

    async def pieces(request):
        size = os.path.getsize(PATH)
        return Response(200, [b"head", FileRange(PATH, 1000, size - 2000), b"middle", FileRange(PATH, 0, size), b"end"])

    async def stream(request):
        async def each():
            for number in range(3):
                path = Path(PATH).with_name(str(number))
                path.write_bytes(Path(PATH).read_bytes())
                yield b"part"
                yield FileRange(path, 0, path.stat().st_size)
                path.unlink()

        return Response(200, each())

    async def short(request):
        return Response(200, [FileRange(PATH, 0, os.path.getsize(PATH) + 5)])

    async def gone(request):
        return Response(200, [FileRange(PATH + "none", 0, 1 << 20)])

    @hookimpl
    def web_routes():
        calls = {"/pieces": pieces, "/stream": stream, "/short": short, "/gone": gone}
        return [WebRoute("GET", path, call, PUBLIC, "Test", tag="Test") for path, call in calls.items()]
"""


@pytest.fixture
def file(tmp_path) -> Path:
    path = tmp_path / "content"
    path.write_bytes(os.urandom(5_000_000))
    return path


@pytest.fixture
async def archive(start_archive, write_plugin, file):
    env = {"CHARRUA_TEST_FILE": str(file)}
    return await start_archive(plugins=[write_plugin("sending", PLUGIN)], settings={"web_stall": "2 s"}, env=env)


def descriptors(archive) -> list[str]:
    """What the server has open: sockets and the files of the test."""
    folder = Path(f"/proc/{archive.process.pid}/fd")
    open_ones = [os.readlink(one) for one in folder.iterdir() if one.exists()]
    return sorted(one for one in open_ones if "content" in one)


def connected(archive) -> socket.socket:
    url = httpx.URL(archive.url)
    return socket.create_connection((url.host, url.port))


async def test_bytes_of_memory_and_of_files_come_in_their_order(browse, file) -> None:
    content, client = file.read_bytes(), await browse(None)
    whole = b"head" + content[1000:-1000] + b"middle" + content + b"end"
    for _ in range(3):
        answer = await client.get("/pieces")
        assert int(answer.headers["content-length"]) == len(whole)
        assert answer.content == whole


async def test_a_file_is_sent_before_its_maker_is_asked_for_the_next(browse, file) -> None:
    answer = await (await browse(None)).get("/stream")
    assert answer.content == (b"part" + file.read_bytes()) * 3


@pytest.mark.parametrize("path", ["/short", "/gone"])
async def test_a_file_that_is_gone_or_cut_breaks_the_answer_off(browse, path) -> None:
    client = await browse(None)
    with pytest.raises(httpx.RemoteProtocolError):
        await client.get(path)
    assert (await client.get("/health")).status_code == 200


async def test_clients_that_vanish_or_take_nothing_leave_nothing_open(archive, file) -> None:
    several = [connected(archive) for _ in range(10)]
    for one in several:
        one.sendall(b"GET /pieces HTTP/1.1\r\nHost: here\r\n\r\n")
        one.recv(1000)
    for one in several[:5]:
        one.close()
    await asyncio.sleep(6)  # longer than the others may take nothing
    assert descriptors(archive) == []
    assert all(taken(one) < 2 * len(file.read_bytes()) - 2000 for one in several[5:])


def taken(client: socket.socket) -> int:
    """Bytes that still come, until the server's end."""
    client.settimeout(5)
    number = 0
    try:
        while part := client.recv(1 << 16):
            number += len(part)
    except ConnectionError:
        pass
    return number
