"""How an HTTP request is refused: one error with its status, one shape of JSON (RFC 9457)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from http import HTTPStatus

import orjson

from charrua_core.errors import CharruaError, NotPermitted
from charrua_core.web.response import Response

PROBLEM = "application/problem+json"


class HttpError(CharruaError):
    """The request cannot be answered as it was made."""

    def __init__(self, status: int, reason: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.http_status = status
        self.headers = dict(headers or {})


def problem(error: CharruaError) -> Response:
    """Give the answer to a request that failed: `title` names the status, `detail` says what to mend."""
    status = error.http_status
    name = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Error"
    told: dict[str, object] = {"type": "about:blank", "title": name, "status": status, "detail": str(error)}
    headers = dict(error.headers) if isinstance(error, HttpError) else {}
    if isinstance(error, NotPermitted) and error.retry_after_s is not None:
        seconds = max(1, math.ceil(error.retry_after_s))
        headers["Retry-After"], told["retry_after_s"] = str(seconds), seconds
    return Response(status, orjson.dumps(told), PROBLEM, headers=tuple(headers.items()))
