"""The calls on receivers: what there is, adding, changing, removing, and whether one can be reached."""

from __future__ import annotations

from charrua_core.web import SMALL_BODY, Request, Response, WebRoute, json_response, object_of
from charrua_hl7.outgoing import mllp, receivers
from charrua_hl7.outgoing.errors import NotDelivered
from charrua_hl7.outgoing.receiver import Receiver

PATH = "/hl7/receivers"
TAG = "HL7"
_ONE = f"{PATH}/{{name}}"


async def list_all(request: Request) -> Response:
    """Give all receivers."""
    return json_response([one.shown() for one in (await receivers.every(request.app)).values()])


async def add(request: Request) -> Response:
    """Add a receiver."""
    body = await object_of(request, SMALL_BODY)
    name = body.pop("name", "")
    new = await receivers.add(request.app, name, body, request.identity, request.origin)
    return json_response(new.shown(), 201)


async def change(request: Request) -> Response:
    """Change a receiver: what the body leaves out is as it was."""
    name, body = request.parameters["name"], await object_of(request, SMALL_BODY)
    changed = await receivers.change(request.app, name, body, request.identity, request.origin)
    return json_response(changed.shown())


async def remove(request: Request) -> Response:
    """Remove a receiver."""
    await receivers.remove(request.app, request.parameters["name"], request.identity, request.origin)
    return Response(204)


async def test(request: Request) -> Response:
    """Connect to a receiver, and send nothing."""
    receiver = await receivers.find(request.app, request.parameters["name"])
    try:
        seconds = await mllp.reach(request.app.settings, receiver)
    except NotDelivered as error:
        return json_response({"works": False, "told": f"{receiver.name}: {error}."})
    return json_response({"works": True, "told": told(receiver, seconds), "seconds": round(seconds, 4)})


def told(receiver: Receiver, seconds: float) -> str:
    """Give the sentence of a receiver that takes a connection."""
    with_tls = {"off": "", "encrypt": " with TLS", "verify": " with TLS, and its certificate is good"}[receiver.tls]
    return f"{receiver.name} takes a connection{with_tls}, in {seconds * 1000:.0f} ms. Nothing was sent."


_JSON = ("application/json",)
_NONE = {404: "There is no such receiver"}
_BAD = {400: "The field that `detail` names will not do"}
_FIELDS = (
    "Fields: `host`, `port`, `tls` (off, encrypt, verify), `application` and `facility` (MSH-5, MSH-6), `version`, "
    "`character_set` (MSH-18), `sends` (a list of results, orders), `enabled`."
)

ROUTES = (
    WebRoute("GET", PATH, list_all, "configure", "List the systems that messages are sent to", TAG),
    WebRoute(
        "POST",
        PATH,
        add,
        "configure",
        "Add a system that messages are sent to",
        TAG,
        consumes=_JSON,
        statuses={201: "Added", **_BAD, 409: "There is one of this name"},
        description=f"`name`, `host` and `port` are needed. {_FIELDS}",
    ),
    WebRoute(
        "PUT",
        _ONE,
        change,
        "configure",
        "Change a system that messages are sent to",
        TAG,
        consumes=_JSON,
        statuses={200: "Changed", **_BAD, **_NONE},
        description=f"What is left out stays as it was. {_FIELDS}",
    ),
    WebRoute(
        "DELETE",
        _ONE,
        remove,
        "configure",
        "Remove a system that messages are sent to",
        TAG,
        produces=(),
        statuses={204: "It is removed; what waits for it has failed", **_NONE},
    ),
    WebRoute(
        "POST",
        f"{_ONE}/test",
        test,
        "configure",
        "Look whether a receiver takes a connection",
        TAG,
        statuses={200: "Whether it does, and a sentence", **_NONE},
        description="It connects, with TLS where that is set, and sends nothing.",
    ),
)
