"""Whether the archive works, for people and for what watches over it."""

from __future__ import annotations

from charrua_core.web import PUBLIC, Request, Response, WebRoute, json_response


async def health(request: Request) -> Response:
    """Tell what works: in a word for everybody, in sentences for those who set the archive up."""
    report = await request.app.health.report()
    told = report.in_full() if request.identity.may("configure") else report.in_a_word()
    return json_response(told, report.http_status)


ROUTES = (
    WebRoute(
        "GET",
        "/health",
        health,
        PUBLIC,
        "Tell whether the archive works",
        tag="Server",
        statuses={200: "It works, though not all of it may", 503: "It does not"},
    ),
)
