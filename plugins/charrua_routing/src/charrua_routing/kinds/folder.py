"""Folders: every object as a file (PS3.10), named after what it says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from charrua_core.archive.outgoing import header_of, part10_of
from charrua_core.archive.search import InstanceRecord
from charrua_core.sending import ON_THE_WAY, DestinationKind, Outcome, Sending
from charrua_core.settings import Setting
from charrua_routing.kinds.each import each
from charrua_routing.kinds.names import check_pattern, path_of
from charrua_routing.kinds.places import FOLDER, check_folder, folder_of, probe_folder, write
from charrua_routing.marking import N_

PATTERN = Setting(
    "path",
    str,
    "{PatientID}/{StudyDate} {StudyInstanceUID}/{Modality} {SeriesInstanceUID}/{SOPInstanceUID}.dcm",
    help="How files are named, of attributes by keyword; each part is made safe for every file system.",
    since="0.1",
)


async def send(sending: Sending) -> AsyncGenerator[Outcome, None]:
    """Write each object; one that is written again takes its own place."""
    options = sending.app.destinations.parsed(sending.destination)
    folder = folder_of(sending.app, options)

    async def take(record: InstanceRecord) -> None:
        async with sending.leaving(record) as outgoing:
            path = path_of(options["path"], await asyncio.to_thread(header_of, outgoing))
            async with aclosing(part10_of(outgoing)) as pieces:
                await write(folder, path, pieces)

    async for outcome in each(sending, take):
        yield outcome


def _check(options: Mapping[str, Any]) -> Mapping[str, Any]:
    check_pattern(options["path"])
    return check_folder(options)


KIND = DestinationKind(
    "folder",
    N_("Files in a folder of this machine, or one that is mounted on it."),
    send,
    probe_folder,
    (FOLDER, PATTERN),
    required=frozenset({"folder"}),
    check=_check,
    heeds=ON_THE_WAY,
)
