"""Attaching files to a study: PDF, JPEG, PNG, MP4, and texts that LibreOffice makes into PDF, each as a series of its own."""

from __future__ import annotations

import asyncio
import os
import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from charrua_core.imaging.making import (
    KINDS,
    OFFICE,
    About,
    Kind,
    Made,
    kind_of,
    make,
    needs_decoding,
    office_program,
    picture_of,
    to_pdf,
)
from charrua_core.imaging.making.attaching import attach_object, working_folder
from charrua_core.settings import Setting
from charrua_core.web import HttpError, Parameter, Request, Response, WebRoute, json_response
from charrua_web.actions.looked_up import Study, study_of

if TYPE_CHECKING:
    from charrua_core.app import App

SETTINGS = (
    Setting(
        "attachment_bytes",
        int,
        1 << 30,
        minimum=1 << 10,
        maximum=0xFFFFFFFE,
        unit="bytes",
        help="The longest file that is attached to a study.",
        since="0.1",
        effect="now",
    ),
    Setting(
        "office_program",
        str,
        "",
        help="The path of LibreOffice (`soffice`), which makes texts that are attached into PDF. Empty: where it is found.",
        since="0.1",
        effect="now",
    ),
    Setting(
        "office_timeout",
        timedelta,
        timedelta(seconds=60),
        minimum=1,
        maximum=3600,
        help="Time that LibreOffice may take for one text; then it is killed.",
        since="0.1",
        effect="now",
    ),
)
_LONGEST_TITLE = 64
_CONTROL = re.compile(r"[\x00-\x1f\x7f\\]")
_TAKEN = ", ".join(KINDS.values())


async def attach(request: Request) -> Response:
    """Attach the file that is the request's body."""
    study = await study_of(request, request.parameters["study"])
    title = _title(request)
    async with working_folder(request.app) as folder:
        path = folder / "content"
        await _receive(request, path)
        kind = await asyncio.to_thread(kind_of, path)
        if kind is None:
            raise HttpError(415, f"the file is of no kind that can be attached: {_TAKEN}")
        made = await _made(request.app, study, path, kind, title or KINDS[kind])
        stored = await attach_object(
            request.app, made, study.uid, kind, by=request.identity.name, origin=request.origin
        )
    told = {"study": stored.study_uid, "series": made.series_uid, "instance": made.sop_instance_uid}
    return json_response({**told, "kind": kind, "title": title or KINDS[kind]}, 201)


def _title(request: Request) -> str:
    given = request.query.first("title").strip()
    if len(given) > _LONGEST_TITLE or _CONTROL.search(given):
        raise HttpError(400, f"title: {_LONGEST_TITLE} characters at most are expected, without backslash")
    return given


async def _receive(request: Request, path: Path) -> None:
    """Write the body to a file. HttpError 413 past `attachment_bytes`, 400 for nothing."""
    left = most = request.app.settings["attachment_bytes"]
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > most:
        raise HttpError(413, f"a file of {most} bytes at most can be attached")
    with path.open("wb") as file:
        async for piece in request.stream():
            left -= len(piece)
            if left < 0:
                raise HttpError(413, f"a file of {most} bytes at most can be attached")
            await asyncio.to_thread(file.write, piece)
    if left == most:
        raise HttpError(400, "the body is empty: it is the file that is attached")


async def _made(app: App, study: Study, path: Path, kind: Kind, title: str) -> Made:
    if kind in OFFICE:
        program = office_program(app.settings["office_program"])
        made = path.parent / "office"
        made.mkdir(mode=0o700)
        timeout_s = app.settings["office_timeout"].total_seconds()
        path, kind = await to_pdf(path, kind, made, program=program, timeout_s=timeout_s), "pdf"
    picture = None
    if await asyncio.to_thread(needs_decoding, path, kind):
        picture = await app.imaging.run(picture_of, os.fspath(path), kind)
    about = About(study.attributes, title, series_number=_next_number(study))
    return await asyncio.to_thread(make, path, kind, about, picture)


def _next_number(study: Study) -> int:
    """A series number that none of those has that are seen."""
    numbers = [
        int(number) for one in study.series if (number := one.text("SeriesNumber")).isdecimal() and len(number) < 9
    ]
    return max(numbers, default=0) + 1


ROUTES = (
    WebRoute(
        "POST",
        "/actions/studies/{study}/attachments",
        attach,
        "store",
        "Attach a file to a study",
        tag="Actions",
        query=(Parameter("title", "What it is called; it names the new series"),),
        consumes=("application/octet-stream", "application/pdf", "image/jpeg", "image/png", "video/mp4"),
        statuses={
            201: "It is an object of the study, in a series of its own: the answer names both",
            400: "The title will not do, or there is no file",
            404: "There is no such study, or none that the caller may see",
            413: "The file is longer than `attachment_bytes`",
            415: "It is of no kind that can be attached, or LibreOffice is not installed, which it takes",
            422: "The file is damaged, or of a form that DICOM does not take: `detail` says what to do",
            504: "LibreOffice took too long",
        },
        description="The body is the file. What it is is told by its content: PDF, JPEG, PNG, MP4 (H.264, H.265); DOC, DOCX, "
        "ODT, RTF and TXT by way of LibreOffice. A PDF, a JPEG Baseline and an MP4 stay as they are, byte for byte.",
    ),
)
