"""Pages of other sites: which may read what this server answers (CORS), and that none acts in a user's name (CSRF)."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

from charrua_core.web import Headers, HttpError, Response
from charrua_web.proxies import Seen

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_METHODS = "GET, HEAD, POST, PUT, DELETE, OPTIONS"
_READABLE = (
    "Content-Disposition, Content-Location, Content-Range, ETag, Last-Modified, Link, Location, Retry-After, Warning, "
    "X-Total-Count"
)
_PREFLIGHT_S = 600


def check_origin(seen: Seen, headers: Headers, own: str, allowed: Collection[str], *, needed: bool) -> None:
    """Refuse (403) what a page of another site has its visitor's browser send.

    `own` is the address of this server as the site has it, "" where it has none. Where neither Sec-Fetch-Site nor Origin
    tells, no browser of today sent it: refused if `needed`, because a cookie came along.
    """
    site, origin = headers.get("sec-fetch-site").lower(), headers.get("origin").lower()
    if origin and (origin in allowed or origin in {seen.root.lower(), _origin_of(own)}):
        return
    if site in ("same-origin", "none") or not (site or origin or needed):
        return
    raise HttpError(403, "this comes from a page of another site, or does not say of which (Origin)")


def _origin_of(url: str) -> str:
    parts = urlsplit(url.lower())
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


def cors_fields(headers: Headers, allowed: Collection[str]) -> tuple[tuple[str, str], ...]:
    """Give the fields that let a page of an allowed origin read the answer, with its visitor's credentials."""
    if not allowed:
        return ()
    origin = headers.get("origin")
    vary = (("vary", "Origin"),)
    if origin.lower() in allowed:
        readable = ("access-control-expose-headers", _READABLE)
        named = ("access-control-allow-origin", origin), ("access-control-allow-credentials", "true")
        return (*named, readable, *vary)
    if "*" in allowed and origin:
        # To everybody, but without credentials of the browser's own: a token that the page has itself.
        return (("access-control-allow-origin", "*"), ("access-control-expose-headers", _READABLE), *vary)
    return vary


def preflight(method: str, headers: Headers, allowed: Collection[str]) -> Response | None:
    """Give the answer to a browser that asks whether a page may send a request; None where this is none."""
    asked = "access-control-request-method" in headers and "origin" in headers
    if method != "OPTIONS" or not asked or not allowed:
        return None
    fields = list(cors_fields(headers, allowed))
    if any(name == "access-control-allow-origin" for name, _ in fields):
        wanted = headers.get("access-control-request-headers")
        fields += [("access-control-allow-methods", _METHODS), ("access-control-max-age", str(_PREFLIGHT_S))]
        fields += [("access-control-allow-headers", wanted)] if wanted else []
    return Response(204, headers=tuple(fields))
