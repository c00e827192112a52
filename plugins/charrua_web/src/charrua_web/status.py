"""Whether the archive works, for people and for what watches over it."""

from __future__ import annotations

from charrua_core.services.health import health_of
from charrua_core.web import PUBLIC, Request, Response, WebRoute, json_response


async def health(request: Request) -> Response:
    """Tell what works: in a word for everybody, in sentences for those who set the archive up."""
    findings = await health_of(request.app)
    works = all(one for _, one, _ in findings)
    told: dict[str, object] = {"status": "ok" if works else "failing"}
    if request.identity.may("configure"):
        told["findings"] = [{"name": name, "works": one, "says": said} for name, one, said in findings]
    return json_response(told, 200 if works else 503)


ROUTES = (
    WebRoute(
        "GET",
        "/health",
        health,
        PUBLIC,
        "Tell whether the archive works",
        tag="Server",
        statuses={200: "It works", 503: "Something does not"},
    ),
)
