"""What is measured of HTTP."""

from __future__ import annotations

from typing import get_args

from charrua_core import metrics
from charrua_core.web import WebRoute
from charrua_core.web.route import Method

_METHODS = get_args(Method)
_REQUESTS = metrics.counter(
    "charrua_http_requests_total",
    "HTTP requests of the routes, by the class of their status.",
    method=_METHODS,
    route=metrics.Bound.ROUTES,
    status=("1xx", "2xx", "3xx", "4xx", "5xx"),
)
_SECONDS = metrics.histogram(
    "charrua_http_request_seconds",
    "From the head of such a request to the last byte of its answer.",
    method=_METHODS,
    route=metrics.Bound.ROUTES,
)
CONNECTIONS = metrics.gauge("charrua_http_connections_open", "Connections to the web server.")
REFUSED = metrics.counter("charrua_http_connections_refused_total", "Connections that were closed as one too many.")


def answered(route: WebRoute, status: int, seconds: float) -> None:
    """Take note of a request of a route."""
    _REQUESTS.labels(route.method, route.path, f"{status // 100}xx").inc()
    _SECONDS.labels(route.method, route.path).observe(seconds)
