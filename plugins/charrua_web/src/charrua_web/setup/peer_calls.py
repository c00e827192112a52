"""The calls on remote servers: what there is, adding, changing, removing, and whether one can be reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from charrua_core.dicom.reaching import reach
from charrua_core.errors import EditInvalid, PeerUnknown
from charrua_core.peers import PEER_PERMISSIONS, check_aet, check_peer
from charrua_core.types import Peer, is_character_set
from charrua_core.web import HttpError, Request, Response, WebRoute, json_response, typed_object_of
from charrua_web.setup.bodies import JSON
from charrua_web.setup.reached import sentence

TAG = "Set-up"
PATH = "/peers"
_ONE = f"{PATH}/{{aet...}}"
MODES = ("off", "encrypt", "require")
MOST_VALUES = 100
_FIELDS: Mapping[str, Any] = {
    "host": str,
    "port": int,
    "tls_mode": str,
    "timeout_s": (int, float),
    "permissions": list,
    "certificate": str,
    "character_set": str,
    "row_filter": (dict, type(None)),
}
"""What a body may hold, with its type."""


async def list_all(request: Request) -> Response:
    """Give all remote servers."""
    return json_response([shown(request, one) for one in request.app.peers.all()])


async def show(request: Request) -> Response:
    """Give one."""
    return json_response(shown(request, request.app.peers.get(request.parameters["aet"])))


async def put(request: Request) -> Response:
    """Add the remote server of the path, or change it: what the body leaves out is as it was."""
    body = await typed_object_of(request, _FIELDS)
    peer = _peer(request, request.parameters["aet"], body)
    row_filter = _row_filter(body["row_filter"]) if "row_filter" in body else None
    new = await request.app.peers.add(peer, by=request.identity.name, row_filter=row_filter, origin=request.origin)
    return json_response(shown(request, request.app.peers.get(peer.aet)), 201 if new else 200)


async def remove(request: Request) -> Response:
    """Remove one."""
    await request.app.peers.remove(request.parameters["aet"], by=request.identity.name, origin=request.origin)
    return Response(204)


async def echo(request: Request) -> Response:
    """Try to reach a remote server, known or as the body describes it."""
    body = await typed_object_of(request, {"aet": str, **_FIELDS})
    aet = body.pop("aet", "")
    peer = _peer(request, aet, body)
    check_peer(peer)
    found = await reach(request.app.settings, peer)
    own = request.app.settings["dicom_aet"]
    told = {
        "works": found.works,
        "step": found.step,
        "sentence": sentence(own, peer, found).for_reader(request),
        "seconds": round(found.seconds, 4),
        "address": found.address,
        "implementation": found.implementation,
        "takes": list(found.takes),
        "refuses": list(found.refuses),
    }
    return json_response(told)


def shown(request: Request, peer: Peer) -> dict[str, Any]:
    """Give a peer as it is answered."""
    row_filter = {
        keyword: list(values) for one in request.app.peers.filters(peer.aet) for keyword, values in one.admits.items()
    }
    return {
        "aet": peer.aet,
        "host": peer.host,
        "port": peer.port,
        "tls_mode": peer.tls_mode,
        "timeout_s": peer.timeout_s,
        "permissions": sorted(peer.permissions),
        "certificate": peer.certificate,
        "character_set": peer.character_set,
        "row_filter": row_filter,
    }


def _peer(request: Request, aet: str, body: Mapping[str, Any]) -> Peer:
    """The peer as it would be; HttpError 400 names the field that is missing or will not do."""
    try:
        title = check_aet(aet)
    except EditInvalid as error:
        raise HttpError(400, f"aet: {error}") from error
    known = request.app.peers.find(title)
    if known is None and not {"host", "port"} <= body.keys():
        if not body:
            raise PeerUnknown(f"no remote server of AE title {title} is known here")
        raise HttpError(400, "host and port: a new remote server needs both")
    given = {name: value for name, value in body.items() if name != "row_filter"}
    if given.get("tls_mode", "off") not in MODES:
        raise HttpError(400, f"tls_mode: it is one of {', '.join(MODES)}")
    if "permissions" in given:
        given["permissions"] = _permissions(given["permissions"])
    if "certificate" in given:
        given["certificate"] = _certificate(given["certificate"])
    if not is_character_set(given.get("character_set", "")):
        raise HttpError(400, "character_set: it is no Specific Character Set, as ISO_IR 100 or \\ISO 2022 IR 87")
    if "host" in given:
        given["host"] = given["host"].strip()
    if "timeout_s" in given:
        given["timeout_s"] = float(given["timeout_s"])
    return replace(known or Peer(title, "", 0), **given)


def _permissions(given: list[Any]) -> frozenset[str]:
    if strange := [one for one in given if one not in PEER_PERMISSIONS]:
        raise HttpError(400, f"permissions: {str(strange[0])[:40]!r} is none of {', '.join(sorted(PEER_PERMISSIONS))}")
    return frozenset(given)


def _certificate(given: str) -> str:
    """A fingerprint also with colons, in capitals, and without `sha256:`."""
    digits = given.strip().lower().removeprefix("sha256:").replace(":", "")
    is_fingerprint = len(digits) == 64 and not set(digits) - set("0123456789abcdef")
    return f"sha256:{digits}" if is_fingerprint else given.strip()


def _row_filter(given: Mapping[str, Any] | None) -> dict[str, list[str]]:
    """HttpError 400 unless each keyword has a list of texts."""
    for keyword, values in (given or {}).items():
        fits = isinstance(values, list) and values and all(isinstance(one, str) and one for one in values)
        if not keyword.isidentifier() or not fits or len(values) > MOST_VALUES:
            raise HttpError(400, f"row_filter: {keyword[:64]!r} needs a list of values, as Modality: CR")
    return {keyword: list(values) for keyword, values in (given or {}).items()}


_NONE = {404: "There is no such remote server"}
_BAD = {400: "The field that `detail` names will not do", 409: "Something of it will not do"}

ROUTES = (
    WebRoute("GET", PATH, list_all, "configure", "List the remote servers", TAG),
    WebRoute(
        "GET",
        _ONE,
        show,
        "configure",
        "Show a remote server",
        TAG,
        statuses={200: "The remote server", **_NONE},
    ),
    WebRoute(
        "PUT",
        _ONE,
        put,
        "configure",
        "Add or change a remote server",
        TAG,
        consumes=JSON,
        statuses={200: "Changed", 201: "Added", **_BAD},
        description="What is left out stays as it was: `host`, `port`, `tls_mode`, `timeout_s`, `permissions`, `certificate`, "
        "`character_set`, `row_filter`.",
    ),
    WebRoute(
        "DELETE",
        _ONE,
        remove,
        "configure",
        "Remove a remote server",
        TAG,
        produces=(),
        statuses={204: "It is removed", **_NONE},
    ),
    WebRoute(
        "POST",
        f"{PATH}/echo",
        echo,
        "configure",
        "Try to reach a remote server (C-ECHO)",
        TAG,
        consumes=JSON,
        statuses={200: "Whether it answers, how far it went, and a sentence", **_BAD, **_NONE},
        description="The body has `aet`; of one that is not known, or is to be tried otherwise than known, also the "
        "fields of a remote server.",
    ),
)
