"""The front door: who may come in, and how a request that fails is told why."""

from __future__ import annotations

import httpx
import pytest

PLUGIN = """
    from charrua_core.errors import StorageFull
    from charrua_core.web import PUBLIC, Response, WebRoute

    async def say(request):
        return Response(200, f"{request.identity.name} at {request.base}".encode(), "text/plain")

    async def full(request):
        raise StorageFull

    async def broken(request):
        raise ZeroDivisionError("Doe^John")

    async def stream(request):
        async def pieces():
            if "early" in request.query:
                raise StorageFull
            yield b"one "
            yield b"two"

        return Response(200, pieces(), "text/plain")

    async def length(request):
        return Response(200, str(len(await request.body(1000))).encode(), "text/plain")

    async def rest(request):
        return Response(200, request.parameters["path"].encode(), "text/plain")

    @hookimpl
    def web_routes():
        calls = {"/say": say, "/full": full, "/broken": broken, "/stream": stream, "/all/{path...}": rest}
        routes = [WebRoute("GET", path, call, "query", "Test", tag="Test", bases=("/here",)) for path, call in calls.items()]
        return [
            *routes,
            WebRoute("GET", "/of/{study}", say, "edit", "Test a study", tag="Test"),
            WebRoute("POST", "/length", length, PUBLIC, "Count", tag="Test"),
        ]
"""


@pytest.fixture
async def archive(serve_web, write_plugin):
    return await serve_web(plugins=[write_plugin("answering", PLUGIN)])


async def test_a_caller_is_known_by_token(archive, browse) -> None:
    client = await browse("Referring")
    answer = await client.get("/here/say")
    assert answer.text == f"referring1 at {archive.url}/here"


async def test_a_caller_is_known_by_name_and_password(archive, browse) -> None:
    await archive.app.accounts.add("rosa", "Referring", "a good password", by="test")
    client = await browse(None)
    assert (await client.get("/here/say", auth=("rosa", "a good password"))).status_code == 200
    wrong = await client.get("/here/say", auth=("rosa", "a bad password"))
    assert wrong.status_code == 401
    assert wrong.json()["detail"] == "name or password is wrong"


async def test_nobody_is_asked_to_log_in(browse) -> None:
    answer = await (await browse(None)).get("/here/say")
    assert answer.status_code == 401
    assert [value.split()[0] for value in answer.headers.get_list("www-authenticate")] == ["Bearer", "Basic"]


@pytest.mark.parametrize("given", ["Bearer", "Bearer nonsense", "Basic !", "Basic bm9jb2xvbg==", "Negotiate abc"])
async def test_credentials_that_prove_nothing_are_refused(browse, given: str) -> None:
    client: httpx.AsyncClient = await browse(None)
    assert (await client.get("/here/say", headers={"Authorization": given})).status_code == 401


async def test_a_route_wants_its_permission_and_refusals_are_in_the_trail(archive, browse) -> None:
    client = await browse("Referring")
    answer = await client.get("/of/1.2.3")
    assert (answer.status_code, answer.headers["content-type"]) == (403, "application/problem+json")
    assert "Test a study" in answer.json()["detail"]
    assert (await (await browse("Manager")).get("/of/1.2.3")).status_code == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/here/full", 507),
        ("/here/broken", 500),
        ("/here/stream?early", 507),
        ("/here/say?a=%ff", 400),
        ("/here/say?a=%00", 400),
        ("/here/all/a%00b", 400),
        ("/here/say/more", 404),
        ("/of/1..2", 400),
        ("/of/1.2/", 200),
        ("/nothing", 404),
    ],
)
async def test_every_failure_has_one_shape(archive, browse, path: str, status: int) -> None:
    answer = await (await browse()).get(path)
    assert answer.status_code == status
    if status != 200:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == status
        assert "Doe" not in answer.text


async def test_a_method_that_a_path_does_not_have_names_those_it_has(browse) -> None:
    answer = await (await browse()).post("/here/say")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


async def test_a_stream_arrives_whole_and_head_tells_of_it_alone(browse) -> None:
    client = await browse()
    assert (await client.get("/here/stream")).text == "one two"
    assert (await client.head("/here/stream")).content == b""


async def test_a_body_has_a_limit_whether_its_length_is_said_or_not(browse) -> None:
    client = await browse(None)

    async def parts():
        for _ in range(20):
            yield b"x" * 100

    assert (await client.post("/length", content=b"x" * 1000)).text == "1000"
    assert (await client.post("/length", content=b"x" * 1001)).status_code == 413
    assert (await client.post("/length", content=parts())).status_code == 413


async def test_the_rest_of_a_path_is_one_variable(browse) -> None:
    assert (await (await browse()).get("/here/all/00091010/0/00080005")).text == "00091010/0/00080005"


async def test_an_answer_before_the_end_of_the_body_arrives(browse) -> None:
    client = await browse()
    for _ in range(5):
        assert (await client.post("/length", content=bytes(20_000_000))).status_code == 413
        assert (await client.post("/here/say", content=bytes(2_000_000))).status_code == 405
