"""The scripts that pages of this plugin run beside those of all pages."""

from __future__ import annotations

from pathlib import Path

from charrua_core.web import PUBLIC, Request, Response, WebRoute

_STATIC = Path(__file__).parents[1] / "static"


async def try_script(_request: Request) -> Response:
    """Give the script of the try-out."""
    return Response(200, (_STATIC / "try.js").read_bytes(), "text/javascript", [("cache-control", "no-cache")])


ROUTES = (
    WebRoute(
        *("GET", "/routing/static/try.js", try_script, PUBLIC, "The script of the try-out"),
        tag="Routing",
        produces=("text/javascript",),
        hidden=True,
    ),
)
