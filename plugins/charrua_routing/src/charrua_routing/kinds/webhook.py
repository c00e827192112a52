"""Webhooks: somebody is told of each object, by signed JSON; the object itself stays here."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import AsyncGenerator, Mapping
from typing import TYPE_CHECKING, Any

import orjson
from pydicom.datadict import tag_for_keyword

from charrua_core.archive.outgoing import Outgoing, header_of
from charrua_core.archive.search import InstanceRecord
from charrua_core.errors import EditInvalid
from charrua_core.sending import ON_THE_WAY, DestinationKind, Outcome, Sending
from charrua_core.settings import Setting
from charrua_core.types import Destination
from charrua_routing.kinds import http
from charrua_routing.kinds.each import each
from charrua_routing.marking import N_

if TYPE_CHECKING:
    from charrua_core.app import App

SIGNATURE = "X-Charrua-Signature"
OPTIONS = (
    *http.OPTIONS,
    Setting("secret", str, "", secret=True, help="Key of the signature (HMAC with SHA-256).", since="0.1"),
    Setting("attributes", tuple, (), help="Keywords of attributes that are told beside the UIDs.", since="0.1"),
)


async def send(sending: Sending) -> AsyncGenerator[Outcome, None]:
    """Post what is told of each object."""
    options = sending.app.destinations.parsed(sending.destination)
    async with http.client(options, sending.destination.timeout_s) as client:

        async def take(record: InstanceRecord) -> Outcome:
            async with sending.leaving(record) as outgoing:
                body = orjson.dumps(await asyncio.to_thread(_told, outgoing, options["attributes"]))
            signed = {"Content-Type": "application/json", **signature(options["secret"], body)}
            answer = await http.call(client, "POST", options["url"], content=body, headers=signed)
            return Outcome(record, *http.verdict(answer))

        async for outcome in each(sending, take):
            yield outcome


def _told(outgoing: Outgoing, keywords: tuple[str, ...]) -> dict[str, Any]:
    header = header_of(outgoing)
    first = {tag: next(iter(header.get(tag, {}).get("Value", ())), "") for tag in ("0020000D", "0020000E")}
    wanted = {keyword: f"{tag_for_keyword(keyword):08X}" for keyword in keywords}
    return {
        "event": "object",
        "study_uid": first["0020000D"],
        "series_uid": first["0020000E"],
        "sop_instance_uid": outgoing.sop_instance_uid,
        "sop_class_uid": outgoing.sop_class_uid,
        "attributes": {keyword: header[tag].get("Value", []) for keyword, tag in wanted.items() if tag in header},
    }


def signature(secret: str, body: bytes) -> dict[str, str]:
    """Give the header by which the receiver knows that a body comes from here, none where there is no secret."""
    if not secret:
        return {}
    return {SIGNATURE: f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"}


async def probe(app: App, destination: Destination) -> str:
    """Ask the server for its options. PeerUnreachable says why it does not answer."""
    options = app.destinations.parsed(destination)
    async with http.client(options, destination.timeout_s) as client:
        answer = await http.call(client, "OPTIONS", options["url"])
    return f"{options['url']} answers with HTTP {answer.status_code}"


def _check(options: Mapping[str, Any]) -> Mapping[str, Any]:
    if strange := [keyword for keyword in options["attributes"] if tag_for_keyword(keyword) is None]:
        raise EditInvalid(f"there is no attribute {strange[0]}")
    return http.check_url(options)


KIND = DestinationKind(
    "webhook",
    N_("A server that is told of objects by signed JSON."),
    send,
    probe,
    OPTIONS,
    required=frozenset({"url"}),
    check=_check,
    heeds=ON_THE_WAY,
)
