"""The calls on the audit trail: a page of it as JSON, and all that was asked for as CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC
from typing import Any

import orjson

from charrua_core.web import Parameter, Request, Response, WebRoute, json_response, number_in_query
from charrua_web.setup.audit_search import all_of, asked_of, page_of, shown

TAG = "Set-up"
PATH = "/audit"
MOST = 500
MOST_ROWS = 1_000_000
COLUMNS = ("at", "event", "name", "action", "outcome", "who", "address", "studies", "sentence", "detail")
_FORMULA = re.compile(r"[=+\-@\t\r]")


async def search(request: Request) -> Response:
    """Give a page of records, the latest first."""
    rows, more = await page_of(request, asked_of(request), number_in_query(request.query, "limit", 100, 1, MOST))
    return json_response({"records": [_plain(request, shown(row)) for row in rows], "next": more})


async def export(request: Request) -> Response:
    """Give all records that were asked for as a table."""
    headers = [("content-disposition", 'attachment; filename="audit.csv"')]
    return Response(200, _table(request), "text/csv; charset=utf-8; header=present", headers)


async def _table(request: Request) -> AsyncGenerator[bytes, None]:
    waiting = [_line(COLUMNS)]
    async for row in all_of(request, asked_of(request), MOST_ROWS):
        waiting.append(_line(_cells(_plain(request, shown(row)))))
        if len(waiting) >= MOST:
            yield b"".join(waiting)
            waiting = []
    yield b"".join(waiting)


def _plain(request: Request, record: dict[str, Any]) -> dict[str, Any]:
    """A record as JSON has it."""
    name = record["name"]
    return {
        **record,
        "at": record["at"].astimezone(UTC).isoformat(timespec="milliseconds"),
        "name": name if isinstance(name, str) else name.for_reader(request),
        "sentence": record["sentence"].for_reader(request),
    }


def _cells(record: dict[str, Any]) -> Sequence[str]:
    return [
        record["at"],
        record["event"],
        record["name"],
        record["action"],
        "success" if record["succeeded"] else "failure",
        record["who"],
        record["address"],
        " ".join(record["study_uids"]),
        record["sentence"],
        orjson.dumps(record["detail"]).decode() if record["detail"] else "",
    ]


def _line(cells: Sequence[str]) -> bytes:
    """RFC 4180; no spreadsheet takes what comes out for a formula."""
    text = io.StringIO()
    csv.writer(text).writerow([f"'{cell}" if _FORMULA.match(cell) else cell for cell in cells])
    return text.getvalue().encode()


_TEXT = {"type": "string"}
_QUERY = (
    Parameter("since", "From this day or moment on", {"type": "string", "format": "date"}),
    Parameter("until", "To the end of this day, or until this moment", {"type": "string", "format": "date"}),
    Parameter("event", "Those of this event, by its DCM code of PS3.15 A.5"),
    Parameter("who", "Those of this user or AE title"),
    Parameter("address", "Those from this address"),
    Parameter("study", "Those about this study, by its Study Instance UID"),
    Parameter("outcome", "Those that succeeded, or failed", {"type": "string", "enum": ["success", "failure"]}),
)
_BAD = {400: "A parameter will not do"}

ROUTES = (
    WebRoute(
        "GET",
        PATH,
        search,
        "read_audit",
        "Search the audit trail, the latest records first",
        TAG,
        query=(
            *_QUERY,
            Parameter("before", "Those older than the page whose `next` this is"),
            Parameter(
                "limit", "How many, 100 where nothing is said", {"type": "integer", "minimum": 1, "maximum": MOST}
            ),
        ),
        statuses={200: "A page: `records`, and `next` where there are more", **_BAD},
        description="Reading the trail is written into it.",
    ),
    WebRoute(
        "GET",
        f"{PATH}/csv",
        export,
        "read_audit",
        "Give what is asked for of the audit trail as a table",
        TAG,
        query=_QUERY,
        produces=("text/csv",),
        statuses={200: "The table", **_BAD},
    ),
)
