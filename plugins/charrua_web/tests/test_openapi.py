"""What the server says of its routes: as OpenAPI for tools, as a page for people, as a list for operators."""

from __future__ import annotations

import re

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from charrua_core.app import App, Start
from charrua_core.web import WebRoute, WebSocketRoute
from charrua_web.catalogue import make_table

PLUGIN = """
    from charrua_core.web import PUBLIC, Parameter, Response, WebRoute, WebSocketRoute

    async def nothing(request):
        return Response(204)

    @hookimpl
    def web_routes():
        limit = Parameter("limit", "How many", {"type": "integer", "minimum": 0, "maximum": 50})
        fields = Parameter("field", "What else <b>", repeated=True)
        return [
            WebRoute("GET", "/odd/{study}/{frames}", nothing, "query", "Look", tag="Odd things", bases=("/a", "/b"),
                query=(limit, fields), produces=('multipart/related; type="application/dicom"', "application/dicom+json"),
                statuses={200: "All", 406: "Not so"}),
            WebRoute("PUT", "/odd/{study}/{frames}", nothing, "edit", "Change", tag="Odd things", bases=("/a", "/b"),
                consumes=("application/dicom+json", "application/octet-stream"), statuses={204: "Done", 409: "Not now"}),
            WebRoute("GET", "/odd/rest/{path...}", nothing, PUBLIC, "Take the rest", tag="Odd things", statuses={200: ""}),
            WebRoute("GET", "/page", nothing, PUBLIC, "A hidden page", tag="Pages", hidden=True),
            WebSocketRoute("/odd/events/{aet}", nothing, "worklist", "Hear", tag="Odd things"),
        ]
"""


@pytest.fixture
async def archive(start_archive, write_plugin):
    return await start_archive(plugins=[write_plugin("odd", PLUGIN)])


@pytest.fixture
async def document(browse):
    return (await (await browse(None)).get("/openapi.json")).json()


def test_every_route_of_what_is_installed_is_in_a_valid_document() -> None:
    from charrua_web.openapi import document, path_of

    routes = make_table(App(Start({}), (), {}))[0].routes
    told = document(routes)
    OpenAPIV31SpecValidator(told).validate()
    for route in routes:
        if isinstance(route, WebRoute) and not route.hidden:
            assert route.method.lower() in told["paths"][path_of(route, route.bases[0])]
    assert len(told["x-websockets"]) == sum(isinstance(route, WebSocketRoute) for route in routes)


async def test_the_document_of_the_running_archive_is_valid_and_describes_itself(document) -> None:
    OpenAPIV31SpecValidator(document).validate()
    assert {"/health", "/openapi.json", "/a/odd/{study}/{frames}", "/odd/rest/{path}"} <= set(document["paths"])
    assert "/page" not in document["paths"]


async def test_an_operation_says_what_it_takes_and_gives_and_who_may(document) -> None:
    look = document["paths"]["/a/odd/{study}/{frames}"]["get"]
    assert (look["x-permission"], look["security"]) == ("query", [{"bearer": []}, {"basic": []}])
    assert "`/b/odd/{study}/{frames}`" in look["description"]
    study, frames, limit, fields = look["parameters"]
    assert study == {"name": "study", "in": "path", "required": True, "schema": {"$ref": "#/components/schemas/Uid"}}
    assert re.fullmatch(frames["schema"]["pattern"], "1,2")
    assert (limit["schema"]["maximum"], fields["schema"]["type"]) == (50, "array")
    assert set(look["responses"]) == {"200", "400", "401", "403", "406", "default"}
    assert 'multipart/related; type="application/dicom"' in look["responses"]["200"]["content"]
    assert "application/problem+json" in look["responses"]["406"]["content"]


async def test_an_operation_with_a_body_names_its_media_types_and_one_without_answer_none(document) -> None:
    change = document["paths"]["/a/odd/{study}/{frames}"]["put"]
    assert set(change["requestBody"]["content"]) == {"application/dicom+json", "application/octet-stream"}
    assert "content" not in change["responses"]["204"]


async def test_what_anybody_may_asks_for_no_log_in(document) -> None:
    assert document["paths"]["/odd/rest/{path}"]["get"]["security"] == []


async def test_websockets_stand_beside_the_paths(document) -> None:
    (hear,) = [one for one in document["x-websockets"] if one["path"] == "/odd/events/{aet}"]
    assert (hear["summary"], hear["permission"]) == ("Hear", "worklist")


async def test_the_page_shows_every_service_and_runs_nothing(browse) -> None:
    client = await browse(None)
    page = await client.get("/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    for shown in (
        "<i>/{study}</i>",
        "<code>/b/odd/{study}/{frames}</code>",
        "Odd things",
        "SOCKET",
        "What else &lt;b&gt;",
        "integer, 0 to 50",
    ):
        assert shown in page.text
    assert "A hidden page" not in page.text
    assert not re.search(r"<script|style=| on\w+=|https?://", page.text)
    assert "default-src 'none'" in page.headers["content-security-policy"]
    style = re.search(r'href="([^"]+\.css)"', page.text)
    assert style
    assert (await client.get(style[1])).headers["content-type"].startswith("text/css")


async def test_a_page_refuses_in_the_shape_of_all_errors(browse) -> None:
    client = await browse(None)
    for method, path, status in (
        ("POST", "/docs", 405),
        ("GET", "/static/../server.py", 404),
        ("GET", "/static/", 404),
    ):
        answer = await client.request(method, path)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


async def test_operators_list_the_routes_and_who_may_call_them(archive) -> None:
    told = await archive.run("routes")
    for base in ("/a", "/b"):
        assert re.search(rf"^GET +{base}/odd/{{study}}/{{frames}} +query +Look$", told, re.MULTILINE)
    assert '"openapi": "3.1.0"' in await archive.run("routes", "--openapi")
    assert "| PUT | `/a/odd/{study}/{frames}` | edit | Change |" in await archive.run("routes", "--docs")
