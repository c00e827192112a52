"""WebSockets: who may open one, what passes through, and how each side's end reaches the other."""

from __future__ import annotations

import asyncio
import json

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from charrua_core.testing.waiting import until
from charrua_web import websocket

PLUGIN = """
    import asyncio
    from charrua_core.errors import StudyNotFound
    from charrua_core.web import Gone, Response, WebRoute, WebSocketRoute

    OPEN = []

    async def echo(socket):
        OPEN.append(socket)
        try:
            await socket.send(f"{socket.identity.name} {socket.query.first('said')} {socket.parameters['study']}")
            while True:
                await socket.send(await socket.receive())
        finally:
            OPEN.remove(socket)

    async def quiet(socket):
        OPEN.append(socket)
        try:
            await asyncio.sleep(3600)
        finally:
            OPEN.remove(socket)

    async def once(socket):
        await socket.send("once")

    async def missing(socket):
        raise StudyNotFound

    async def broken(socket):
        raise ZeroDivisionError("Doe^John")

    async def count(request):
        return Response(200, str(len(OPEN)).encode(), "text/plain")

    @hookimpl
    def web_routes():
        calls = {"/echo/{study}": echo, "/quiet": quiet, "/once": once, "/missing": missing, "/broken": broken}
        return [
            WebRoute("GET", "/count", count, "query", "Count", tag="Test"),
            WebSocketRoute("/edit", quiet, "edit", "Test editing", "Test"),
            *(WebSocketRoute(path, call, "query", "Test", "Test", ("/ws",)) for path, call in calls.items()),
        ]
"""


@pytest.fixture
async def archive(serve_web, write_plugin):
    return await serve_web(plugins=[write_plugin("talking", PLUGIN)])


@pytest.fixture
async def opening(archive):
    """A function that opens a WebSocket: `async with opening("/ws/once") as socket`."""
    token = await archive.token("Referring")

    def opening(path: str, *, token: str = token, **more):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return connect(archive.url.replace("http", "ws") + path, additional_headers=headers, **more)

    return opening


async def test_messages_pass_both_ways(opening) -> None:
    async with opening("/ws/echo/1.2.3?said=hello") as socket:
        assert await socket.recv() == "referring1 hello 1.2.3"
        for text in ("a", "ñandú " * 1000):
            await socket.send(text)
            assert await socket.recv() == text


@pytest.mark.parametrize(
    ("path", "token", "status"),
    [
        ("/ws/quiet", "", 401),
        ("/ws/quiet", "nonsense", 401),
        ("/edit", None, 403),
        ("/ws/nothing", None, 404),
        ("/ws/echo/1..2", None, 400),
        ("/count", None, 405),
    ],
)
async def test_who_may_not_open_one_gets_a_status(opening, path: str, token: str | None, status: int) -> None:
    given = {} if token is None else {"token": token}
    with pytest.raises(InvalidStatus) as refused:
        async with opening(path, **given):
            pass
    assert refused.value.response.status_code == status
    assert json.loads(refused.value.response.body)["status"] == status


async def test_a_plain_request_is_told_that_a_websocket_is_here(archive, browse) -> None:
    answer = await (await browse()).get("/ws/quiet")
    assert (answer.status_code, answer.headers["upgrade"]) == (426, "websocket")


@pytest.mark.parametrize(("path", "code"), [("/ws/once", 1000), ("/ws/missing", 4404), ("/ws/broken", 1011)])
async def test_the_end_of_the_handler_closes_it_with_the_reason(opening, path: str, code: int) -> None:
    async with opening(path) as socket:
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                assert await socket.recv() == "once"
    assert closed.value.rcvd.code == code
    assert "Doe" not in closed.value.rcvd.reason


@pytest.mark.parametrize("path", ["/ws/quiet", "/ws/echo/1.2"])
@pytest.mark.parametrize("rude", [False, True])
async def test_the_handler_ends_when_the_client_goes(browse, opening, path: str, rude: bool) -> None:
    client = await browse()

    async def are_open(number: str) -> bool:
        return (await client.get("/count")).text == number

    async with opening(path) as socket:
        await until(lambda: are_open("1"))
        if rude:
            socket.transport.abort()
    await until(lambda: are_open("0"))


@pytest.mark.parametrize(("sent", "code"), [(b"bytes", 1003), (["x"] * 500, 1008), ("x" * 2_000_000, 1009)])
async def test_a_client_that_sends_what_none_will_read_is_cut_off(opening, sent, code: int) -> None:
    async with opening("/ws/quiet") as socket:
        with pytest.raises(ConnectionClosed) as closed:
            for one in sent if isinstance(sent, list) else [sent]:
                await socket.send(one)
            await socket.recv()
    assert closed.value.rcvd.code == code


async def test_it_is_closed_when_its_token_is_revoked(archive, monkeypatch) -> None:
    monkeypatch.setattr(websocket, "PROVE_EVERY_S", 0.1)
    token = await archive.token("Referring")
    url = archive.url.replace("http", "ws") + "/ws/quiet"
    async with connect(url, additional_headers={"Authorization": f"Bearer {token}"}) as socket:
        await archive.app.accounts.revoke_token(token, by="admin")
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
    assert closed.value.rcvd.code == 4401


@pytest.mark.parametrize(("origin", "opens"), [("own", True), ("https://evil.example", False), (None, False)])
async def test_no_other_site_opens_one_by_the_cookie(archive, origin: str | None, opens: bool) -> None:
    identity = await archive.app.accounts.identity(await archive.user("Referring"))
    session = await archive.app.accounts.sessions.begin(identity, address="", agent="")
    given = archive.url if origin == "own" else origin
    fields = {"Cookie": f"charrua={session}", **({"Origin": given} if given else {})}
    opening = connect(archive.url.replace("http", "ws") + "/ws/once", additional_headers=fields)
    if opens:
        async with opening as socket:
            assert await socket.recv() == "once"
        return
    with pytest.raises(InvalidStatus) as refused:
        async with opening:
            pass
    assert refused.value.response.status_code == 403


async def test_all_are_closed_when_the_server_ends(archive, opening) -> None:
    async with opening("/ws/quiet") as one, opening("/ws/echo/1.2") as other:
        stopping = asyncio.create_task(archive.server.stop())
        for socket in (one, other):
            with pytest.raises(ConnectionClosed) as closed:
                while True:
                    await socket.recv()
            assert closed.value.rcvd.code == 1001
        await stopping
