"""Who sees what over HTTP: every route × every caller × objects inside and outside the caller's row filter.

The cells come from the table of routes, so that a new route is among them; one that needs more than its path says fails
`test_every_route_can_be_called` until it has a recipe.

Every day has its part of the cells, with every route among them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from charrua_core.app import App, Start
from charrua_core.testing.access import (
    KINDS,
    Answer,
    Caller,
    Cell,
    Matrix,
    Study,
    Target,
    a_shelved_study,
    judged,
)
from charrua_core.testing.daily import is_todays
from charrua_core.testing.devices import Modality
from charrua_core.testing.objects import an_object
from charrua_core.web import WebRoute, WebSocketRoute
from charrua_web.catalogue import make_table
from charrua_web.rendering.pages import is_page

from .access_asks import DICOM_JSON, workitem_of
from .access_callers import make_callers, make_visitors, session_of
from .access_recipes import RECIPES

CHANGING = {
    *("/health", "/metrics", "/openapi.json", "/createlink", "/shares", "/studies/list.pdf"),
    *("/setup", "/setup/storage", "/storage", "/setup/plugins", "/plugins"),
    *("/setup/troubles", "/troubles", "/troubles/count"),
    *("/download", "/studies/{study}/download", "/disc", "/studies/{study}/disc"),
}
"""What is about the server or about links, not about objects, or tells the time, or has a new UID each time (a DICOMDIR): it
may say other things a moment later."""
OF_SESSIONS = {"/login", "/logout", "/password", "/share", "/portal"}
"""What begins or ends sessions: the one that is tested would end with them."""
PUBLIC_PAGES = {"/static/<path:filename>"}


# -- what there is to call ----------------------------------------------------------------------------------------------
async def shelve(modality) -> dict[str, Study]:
    """Store one study of each kind."""
    studies = {}
    for kind in KINDS:
        studies[kind], objects = a_shelved_study(kind)
        await modality.give(objects)
    return studies


def routes_of(*plugins: str) -> list[WebRoute | WebSocketRoute]:
    return list(make_table(App(Start({}, plugins=plugins), (), {}))[0].routes)


def calls_today(route: WebRoute, caller: Caller) -> bool:
    """Whoever sees CR calls every route, of all others each day two or three."""
    return caller.name == "Admin-CR" or is_todays(route.method, route.path, caller.name, parts=4)


def some_of(routes: Sequence[WebRoute]) -> list[WebRoute]:
    """A third of the routes."""
    return [route for route in routes if is_todays(route.method, route.path, parts=3)]


def requests_of(routes: Sequence[WebRoute | WebSocketRoute]) -> list[WebRoute]:
    return [route for route in routes if isinstance(route, WebRoute)]


# -- what holds ----------------------------------------------------------------------------------------------------------
def test_every_route_can_be_called_and_every_recipe_is_of_a_route() -> None:
    matrix = Matrix([], {}, RECIPES)
    routes = requests_of(routes_of())
    for route in routes:
        assert matrix.asks(route, Target.absent())
    known = {f"{way} {route.path}" for route in routes for way in (route.method, *(["PAGE"] if is_page(route) else []))}
    assert RECIPES.keys() <= known


def test_what_is_answered_beside_the_routes_is_for_anybody() -> None:
    _, pages = make_table(App(Start({}), (), {}))
    assert {rule.rule for rule in pages.quart.url_map.iter_rules()} == PUBLIC_PAGES


@pytest.mark.always
@pytest.mark.settings(media_most_pictures=0)  # pictures on media take most of the time, and are those of /rendered
async def test_nobody_sees_or_does_more_than_role_and_filter_say(archive, modality) -> None:
    matrix = Matrix(await make_callers(archive), await shelve(modality), RECIPES, calls=calls_today)
    routes = requests_of(routes_of())
    cells = matrix.cells(routes)
    await modality.give(matrix.objects)
    await schedule(archive.url, matrix.callers[0], cells)
    faults = judged(await matrix.run(archive.url, cells))
    print(f"{len(cells)} cells of {len(routes)} routes")
    assert not faults, f"{len(faults)} faults:\n" + "\n".join(faults[:40])


async def test_a_visitor_sees_what_they_came_for_and_nothing_else(archive, modality) -> None:
    studies = await shelve(modality)
    await modality.give(a_shelved_study("CR")[1])
    matrix = Matrix(await make_visitors(archive, studies), studies, RECIPES)
    routes = [route for route in requests_of(routes_of()) if route.path not in OF_SESSIONS]
    faults = judged(await matrix.run(archive.url, matrix.cells(routes)))
    assert not faults, f"{len(faults)} faults:\n" + "\n".join(faults[:40])


async def test_a_session_sees_what_its_user_sees(archive, modality) -> None:
    """But /createlink, which takes no cookie."""
    matrix = Matrix([await session_of("Manager", "CR", archive)], await shelve(modality), RECIPES)
    routes = [route for route in some_of(requests_of(routes_of())) if route.path not in OF_SESSIONS | {"/createlink"}]
    cells = matrix.cells(routes)
    await modality.give(matrix.objects)
    await schedule(archive.url, Caller("Admin", {"Authorization": f"Bearer {await archive.token()}"}), cells)
    faults = judged(await matrix.run(archive.url, cells))
    assert not faults, f"{len(faults)} faults:\n" + "\n".join(faults[:40])


async def test_what_is_hidden_changes_no_answer(archive, modality) -> None:
    """No count, total, order or ETag differs when more is stored that the caller does not see."""
    callers = [caller for caller in await make_callers(archive) if caller.name == "Admin-CR"]
    studies = await shelve(modality)
    matrix = Matrix(callers, studies, RECIPES)
    admin = Caller("Admin", {"Authorization": f"Bearer {await archive.token()}"})
    routes = [one for one in some_of(requests_of(routes_of())) if one.method == "GET" and one.path not in CHANGING]
    cells = [cell for cell in matrix.cells(routes) if cell.method == "GET" and cell.base == cell.route.bases[0]]
    await schedule(archive.url, admin, cells)
    before = await matrix.run(archive.url, cells)
    await shelve_more(modality, studies)
    hidden = Target.of(a_shelved_study("MR")[0], "MR")
    await schedule(archive.url, admin, [replace(cell, target=hidden) for cell in cells if cell.ask.values])
    after = await matrix.run(archive.url, cells)
    told = [difference(cell, was, now) for (cell, was), (_, now) in zip(before, after, strict=True) if was != now]
    assert not told, "\n".join(told[:20])


def difference(cell: Cell, was: Answer, now: Answer) -> str:
    """What became of an answer, in words."""
    here = next((at for at, (one, other) in enumerate(zip(was.body, now.body, strict=False)) if one != other), 0)
    bodies = f"{was.body[max(here - 60, 0) : here + 60]!r} became {now.body[max(here - 60, 0) : here + 60]!r}"
    return f"{cell}: {was.status} became {now.status}; {set(was.headers.split()) ^ set(now.headers.split())}; {bodies}"


async def schedule(url: str, caller: Caller, cells: Sequence[Cell]) -> None:
    """Create the workitems that cells name."""
    named = {
        cell.target.series: cell.target for cell in cells if "workitem" in cell.ask.values and cell.target.modality
    }
    async with httpx.AsyncClient(base_url=url, headers={**caller.headers, **DICOM_JSON}, verify=False) as client:
        for target in named.values():
            answer = await client.post("/dicom-web/workitems", content=workitem_of(target))
            assert answer.status_code == 201, answer.text


async def shelve_more(modality, studies: Mapping[str, Study]) -> None:
    """Store a further study, series and object that the filter Modality=CR hides."""
    await modality.give(a_shelved_study("MR")[1])
    both = studies["BOTH"]
    known = {"StudyInstanceUID": both.uid, "PatientID": both.patient_id, "Modality": "MR"}
    await modality.give(
        an_object(**known, SeriesInstanceUID=both.series["MR"].uid, InstanceNumber=2),
        an_object(**known, SeriesNumber=9),
    )


async def test_websockets_open_to_who_has_the_permission(archive) -> None:
    callers = await make_callers(archive)
    for number, route in enumerate(one for one in routes_of() if isinstance(one, WebSocketRoute)):
        for caller in callers:
            path = route.bases[0] + route.path.replace("{aet}", "AET")
            # An address from which credentials often fail has to wait.
            status = await opens(archive.url, path, caller, f"127.1.1.{number + 1}")
            assert status == caller.refusal(route.permission), f"{path} {caller.name}"


async def opens(url: str, path: str, caller: Caller, address: str) -> int | None:
    """Give the status with which a WebSocket is refused, None where it opens."""
    headers = dict(caller.headers)
    try:
        async with connect(url.replace("http", "ws", 1) + path, additional_headers=headers, local_addr=(address, 0)):
            return None
    except InvalidStatus as refused:
        return refused.response.status_code


# -- the matrix finds leaks ----------------------------------------------------------------------------------------------
LEAKS = """
    from sqlalchemy import text
    from charrua_core.errors import StudyNotFound
    from charrua_core.web import HttpError, Response, WebRoute, json_response

    async def rows(request, statement, **given):
        async with request.app.db.reading() as connection:
            return [list(row) for row in await connection.execute(text(statement), given)]

    async def unfiltered(request):
        found = await rows(request, "select study_uid from core.study where study_uid = :uid", uid=request.parameters["study"])
        if not found:
            raise StudyNotFound
        return json_response(found)

    async def listing(request):
        return json_response(await rows(request, "select patient_name from core.study"))

    async def header(request):
        (uids,) = await rows(request, "select string_agg(study_uid, ',') from core.study")
        return Response(200, b"[]", "application/json", [("X-Studies", uids[0])])

    async def oracle(request):
        found = await rows(request, "select 1 from core.study where study_uid = :uid", uid=request.parameters["study"])
        raise HttpError(404, "you may not see this study" if found else "there is no such study")

    async def shape(request):
        return Response(404, b"<h1>Not here</h1>", "text/html")

    @hookimpl
    def web_routes():
        calls = {"unfiltered/{study}": unfiltered, "listing": listing, "header": header, "oracle/{study}": oracle,
            "shape/{study}": shape}
        return [WebRoute("GET", f"/leak/{path}", call, "query", "Leak", tag="Leaks") for path, call in calls.items()]
"""


async def test_the_matrix_finds_leaks(start_archive, write_plugin) -> None:
    plugin = write_plugin("leaks", LEAKS)
    archive = await start_archive(plugins=[plugin])
    callers = [one for one in await make_callers(archive) if one.name in ("Admin", "Admin-CR", "nobody")]
    matrix = Matrix(callers, await shelve(Modality(archive.peer)))
    cells = matrix.cells(route for route in requests_of(routes_of(plugin)) if route.tag == "Leaks")
    faults = judged(await matrix.run(archive.url, cells))
    for leak in ("unfiltered", "listing", "header", "oracle", "shape"):
        assert any(f"/leak/{leak}" in fault for fault in faults), leak
