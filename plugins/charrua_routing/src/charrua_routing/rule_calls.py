"""Rules over HTTP: looked at, changed with the version that one has seen, explained, tried on the past."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from charrua_core import audit
from charrua_core.types import is_valid_uid
from charrua_core.web import (
    HttpError,
    Parameter,
    Request,
    Response,
    WebRoute,
    json_response,
    number_in_query,
    object_of,
)
from charrua_routing import explaining, facts, replaying, rules
from charrua_routing.bodies import MOST_BYTES, as_json, json_of, moment, number_of, version_in, who
from charrua_routing.reading import Fields
from charrua_routing.rule import Rule, read_rules

if TYPE_CHECKING:
    from charrua_core.app import App

_LONGEST = timedelta(days=3660)
_MOST_REPLAYED = 20_000


async def list_rules(request: Request) -> Response:
    """Give all rules in the order in which they are applied."""
    return json_response([as_json(kept) for kept in await rules.every(request.app)])


async def add(request: Request) -> Response:
    """Add the rule of the body."""
    kept = await rules.add(request.app, who(request), await object_of(request, MOST_BYTES))
    location = ("Location", f"{request.base}/routing/rules/{kept.number}")
    answer = json_response(as_json(kept), 201)
    return Response(answer.status, answer.body, answer.content_type, [location])


async def show(request: Request) -> Response:
    """Give a rule."""
    return json_response(as_json(await rules.find(request.app, str(number_of(request, "rule")))))


async def change(request: Request) -> Response:
    """Put the body's rule in the place of the version that the body names."""
    fields = await json_of(request, "")
    version, document = version_in(fields), fields.anything("rule")
    fields.end()
    number = number_of(request, "rule")
    return json_response(as_json(await rules.change(request.app, who(request), number, version, document)))


async def remove(request: Request) -> Response:
    """Remove a rule, if it is at the version named."""
    version = number_in_query(request.query, "version", 0, 1, 1 << 31)
    await rules.remove(request.app, who(request), number_of(request, "rule"), version)
    return Response(204)


async def list_versions(request: Request) -> Response:
    """Give the versions of a rule, newest first."""
    found = await rules.versions(request.app, number_of(request, "rule"))
    return json_response([as_json(kept) for kept in found])


async def restore(request: Request) -> Response:
    """Make a version of before the present one."""
    numbers = (number_of(request, "rule"), number_of(request, "version"))
    return json_response(as_json(await rules.restore(request.app, who(request), *numbers)))


async def explain(request: Request) -> Response:
    """Tell what would happen to an object, by the rules in force or by those of the body."""
    fields = await json_of(request, "")
    app = request.app
    found = _imagined(request, fields) if "attributes" in fields else await _stored(request, fields)
    given = fields.anything("rules")
    fields.end()
    return json_response(await explaining.explain(app, found, await _rules(app, given)))


async def _stored(request: Request, fields: Fields) -> facts.Facts:
    """An object that is stored, and that who asks may see."""
    uid = fields.text("sop_instance_uid")
    if not is_valid_uid(uid):
        raise HttpError(400, f"sop_instance_uid: {uid[:80]!r} is no UID")
    found = await facts.one(request.app, request.identity, uid)
    event, studies = audit.Event.INSTANCES_ACCESSED, [found.stored.study_uid]
    name = request.identity.name
    request.app.audit.later(event, "R", name, request.origin, study_uids=studies, routing="explain")
    return found


def _imagined(request: Request, fields: Fields) -> facts.Facts:
    """An object that has the attributes of the body."""
    table = fields.table("attributes")
    given = {keyword: table.text(keyword) for keyword in table.names}
    ways = {"calling": fields.text("from"), "called": fields.text("to")}
    at = moment(fields, "at", datetime.now(UTC))
    return explaining.facts_of_attributes(request.app, given, **ways, at=at)


async def replay(request: Request) -> Response:
    """Try the body's rules on the objects of a time, and give what would go elsewhere."""
    fields = await json_of(request, "")
    now = datetime.now(UTC)
    since, until = moment(fields, "since"), moment(fields, "until", now)
    most = fields.whole("most", 10_000, 1, _MOST_REPLAYED)
    edited = read_rules(fields.anything("rules"))
    fields.end()
    if not timedelta() < until - since < _LONGEST:
        raise fields.wrong("since", "it lies before until, and not ten years before")
    app, identity = request.app, request.identity
    told = await replaying.replay(app, identity, await _rules(app, None), edited, since, until, most)
    app.audit.later(audit.Event.QUERY, "E", identity.name, request.origin, routing="replay", objects=told["objects"])
    return json_response(told)


async def _rules(app: App, given: object) -> list[Rule]:
    if given is not None:
        return read_rules(given)
    return await rules.understood(app)


_JSON = ("application/json",)
_WRONG = {400: "The field that `detail` names will not do"}
_NO_RULE = {404: "There is no such rule or version"}
_CONFLICT = {409: "The rule has changed meanwhile, or another has its name"}
_VERSION = Parameter("version", "The version that you looked at", {"type": "integer", "minimum": 1, "maximum": 1 << 31})

ROUTES = (
    WebRoute("GET", "/routing/rules", list_rules, "configure", "List the rules", tag="Routing"),
    WebRoute(
        "POST",
        "/routing/rules",
        add,
        "configure",
        "Add a rule",
        tag="Routing",
        consumes=_JSON,
        statuses={201: "The rule, with its number", **_WRONG, 409: "Another rule has its name"},
    ),
    WebRoute(
        "GET",
        "/routing/rules/{rule}",
        show,
        "configure",
        "Show a rule",
        tag="Routing",
        statuses={200: "The rule", **_NO_RULE},
    ),
    WebRoute(
        "PUT",
        "/routing/rules/{rule}",
        change,
        "configure",
        "Change a rule",
        tag="Routing",
        consumes=_JSON,
        statuses={200: "The rule as it is now", **_WRONG, **_NO_RULE, **_CONFLICT},
        description="The body has `version`, the one that you looked at, and `rule`.",
    ),
    WebRoute(
        "DELETE",
        "/routing/rules/{rule}",
        remove,
        "configure",
        "Remove a rule",
        tag="Routing",
        query=(_VERSION,),
        statuses={204: "It is removed; its versions stay", **_WRONG, **_NO_RULE, **_CONFLICT},
    ),
    WebRoute(
        "GET",
        "/routing/rules/{rule}/versions",
        list_versions,
        "configure",
        "List the versions of a rule, also of one that was removed",
        tag="Routing",
        statuses={200: "The versions, newest first", **_NO_RULE},
    ),
    WebRoute(
        "POST",
        "/routing/rules/{rule}/versions/{version}/restore",
        restore,
        "configure",
        "Make a version of before the present one",
        tag="Routing",
        statuses={200: "The rule as it is now", **_NO_RULE, **_CONFLICT},
    ),
    WebRoute(
        "POST",
        "/routing/explain",
        explain,
        "configure",
        "Tell what would happen to an object",
        tag="Routing",
        consumes=_JSON,
        statuses={200: "What each rule makes of it, and where it would go", **_WRONG, 404: "There is no such object"},
        description="The body has `sop_instance_uid` of a stored one, or `attributes` (keyword: value) of one that is only "
        "thought of, with `from`, `to` and `at`. It may have `rules` in place of those in force.",
    ),
    WebRoute(
        "POST",
        "/routing/replay",
        replay,
        "configure",
        "Try rules on objects of the past; nothing is sent",
        tag="Routing",
        consumes=_JSON,
        statuses={200: "What would go elsewhere", **_WRONG},
        description="The body has `rules`, `since`, and may have `until` and `most`, how many objects are looked at.",
    ),
)
