"""Connections: how many, how long, over what; early answers, clients that vanish, and the end of the server."""

from __future__ import annotations

import asyncio
import functools
import gzip
import os
import ssl
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import httpx
import pytest

from charrua_core.testing.certificates import Authority
from charrua_core.testing.waiting import until
from charrua_web import certificates, listening, server
from charrua_web.connection import Patience

PLUGIN = """
    import asyncio
    from charrua_core.errors import StorageFull
    from charrua_core.types import FileRange
    from charrua_core.web import PUBLIC, Response, WebRoute, json_response

    SEEN = {"open": 0, "left": 0, "done": 0}

    async def say(request):
        return json_response({"said": "a" * 5000}, content_type="application/dicom+json")

    async def tagged(request):
        return Response(200, b"[" + b"1," * 2000 + b"1]", "application/json", [("ETag", '"one"')])

    async def text(request):
        async def pieces():
            for _ in range(100):
                yield b"row,of,a,table" * 10
        return Response(200, pieces(), "text/csv")

    async def length(request):
        return Response(200, str(len(await request.body(1000))).encode(), "text/plain")

    async def take(request):
        SEEN["open"] += 1
        try:
            total = 0
            async for part in request.stream():
                total += len(part)
            return Response(200, str(total).encode(), "text/plain")
        finally:
            SEEN["open"] -= 1

    async def big(request):
        async def pieces():
            SEEN["open"] += 1
            try:
                for _ in range(50):
                    yield FileRange(request.query.first("file"), 0, 4 << 20)
            finally:
                SEEN["open"] -= 1
        return Response(200, pieces(), "application/octet-stream")

    async def fails(request):
        async def pieces():
            yield b"x" * 100_000
            raise StorageFull
        return Response(200, pieces(), "application/octet-stream")

    async def slow(request):
        try:
            await asyncio.sleep(float(request.query.first("s", "0.3")))
            SEEN["done"] += 1
        except asyncio.CancelledError:
            SEEN["left"] += 1
            raise
        return Response(200, b"slow", "text/plain")

    async def seen(request):
        return json_response(SEEN)

    @hookimpl
    def web_routes():
        gets = {"/say": say, "/tagged": tagged, "/text": text, "/big": big, "/slow": slow, "/seen": seen, "/fails": fails}
        return [
            *(WebRoute("GET", path, call, PUBLIC, "Test", tag="Test") for path, call in gets.items()),
            *(WebRoute("POST", path, call, PUBLIC, "T", tag="T") for path, call in [("/length", length), ("/take", take)]),
            WebRoute("POST", "/slow", slow, PUBLIC, "Test", tag="Test"),
            WebRoute("POST", "/closed", length, "edit", "Test", tag="Test"),
        ]
"""


@pytest.fixture
def serve(serve_web, write_plugin, monkeypatch):
    """A function that starts a server whose connections are looked at often, and have little patience if so asked."""
    monkeypatch.setattr(listening, "CHECK_EVERY_S", 0.05)

    async def serve(settings=None, **patience: float):
        monkeypatch.setattr(server, "Patience", functools.partial(Patience, **patience))
        return await serve_web(settings, [write_plugin("serving", PLUGIN)])

    return serve


@pytest.fixture
def big_file(tmp_path: Path) -> str:
    path = tmp_path / "big"
    with path.open("wb") as file:
        file.truncate(4 << 20)
    return str(path)


async def opened(served, context: ssl.SSLContext | None = None):
    url = httpx.URL(served.url)
    return await asyncio.open_connection(url.host, url.port, ssl=context)


def request(method: str, path: str, *fields: str) -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *fields, "", ""]).encode()


async def status_of(reader) -> int:
    return int((await reader.readuntil(b"\r\n\r\n")).split()[1])


async def is_seen(served, **counts: int) -> bool:
    async with httpx.AsyncClient(base_url=served.url, verify=False) as client:
        found = (await client.get("/seen")).json()
    return all(found[name] == count for name, count in counts.items())


# -- answers before the end of the request -------------------------------------------------------------------------------
@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize(("path", "status"), [("/length", 413), ("/closed", 401), ("/nothing", 404), ("/say", 405)])
async def test_an_early_answer_arrives_though_the_body_still_comes(
    serve, path: str, status: int, chunked: bool
) -> None:
    served = await serve()
    body = b"x" * 3_000_000

    async def parts():
        for at in range(0, len(body), 50_000):
            yield body[at : at + 50_000]

    async with httpx.AsyncClient(base_url=served.url, verify=False) as client:
        answer = await client.post(path, content=parts() if chunked else body)
        assert answer.status_code == status
        assert (await client.get("/say")).status_code == 200


async def test_a_small_body_that_nobody_wants_does_not_cost_the_connection(serve) -> None:
    served = await serve()
    reader, writer = await opened(served)
    for _ in range(2):
        writer.write(request("POST", "/closed", "Content-Length: 5") + b"small")
        assert await status_of(reader) == 401
        await reader.readuntil(b"}")
    writer.close()


@pytest.mark.parametrize(("path", "answers"), [("/length", [100, 200]), ("/closed", [401])])
async def test_a_body_is_invited_when_its_sender_may_send_it(serve, path: str, answers: list[int]) -> None:
    served = await serve()
    reader, writer = await opened(served)
    writer.write(request("POST", path, "Content-Length: 3", "Expect: 100-continue"))
    for status in answers:
        assert await status_of(reader) == status
        if status == 100:
            writer.write(b"abc")
    writer.close()


async def test_an_upgrade_to_http_2_in_the_clear_is_not_taken(serve) -> None:
    served = await serve()
    reader, writer = await opened(served)
    writer.write(
        request("GET", "/seen", "Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABk")
    )
    assert await status_of(reader) == 200
    writer.close()


# -- limits --------------------------------------------------------------------------------------------------------------
async def test_idle_connections_make_room_and_busy_ones_do_not(serve) -> None:
    served = await serve({"web_max_connections_per_address": 5})
    idle = [await opened(served) for _ in range(8)]
    assert await idle[0][0].read() == b""
    busy = [await opened(served) for _ in range(5)]
    for _, writer in busy:
        writer.write(request("GET", "/slow?s=1"))
    await asyncio.sleep(0.2)
    reader, writer = await opened(served)
    writer.write(request("GET", "/say"))
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await status_of(reader)
    assert [await status_of(reader) for reader, _ in busy] == [200] * 5


@pytest.mark.parametrize(
    ("patience", "sent"),
    [
        ({"idle_s": 0.2}, b""),
        ({"head_s": 0.2}, b"GET / HTTP/1.1\r\nHost: x\r\n"),
        ({"head_s": 0.2}, b"G"),
    ],
)
async def test_a_connection_that_does_nothing_is_closed(serve, patience: dict[str, float], sent: bytes) -> None:
    served = await serve(**patience)
    reader, writer = await opened(served)
    async with asyncio.timeout(3):
        writer.write(sent)
        for _ in range(5):  # a byte now and then is not enough
            await asyncio.sleep(0.1)
            if sent:
                writer.write(b"a")
        assert await reader.read() == b""


async def test_a_body_that_stops_is_answered(serve) -> None:
    served = await serve({"web_stall": "1 s"})
    reader, writer = await opened(served)
    writer.write(request("POST", "/take", "Content-Length: 10") + b"abc")
    assert await status_of(reader) == 408
    await until(lambda: is_seen(served, open=0))
    writer.close()


async def test_a_header_that_is_too_long_is_refused(serve) -> None:
    served = await serve()
    reader, writer = await opened(served)
    writer.write(request("GET", "/say", *(f"X-{n}: {'x' * 1000}" for n in range(300))))
    assert await status_of(reader) == 431
    writer.close()


# -- clients that vanish or read slowly ----------------------------------------------------------------------------------
def state() -> tuple[int, int]:
    """Tasks and descriptors of this process."""
    return len(asyncio.all_tasks()), len(os.listdir("/proc/self/fd"))


async def test_nothing_is_left_of_clients_that_vanish(serve, big_file: str) -> None:
    served = await serve()
    assert await is_seen(served, open=0)
    before = state()
    asked = [
        request("GET", f"/big?file={big_file}"),
        request("POST", "/take", "Content-Length: 100000000") + b"x" * 100_000,
    ]
    clients = [await opened(served) for _ in range(50)]
    for number, (_, writer) in enumerate(clients):
        writer.write(asked[number % 2])
    for reader, _ in clients[::2]:
        await reader.readexactly(100_000)
    assert await is_seen(served, open=50)
    for _, writer in clients:
        writer.transport.abort()
    await until(lambda: is_seen(served, open=0))
    await until(lambda: sum(state()) <= sum(before) + 2)


async def test_who_only_asks_is_told_that_the_client_has_gone_and_who_changes_something_is_not(serve) -> None:
    served = await serve()
    for asked in (request("GET", "/slow"), request("POST", "/slow", "Content-Length: 0")):
        _, writer = await opened(served)
        writer.write(asked)
        await writer.drain()
        await asyncio.sleep(0.1)
        writer.transport.abort()
    await until(lambda: is_seen(served, left=1, done=1))


async def test_slow_readers_cost_little_and_are_cut(serve, big_file: str) -> None:
    os.truncate(big_file, 64 << 20)
    served = await serve({"web_stall": "1 s"})
    resident = _resident_bytes()
    clients = [await opened(served) for _ in range(20)]
    for _, writer in clients:
        writer.write(request("GET", f"/big?file={big_file}"))
    for reader, _ in clients:
        await reader.readexactly(1000)
    assert await is_seen(served, open=20)
    await until(lambda: is_seen(served, open=0))
    # Their answers have 1.3 GB; what else goes on in this process takes some memory, too.
    assert _resident_bytes() - resident < 128 << 20
    for _, writer in clients:
        writer.transport.abort()


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def test_a_reader_that_is_slow_but_goes_on_gets_everything(serve, big_file: str) -> None:
    served = await serve({"web_stall": "1 s"})
    total = 0
    async with (
        httpx.AsyncClient(base_url=served.url, verify=False) as client,
        client.stream("GET", f"/big?file={big_file}") as answer,
    ):
        async for part in answer.aiter_bytes(16 << 20):
            total += len(part)
            await asyncio.sleep(0.2)
    assert total == 200 << 20


# -- TLS and HTTP/2 ------------------------------------------------------------------------------------------------------
@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    folder = tmp_path / "tls"
    folder.mkdir()
    return Authority(folder, "ca")


@pytest.fixture
def files(authority: Authority) -> dict[str, str]:
    certificate, key = authority.issue("server")
    return {"web_tls_certificate": str(certificate), "web_tls_key": str(key)}


def break_file(path: str) -> None:
    Path(path).write_text("nonsense")


def trusting(**chosen) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    for name, value in chosen.items():
        setattr(context, name, value)
    return context


async def shown(served) -> bytes:
    """The certificate that a new connection sees."""
    _, writer = await opened(served, trusting())
    der: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return der


async def test_https_speaks_http_2_and_tells_browsers_to_insist(serve, files) -> None:
    served = await serve(files)
    assert served.url.startswith("https://")
    async with httpx.AsyncClient(base_url=served.url, verify=False, http2=True) as client:
        answer = await client.get("/say")
    assert (answer.http_version, answer.status_code) == ("HTTP/2", 200)
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


async def test_a_self_signed_certificate_is_made_and_not_insisted_on(serve) -> None:
    served = await serve({"web_tls": "self-signed"})
    async with httpx.AsyncClient(base_url=served.url, verify=False) as client:
        answer = await client.get("/say")
    assert (answer.http_version, answer.status_code) == ("HTTP/1.1", 200)
    assert "strict-transport-security" not in answer.headers


async def test_old_tls_is_refused(serve, files) -> None:
    served = await serve(files)
    old = trusting(minimum_version=ssl.TLSVersion.TLSv1, maximum_version=ssl.TLSVersion.TLSv1_1)
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await opened(served, old)


async def test_a_new_certificate_serves_new_connections_and_a_broken_one_is_told(
    serve, files, authority, monkeypatch
) -> None:
    monkeypatch.setattr(certificates, "LOOK_EVERY_S", 0.05)
    served = await serve(files)
    reader, writer = await opened(served, trusting())
    first = await shown(served)
    authority.issue("server")

    async def is_renewed() -> bool:
        return await shown(served) != first

    await until(is_renewed)
    second = await shown(served)
    break_file(files["web_tls_key"])
    await until(lambda: bool(served.server.certificate.problem))
    assert await shown(served) == second
    async with httpx.AsyncClient(base_url=served.url, verify=False) as client:
        client.headers["Authorization"] = f"Bearer {await served.token()}"
        found = {one["name"]: one for one in (await client.get("/health")).json()["findings"]}
    assert not found["web certificate"]["works"]
    writer.write(request("GET", "/say"))  # the connection from before serves on
    assert await status_of(reader) == 200
    writer.close()


async def test_the_plain_port_leads_to_https(serve, files) -> None:
    served = await serve({**files, "web_redirect_port": 0})
    plain = served.told.split()[2]
    async with httpx.AsyncClient(base_url=plain, verify=False) as client:
        answer = await client.get("/say?a=1")
        assert (answer.status_code, answer.headers["location"]) == (308, f"{served.url}/say?a=1")
        assert (await client.post("/login", json={})).status_code == 403


class H2Client:
    """A client of HTTP/2 that does as told."""

    @classmethod
    async def to(cls, served) -> H2Client:
        self = cls()
        context = trusting()
        context.set_alpn_protocols(["h2"])
        self.reader, self.writer = await opened(served, context)
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self.h2.initiate_connection()
        return self

    def begin(self, method: str, path: str, *, end: bool) -> int:
        stream = self.h2.get_next_available_stream_id()
        head = [(":method", method), (":path", path), (":authority", "localhost"), (":scheme", "https")]
        self.h2.send_headers(stream, head, end_stream=end)
        return stream

    async def flush(self) -> None:
        self.writer.write(self.h2.data_to_send())
        await self.writer.drain()

    async def events(self):
        while data := await self.reader.read(65536):
            for event in self.h2.receive_data(data):
                yield event
            await self.flush()


async def test_an_early_answer_over_http_2_leaves_other_requests_alone(serve, files) -> None:
    served = await serve(files)
    client = await H2Client.to(served)
    upload = client.begin("POST", "/length", end=False)
    for _ in range(4):
        client.h2.send_data(upload, b"x" * 10_000)
    other = client.begin("GET", "/slow", end=True)
    await client.flush()
    statuses: dict[int, bytes] = {}
    async with asyncio.timeout(5):
        async for event in client.events():
            if isinstance(event, h2.events.ResponseReceived):
                statuses[event.stream_id] = dict(event.headers)[b":status"]
            if len(statuses) == 2:
                break
    assert statuses == {upload: b"413", other: b"200"}


async def test_a_body_that_nobody_reads_yet_keeps_no_other_request_waiting(serve, files) -> None:
    served = await serve(files)
    client = await H2Client.to(served)
    upload = client.begin("POST", "/slow?s=2", end=False)
    await client.flush()
    for _ in range(6):
        client.h2.send_data(upload, b"x" * 10_000)
    other = client.begin("GET", "/say", end=True)
    await client.flush()
    async with asyncio.timeout(5):
        async for event in client.events():
            if isinstance(event, h2.events.ResponseReceived):
                break
    assert event.stream_id == other


async def test_a_large_body_arrives_over_http_2(serve, files) -> None:
    served = await serve(files)
    async with httpx.AsyncClient(base_url=served.url, verify=False, http2=True) as client:
        answers = await asyncio.gather(*(client.post("/take", content=b"x" * 3_000_000) for _ in range(4)))
    assert [(answer.http_version, answer.text) for answer in answers] == [("HTTP/2", "3000000")] * 4


@pytest.mark.parametrize("http2", [False, True])
async def test_a_stream_that_fails_in_its_middle_does_not_look_whole(serve, files, http2: bool) -> None:
    served = await serve(files)
    async with httpx.AsyncClient(base_url=served.url, verify=False, http2=http2) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get("/fails")
        assert (await client.get("/say")).status_code == 200


async def test_a_body_that_stops_over_http_2_is_answered(serve, files) -> None:
    served = await serve({**files, "web_stall": "1 s"})
    client = await H2Client.to(served)
    client.h2.send_data(client.begin("POST", "/take", end=False), b"abc")
    await client.flush()
    async with asyncio.timeout(5):
        async for event in client.events():
            if isinstance(event, h2.events.ResponseReceived):
                break
    assert dict(event.headers)[b":status"] == b"408"


async def test_a_client_that_resets_without_end_is_sent_away(serve, files) -> None:
    served = await serve(files)
    client = await H2Client.to(served)
    for _ in range(300):
        client.h2.reset_stream(client.begin("GET", "/slow?s=30", end=True))
        await client.flush()
    async with asyncio.timeout(5):
        ended = [event async for event in client.events() if isinstance(event, h2.events.ConnectionTerminated)]
    assert ended[0].error_code == h2.errors.ErrorCodes.ENHANCE_YOUR_CALM


# -- what every answer carries -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("path", ["/say", "/nothing", "/closed", "/whoami", "/text"])
async def test_every_answer_keeps_browsers_safe_and_patients_out_of_caches(serve, path: str) -> None:
    served = await serve()
    async with httpx.AsyncClient(base_url=served.url, verify=False) as client:
        answer = await client.get(path)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert "server" not in answer.headers


@pytest.mark.parametrize(
    ("path", "accepted", "packed"),
    [
        ("/say", "gzip", True),
        ("/say", "br, gzip;q=0.5", True),
        ("/text", "gzip", True),
        ("/say", "identity", False),
        ("/say", "gzip;q=0", False),
        ("/nothing", "gzip", False),
        ("/seen", "gzip", False),
    ],
)
async def test_text_of_some_length_goes_compressed_over_the_network(serve, path, accepted, packed) -> None:
    served = await serve({"web_trusted_proxies": "127.0.0.1"})
    async with httpx.AsyncClient(base_url=served.url, verify=False) as client:
        async with client.stream("GET", path, headers={"Accept-Encoding": accepted}) as answer:
            raw = b"".join([part async for part in answer.aiter_raw()])
        plain = await client.get(path, headers={"Accept-Encoding": "identity"})
    assert (answer.headers.get("content-encoding") == "gzip") == packed
    assert (gzip.decompress(raw) if packed else raw) == plain.content


async def test_a_tag_of_compressed_bytes_is_weak_and_nothing_is_packed_for_this_machine(serve) -> None:
    behind, here = await serve({"web_trusted_proxies": "127.0.0.1"}), await serve()
    for served, tag in ((behind, 'W/"one"'), (here, '"one"')):
        async with httpx.AsyncClient(base_url=served.url, verify=False) as client:
            answer = await client.get("/tagged")
        assert (answer.headers["etag"], answer.headers["cache-control"]) == (tag, "private, no-cache")


# -- the end -------------------------------------------------------------------------------------------------------------
async def test_the_end_lets_answers_be_finished_and_waits_for_nobody_idle(serve, monkeypatch) -> None:
    served = await serve()
    idle, half, busy = [await opened(served) for _ in range(3)]
    half[1].write(b"GET / HT")
    busy[1].write(request("GET", "/slow?s=0.5"))
    await asyncio.sleep(0.2)
    async with asyncio.timeout(3):
        await served.server.stop()
        assert await status_of(busy[0]) == 200
        assert await idle[0].read() == b""
    with pytest.raises(OSError):
        await opened(served)


async def test_the_end_breaks_off_what_takes_too_long(serve, big_file: str, monkeypatch) -> None:
    monkeypatch.setattr(server, "FINISH_WITHIN_S", 0.3)
    served = await serve()
    reader, writer = await opened(served)
    writer.write(request("GET", f"/big?file={big_file}"))
    await reader.readexactly(1000)
    async with asyncio.timeout(3):
        await served.server.stop()
    writer.transport.abort()


async def test_the_archive_ends_at_a_signal_and_comes_back_at_its_port(
    start_archive, write_plugin, big_file: str
) -> None:
    archive = await start_archive(plugins=[write_plugin("serving", PLUGIN)])
    url = archive.url
    idle, slow = await opened(archive), await opened(archive)
    idle[1].write(request("GET", "/say"))
    assert await status_of(idle[0]) == 200
    slow[1].write(request("GET", f"/big?file={big_file}"))
    await slow[0].readexactly(1000)
    assert await archive.stop() == 0
    await archive.start()
    assert archive.url == url
    assert await is_seen(archive, open=0)
