"""OHIF over HTTP: its one page at every path of its own, its files, and what the page may load and run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from charrua_core.types import FileRange
from charrua_core.web import HttpError, Request, Response, WebRoute
from charrua_ohif.files import BUILT, File, files_of

if TYPE_CHECKING:
    from charrua_core.app import App

AT = "/ohif"
PAGE = "index.html"
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "worker-src 'self' blob:",
        # OHIF's components write their styles into the page.
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' blob: data:",
        "media-src 'self' blob:",
        "frame-src 'self' blob:",
        "manifest-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
"""As strict as OHIF runs with: no script in the page, nothing compiled from text, nothing from elsewhere."""
_HEADERS = (
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("vary", "Accept-Encoding"),
)
_FOR_EVER, _ASK = "private, max-age=31536000, immutable", "private, no-cache"


async def serve(files: Mapping[str, File], request: Request) -> Response:
    """Give a file, or the page, which finds by its address what to show. HttpError 404 where there is no OHIF."""
    if not request.app.settings["use_ohif"] or PAGE not in files:
        raise HttpError(404, "there is nothing at this path")
    name = request.parameters.get("path", "")
    if name in files:
        return _answer(request, files[name])
    if "." in name.rpartition("/")[2]:
        raise HttpError(404, "there is nothing at this path")
    return _answer(request, files[PAGE])


async def lead_home(request: Request) -> Response:
    """Lead to the archive's own list of studies: OHIF has none here."""
    if not request.app.settings["use_ohif"]:
        raise HttpError(404, "there is nothing at this path")
    return Response(303, headers=(("location", "/"),))


def _answer(request: Request, file: File) -> Response:
    headers = [*_HEADERS, ("etag", file.tag), ("cache-control", _FOR_EVER if file.for_ever else _ASK)]
    if file.tag in request.headers.get("if-none-match"):
        return Response(304, headers=headers)
    packs = file.packed_size and "gzip" in request.headers.get("accept-encoding")
    if packs:
        headers.append(("content-encoding", "gzip"))
    path, size = (file.packed, file.packed_size) if packs else (file.path, file.size)
    return Response(200, [FileRange(path, 0, size)], file.content_type, headers)


def routes(app: App) -> Sequence[WebRoute]:  # noqa: ARG001 -- all archives have the same
    """Give them: as pages are, so that who is not logged in is led to the log-in and back."""
    files = files_of(BUILT)
    html = ("text/html",)
    return [
        WebRoute("GET", AT, lead_home, "retrieve", "OHIF viewer", "Pages", produces=html, hidden=True),
        WebRoute(
            *("GET", f"{AT}/{{path...}}", partial(serve, files), "retrieve", "OHIF viewer"),
            tag="Pages",
            produces=html,
            hidden=True,
        ),
    ]
