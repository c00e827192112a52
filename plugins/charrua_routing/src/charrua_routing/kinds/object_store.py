"""Object stores: S3 and what is compatible with it, Azure, Google Cloud, or a local folder, by obstore."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore, from_url

from charrua_core.archive.outgoing import header_of, part10_of
from charrua_core.archive.search import InstanceRecord
from charrua_core.errors import EditInvalid, PeerUnreachable
from charrua_core.sending import ON_THE_WAY, DestinationKind, Outcome, SendFailed, Sending
from charrua_core.settings import Setting
from charrua_core.types import Destination
from charrua_routing.kinds.each import each
from charrua_routing.kinds.folder import PATTERN
from charrua_routing.kinds.names import check_pattern, path_of
from charrua_routing.marking import N_

if TYPE_CHECKING:
    from charrua_core.app import App

SCHEMES = frozenset({"s3", "az", "gs", "file"})
OPTIONS = (
    Setting(
        "url",
        str,
        "",
        help="s3://bucket/prefix, az://container/prefix, gs://bucket/prefix or file:///folder.",
        since="0.1",
    ),
    PATTERN,
    Setting("endpoint", str, "", help="Where an S3-compatible server is, as https://minio:9000.", since="0.1"),
    Setting("region", str, "", help="Region of the bucket (S3).", since="0.1"),
    Setting("access_key", str, "", help="Access key (S3), or account name (Azure).", since="0.1"),
    Setting("secret_key", str, "", secret=True, help="Its secret: secret key, account key.", since="0.1"),
    Setting("service_account", str, "", secret=True, help="Service account (Google Cloud), as JSON.", since="0.1"),
)
_OF_SCHEME = {
    "s3": {
        "endpoint": "endpoint",
        "region": "region",
        "access_key": "access_key_id",
        "secret_key": "secret_access_key",
    },
    "az": {"endpoint": "endpoint", "access_key": "account_name", "secret_key": "account_key"},
    "gs": {"service_account": "service_account_key"},
    "file": {},
}
"""Scheme → our option → obstore's."""


async def send(sending: Sending) -> AsyncGenerator[Outcome, None]:
    """Put each object, which appears whole or not at all; one that is put again takes its own place."""
    options = sending.app.destinations.parsed(sending.destination)
    store = store_of(options, sending.destination.timeout_s)

    async def take(record: InstanceRecord) -> None:
        async with sending.leaving(record) as outgoing:
            path = path_of(options["path"], await asyncio.to_thread(header_of, outgoing))
            async with aclosing(part10_of(outgoing)) as pieces:
                await _put(store, str(path), pieces)

    async for outcome in each(sending, take):
        yield outcome


def store_of(options: Mapping[str, Any], timeout_s: float) -> ObjectStore:
    """Give the store; SendFailed where what is told of it makes none."""
    names = _OF_SCHEME[urlsplit(options["url"]).scheme]
    config: Any = {theirs: options[ours] for ours, theirs in names.items() if options[ours]}
    how = {} if options["url"].startswith("file:") else _network(options, timeout_s)
    try:
        return from_url(options["url"], config=config or None, **how)
    except (BaseError, ValueError) as error:
        raise SendFailed(f"{options['url']} cannot be used: {_first_line(error)}") from error


def _network(options: Mapping[str, Any], timeout_s: float) -> dict[str, Any]:
    plain = options["endpoint"].startswith("http://")
    return {"client_options": {"timeout": f"{timeout_s:g}s", "allow_http": plain}, "retry_config": {"max_retries": 1}}


async def _put(store: ObjectStore, path: str, pieces: Any) -> None:
    try:
        await obstore.put_async(store, path, pieces)
    except (BaseError, OSError) as error:
        raise PeerUnreachable(f"the object store took nothing: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200]


async def probe(app: App, destination: Destination) -> str:
    """Put a small object, and delete it. PeerUnreachable says why it could not be."""
    options = app.destinations.parsed(destination)
    store = store_of(options, destination.timeout_s)
    await _put(store, "charrua-was-here", b"Charrua was here.\n")
    try:
        await obstore.delete_async(store, "charrua-was-here")
    except BaseError as error:
        raise PeerUnreachable(f"what was put cannot be deleted: {_first_line(error)}") from error
    return f"objects can be put to {options['url']}"


def _check(options: Mapping[str, Any]) -> Mapping[str, Any]:
    if urlsplit(options["url"]).scheme not in SCHEMES:
        raise EditInvalid(f"{options['url']!r} is no URL of {', '.join(sorted(SCHEMES))}")
    check_pattern(options["path"])
    return options


KIND = DestinationKind(
    "object-store",
    N_("An object store: S3 and compatible ones, Azure, Google Cloud, or a local folder."),
    send,
    probe,
    OPTIONS,
    required=frozenset({"url"}),
    check=_check,
    heeds=ON_THE_WAY,
)
