"""Whether the archive works and what it has measured, for people and for what watches over it."""

from __future__ import annotations

from charrua_core.errors import NotPermitted
from charrua_core.services.metrics import CONTENT_TYPE
from charrua_core.web import PUBLIC, HttpError, Request, Response, WebRoute, json_response
from charrua_web.networks import Networks


async def health(request: Request) -> Response:
    """Tell what works: in a word for everybody, in sentences for those who set the archive up."""
    report = await request.app.health.report()
    told = report.in_full() if request.identity.may("configure") else report.in_a_word()
    return json_response(told, report.http_status)


async def metrics(request: Request) -> Response:
    """Give what was measured to who sets the archive up, and to what comes from `metrics_from`."""
    near = request.origin.address in Networks.of(request.app.settings, "metrics_from")
    if not near and not request.identity.may("configure"):
        if not request.identity.name:
            raise HttpError(401, "log in, or name the address in metrics_from")
        raise NotPermitted(f"{request.identity.name} may not: {request.route.summary}")
    return Response(200, await request.app.metrics.exposition(), CONTENT_TYPE)


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
    WebRoute(
        "GET",
        "/metrics",
        metrics,
        PUBLIC,
        "Give what was measured, for Prometheus",
        tag="Server",
        produces=("text/plain",),
        description="For who may `configure`, and without log-in for the networks of the setting `metrics_from`.",
    ),
)
