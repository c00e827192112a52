"""WADO-RS of studies, series and instances as one download: a ZIP archive, with a DICOMDIR where that is wanted."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

import orjson

from charrua_core.archive.datasets.dicomdir import Filed, dicomdir, kept_attributes
from charrua_core.types import DicomJson
from charrua_core.web import Entry, MediaType, Request, Response, zip_response
from charrua_web.dicomweb.wado_files import files
from charrua_web.dicomweb.wado_forms import Wanted
from charrua_web.dicomweb.wado_metadata import metadata
from charrua_web.dicomweb.wado_selection import Selection


def respond(request: Request, chosen: Selection, wanted: Wanted, asked: MediaType) -> Response:
    """Give the objects; `application/zip; dicomdir=true` asks for file names as media have them, and a DICOMDIR at the end."""
    uids = [request.parameters[name] for name in ("study", "series", "instance") if name in request.parameters]
    entries = _with_dicomdir if asked.parameters.get("dicomdir", "").lower() == "true" else _plain
    return zip_response(entries(request, chosen, wanted), f"{uids[-1]}.zip")


async def _plain(request: Request, chosen: Selection, wanted: Wanted) -> AsyncGenerator[Entry, None]:
    """Names are UIDs: they tell nothing of the patient, and are safe in every file system."""
    async with aclosing(files(request, chosen, wanted)) as several:
        async for record, outgoing, pieces in several:
            yield Entry(f"{record.series_uid}/{outgoing.sop_instance_uid}.dcm", pieces)


async def _with_dicomdir(request: Request, chosen: Selection, wanted: Wanted) -> AsyncGenerator[Entry, None]:
    told: dict[int, DicomJson] = {}
    async with aclosing(metadata(request, chosen.ids)) as all_metadata:
        async for record, json in all_metadata:
            told[record.instance_id] = kept_attributes(orjson.loads(json))
    filed: list[Filed] = []
    folders: dict[str, str] = {}
    async with aclosing(files(request, chosen, wanted)) as several:
        async for record, outgoing, pieces in several:
            folder = folders.setdefault(record.series_uid, f"SE{len(folders) + 1:06}")
            name = ("DICOM", folder, f"IM{len(filed) + 1:06}")
            yield Entry("/".join(name), pieces)
            uids = (outgoing.sop_class_uid, outgoing.sop_instance_uid, outgoing.transfer_syntax_uid)
            filed.append(Filed(name, *uids, told.get(record.instance_id, {})))
    yield Entry("DICOMDIR", [dicomdir(filed)])
