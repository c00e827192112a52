"""The list to take along: as a table for a spreadsheet, and as a document to print."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import date, datetime

from charrua_core.archive.search import Query
from charrua_core.audit import Event
from charrua_core.imaging.documents import list_pdf
from charrua_core.web import Request, Response
from charrua_core.web.datasets import gathered
from charrua_web.rendering.words import Words, language_of, words_of
from charrua_web.studies.asked import read_asked
from charrua_web.studies.listing import columns_of, found_for
from charrua_web.studies.rows import BY_NAME, row_of

MOST_IN_TABLE = 100_000
MOST_IN_DOCUMENT = 1_000
SET_WITHIN_S = 60.0
_FORMULA = re.compile(r"\s*[=+\-@]|[\t\r]")
_BOM = b"\xef\xbb\xbf"  # by it spreadsheets know UTF-8


async def table(request: Request) -> Response:
    """Answer with all that matches, up to a bound, as CSV."""
    query, columns = _asked(request, MOST_IN_TABLE)
    _note(request, "csv", [])
    name = f"studies-{date.today():%Y-%m-%d}.csv"
    fields = [("Content-Disposition", f'attachment; filename="{name}"'), ("Cache-Control", "no-store")]
    return Response(200, gathered(_lines(request, query, columns)), "text/csv; charset=utf-8; header=present", fields)


async def document(request: Request) -> Response:
    """Answer with what matches as a PDF, the first thousand studies."""
    query, columns = _asked(request, MOST_IN_DOCUMENT + 1)
    async with aclosing(found_for(request, query, form="pdf")) as matches:
        rows = [row_of(found) async for found in matches]
    more, rows = len(rows) > MOST_IN_DOCUMENT, rows[:MOST_IN_DOCUMENT]
    lines = [tuple(_plain(row["cells"][name], name, row["about"]) for name in columns) for row in rows]
    say = _words(request).gettext
    foot = f"{datetime.now().astimezone():%Y-%m-%d %H:%M} · {request.identity.name}"
    warning = say("More match: these are the first 1,000.") if more else ""
    labels = [say(BY_NAME[name].label) for name in columns]
    made = await request.app.imaging.run(list_pdf, say("Studies"), labels, lines, warning, foot, timeout_s=SET_WITHIN_S)
    _note(request, "pdf", [row["uid"] for row in rows])
    name = f"studies-{date.today():%Y-%m-%d}.pdf"
    fields = [("Content-Disposition", f'inline; filename="{name}"'), ("Cache-Control", "no-store")]
    return Response(200, made, "application/pdf", fields)


def _asked(request: Request, most: int) -> tuple[Query, list[str]]:
    columns = columns_of([one for value in request.query.all("columns") for one in value.split(",")])
    return replace(read_asked(request.query, date.today()), limit=most, after=""), columns


def _words(request: Request) -> Words:
    return words_of(language_of(request.headers), ("charrua_web",))


def _note(request: Request, form: str, uids: Sequence[str]) -> None:
    who = request.identity.name
    request.app.audit.later(Event.EXPORT, "R", who, request.origin, study_uids=uids, form=form)


async def _lines(request: Request, query: Query, columns: Sequence[str]) -> AsyncGenerator[bytes, None]:
    say = _words(request).gettext
    yield _BOM + _line([*(say(BY_NAME[name].label) for name in columns), "Study Instance UID"])
    async with aclosing(found_for(request, query, form="csv")) as matches:
        async for found in matches:
            row = row_of(found)
            yield _line([*(_cell(row["cells"][name]) for name in columns), row["uid"]])


def _line(cells: Sequence[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue().encode()


def _cell(text: str) -> str:
    """No spreadsheet takes what comes out for a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def _plain(text: str, name: str, about: str) -> str:
    return f"{text}\n{about}" if name == "patient" and about else text
