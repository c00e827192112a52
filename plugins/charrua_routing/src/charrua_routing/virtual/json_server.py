"""JSON, the virtual server: structured reports become JSON (docs/documents.md), posted to a URL, written to files, or both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import orjson

from charrua_core import errors
from charrua_core.archive.outgoing import header_of, open_object
from charrua_core.archive.search import InstanceRecord, headers
from charrua_core.errors import EditInvalid
from charrua_core.imaging.documents import StoredFile, read_report
from charrua_core.imaging.stored import stored_object
from charrua_core.sending import DestinationKind, Outcome, Sending
from charrua_core.types import Destination, DicomJson
from charrua_routing.kinds import http
from charrua_routing.kinds.each import each
from charrua_routing.kinds.names import path_of
from charrua_routing.kinds.places import FOLDER, check_folder, folder_of, probe_folder, write
from charrua_routing.marking import N_
from charrua_routing.virtual.reports import is_written_report, withheld

if TYPE_CHECKING:
    from charrua_core.app import App

_NAME = "{Modality}/{PatientName} {PatientID}/{SOPInstanceUID}.json"
_UNREADABLE = (errors.DocumentUnreadable, errors.DocumentTooLarge, errors.NotRenderable)


async def send(sending: Sending) -> AsyncGenerator[Outcome, None]:
    """Tell each report; what is none is passed over, as are preliminary ones unless the settings have them told."""
    app, options = sending.app, sending.app.destinations.parsed(sending.destination)
    async with AsyncExitStack() as opened:
        folder = folder_of(app, options) if options["folder"] else None
        client = http.client(options, sending.destination.timeout_s) if options["url"] else None
        if client:
            await opened.enter_async_context(client)

        async def take(record: InstanceRecord) -> Outcome | None:
            if not is_written_report(record.sop_class_uid):
                return Outcome(record, "passed over", "it is no structured report")
            header, stored = await _header(app, record)
            if why := withheld(app.settings, record.sop_class_uid, header):
                return Outcome(record, "passed over", why)
            try:
                told = orjson.dumps((await asyncio.to_thread(read_report, header, stored)).plain())
            except _UNREADABLE as error:
                return Outcome(record, "refused", str(error))
            if folder:
                await write(folder, path_of(_NAME, header), [told])
            if client:
                kind = {"Content-Type": "application/json"}
                answer = await http.call(client, "POST", options["url"], content=told, headers=kind)
                state, why = http.verdict(answer)
                return Outcome(record, state, why)
            return None

        async for outcome in each(sending, take):
            yield outcome


async def _header(app: App, record: InstanceRecord) -> tuple[DicomJson, StoredFile | None]:
    """The report's attributes with edits, and where texts lie that are too long for the index."""
    described = (await headers(app, [record.instance_id])).get(record.instance_id)
    if described is None:
        raise errors.StudyNotFound
    if described.unparsed:
        return await asyncio.to_thread(header_of, await open_object(app, record)), None
    stored = await stored_object(app, record)
    where = StoredFile(str(stored.path), stored.dataset_offset, stored.size_bytes, stored.transfer_syntax_uid)
    return {tag: dict(element) for tag, element in stored.attributes.elements.items()}, where


async def probe(app: App, destination: Destination) -> str:
    """Ask the server for its options, and write a file to the folder. PeerUnreachable and SendFailed say why not."""
    options = app.destinations.parsed(destination)
    said = []
    if options["url"]:
        async with http.client(options, destination.timeout_s) as client:
            answer = await http.call(client, "OPTIONS", options["url"])
        said.append(f"{options['url']} answers with HTTP {answer.status_code}")
    if options["folder"]:
        said.append(await probe_folder(app, destination))
    return "; ".join(said)


def _check(options: Mapping[str, Any]) -> Mapping[str, Any]:
    if not options["url"] and not options["folder"]:
        raise EditInvalid("a JSON server has a url, a folder, or both")
    if options["url"]:
        http.check_url(options)
    return check_folder(options)


KIND = DestinationKind(
    "json",
    N_("Structured reports as JSON, posted to a URL and written to files."),
    send,
    probe,
    (*http.OPTIONS, FOLDER),
    check=_check,
)
