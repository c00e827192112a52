"""The calls on plugins: what there is, and telling once more what one could not take."""

from __future__ import annotations

from dataclasses import asdict

from charrua_core.audit import Event
from charrua_core.changes import tell_again
from charrua_core.web import HttpError, Request, Response, WebRoute, json_response, typed_object_of
from charrua_web.setup.bodies import JSON, numbers_of
from charrua_web.setup.plugin_facts import all_plugins, aside, missing

TAG = "Set-up"


async def list_all(request: Request) -> Response:
    """Give the plugins, what was left out, what is not installed, and the changes that were set aside."""
    app = request.app
    plugins = [{**one, "followers": list(map(asdict, one["followers"]))} for one in await all_plugins(app)]
    waiting = [
        {"follower": one.follower, "seq": one.seq, "kind": one.kind, "error": one.error, "at": one.at}
        for one in await aside(app)
    ]
    left_out = sorted(app.hooks.blocked)
    return json_response({"plugins": plugins, "left_out": left_out, "missing": missing(), "set_aside": waiting})


async def again(request: Request) -> Response:
    """Tell a follower once more what was set aside for it."""
    name = request.parameters["follower"]
    body = await typed_object_of(request, {"changes": list})
    numbers = numbers_of(body, "changes") if "changes" in body else None
    told = await tell_again(request.app.db, name[:200], numbers)
    if not told:
        raise HttpError(404, "nothing of this is set aside")
    note = request.app.audit.later
    note(
        Event.APPLICATION_ACTIVITY,
        "E",
        request.identity.name,
        request.origin,
        type="again",
        follower=name,
        changes=told,
    )
    return json_response({"changes": told})


ROUTES = (
    WebRoute("GET", "/plugins", list_all, "configure", "List the plugins, with what each could not take", TAG),
    WebRoute(
        "POST",
        "/plugins/{follower}/again",
        again,
        "configure",
        "Tell a plugin once more what was set aside for it",
        TAG,
        consumes=JSON,
        statuses={200: "How many changes it is told", 404: "Nothing of this is set aside"},
        description="The body may have `changes`, a list of their numbers; without it, all.",
    ),
)
