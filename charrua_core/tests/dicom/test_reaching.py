"""Reaching a peer: each way to fail is told apart, and what it takes is told."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace

import pytest

from charrua_core.dicom.reaching import Reached, reach
from charrua_core.settings import Settings
from charrua_core.settings.core import SETTINGS
from charrua_core.types import Peer

HERE = "127.0.0.1"


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings.load(SETTINGS, {"CHARRUA_DATA_DIR": str(tmp_path)}, {})


def a_free_port() -> int:
    with socket.socket() as free:
        free.bind((HERE, 0))
        return int(free.getsockname()[1])


async def answered_by(settings: Settings, answer, **fields) -> Reached:
    """What is reached at a port where somebody answers who is no archive."""
    server = await asyncio.start_server(answer, HERE, 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        return await reach(settings, Peer("WS1", HERE, port, timeout_s=1, **fields))


async def test_one_that_answers_is_told_with_what_it_takes(settings, scp) -> None:
    found = await reach(settings, scp.peer)
    assert found.works
    assert (found.address, found.takes[:2]) == (HERE, ["C-ECHO", "CT"])
    assert "Worklist" in found.refuses
    assert 0 < found.seconds < 5


async def test_one_that_may_come_from_anywhere_is_not_called(settings) -> None:
    assert (await reach(settings, Peer("WS1", "*", 104))).step == "address"


async def test_a_name_that_nobody_knows(settings) -> None:
    assert (await reach(settings, Peer("WS1", "nowhere.invalid", 104))).step == "name"


async def test_a_port_where_nobody_listens(settings) -> None:
    found = await reach(settings, Peer("WS1", HERE, a_free_port(), timeout_s=2))
    assert (found.step, found.why) == ("connection", "Connection refused")


async def test_one_who_listens_and_says_nothing(settings) -> None:
    async def silent(reader, writer):
        await reader.read()
        writer.close()

    found = await answered_by(settings, silent)
    assert (found.step, found.why) == ("connection", "no answer")


async def test_tls_with_one_who_speaks_none(settings) -> None:
    async def rude(_reader, writer):
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    assert (await answered_by(settings, rude, tls_mode="encrypt")).step == "tls"


async def test_one_who_rejects_says_why(settings, scp) -> None:
    async def reject(_request):
        from charrua_core.dicom.pdu import CALLED_AE_NOT_RECOGNIZED

        return CALLED_AE_NOT_RECOGNIZED

    scp.acceptor.admit = reject
    found = await reach(settings, replace(scp.peer, aet="PACS1"))
    assert (found.step, found.reason) == ("association", (1, 1, 7))
