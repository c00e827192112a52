"""The headers of a page of matches: how many there are, where the next begins, and whether the client has it already."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import orjson

from charrua_web.choices import DICOMWEB

if TYPE_CHECKING:
    from charrua_core.web import Request
    from charrua_web.dicomweb.qido_parameters import Asked

Headers = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Number:
    """How many match in all, or at least so many."""

    matches: int
    exact: bool = True


@dataclass(frozen=True, slots=True)
class Page:
    """What is told of the matches; `rows` is None where they are not at hand."""

    rows: Sequence[bytes] | None
    number: Number
    more: bool
    by_uid: bool = False
    """The next page begins after the last UID of this one, else at an offset."""
    length: int = 0
    """Matches of the page, where they are not at hand."""


def headers_of(request: Request, asked: Asked, page: Page, root: str, media_type: str, unique: str) -> Headers:
    """Give the headers; `root` is the URL of the server, `unique` the tag of the UID at the level."""
    warnings = [f"299 {root}{DICOMWEB}: {text}" for text in _warnings(asked, page)]
    headers = [("Warning", warning) for warning in warnings]
    headers += [("Cache-Control", "private, no-cache"), ("Vary", "Accept, Authorization, Cookie")]
    headers.append(("X-Total-Count", str(page.number.matches)))
    headers.append(("X-Total-Count-Relation", "eq" if page.number.exact else "gte"))
    if page.rows is not None:
        headers.append(("ETag", f'W/"{_digest(page, media_type, warnings)}"'))
    if page.more:
        headers.append(("Link", f'<{_next(request, asked, page, root, unique)}>; rel="next"'))
    return headers


def not_modified(request: Request, headers: Headers) -> bool:
    """Whether the client has the page as it is (RFC 9110 13.1.2)."""
    tag = dict(headers).get("ETag", "").removeprefix("W/")
    known = request.headers.get("if-none-match").split(",")
    return bool(tag) and tag in [one.strip().removeprefix("W/") for one in known]


def _warnings(asked: Asked, page: Page) -> Iterator[str]:
    if asked.ignored:
        names = ", ".join(re.sub(r"[^\w.]", "?", name, flags=re.ASCII) for name in asked.ignored)
        yield f"These attributes are not supported here and were ignored: {names}"
    if page.more:
        told = page.length if page.rows is None else len(page.rows)
        known = page.number.exact and not asked.query.after
        left = f"{page.number.matches - asked.query.offset - told} " if known else ""
        yield f"There are {left}additional results that can be requested"


def _digest(page: Page, media_type: str, warnings: Sequence[str]) -> str:
    """Give what is the same only if all that is told is the same, whoever asked and however."""
    whole = blake2b(digest_size=16)
    for part in (media_type, *warnings, page.number):
        whole.update(f"{part}\n".encode())
    for row in page.rows or ():
        whole.update(row)
    return whole.hexdigest()


def _next(request: Request, asked: Asked, page: Page, root: str, unique: str) -> str:
    pairs = [(name, value) for name, value in request.query if name not in ("after", "offset")]
    if page.by_uid and page.rows:
        pairs.append(("after", orjson.loads(page.rows[-1])[unique]["Value"][0]))
    else:
        told = page.length if page.rows is None else len(page.rows)
        pairs.append(("offset", str(asked.query.offset + told)))
    return f"{root}{quote(request.path)}?{urlencode(pairs)}"
