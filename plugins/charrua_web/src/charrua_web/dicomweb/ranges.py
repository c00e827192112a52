"""Parts of an answer by byte (RFC 9110 14): for players that seek and downloads that are taken up again."""

from __future__ import annotations

import re
from collections.abc import Sequence

from charrua_core.types import FileRange
from charrua_core.web import HttpError, Request, Response
from charrua_core.web.response import Piece

_RANGE = re.compile(r"\s*bytes\s*=\s*(\d{0,15})\s*-\s*(\d{0,15})\s*", re.ASCII)


def ranged(
    request: Request,
    pieces: Sequence[Piece],
    content_type: str,
    etag: str,
    headers: Sequence[tuple[str, str]] = (),
) -> Response:
    """Give the pieces, or what the header Range names of them: 206 with its place, 416 where there is nothing.

    Several ranges at once, and a unit that is not bytes, are answered by the whole, as a server may (RFC 9110 14.2); so is
    a range of an earlier state (If-Range).
    """
    fields = [("Accept-Ranges", "bytes"), ("ETag", etag), *headers]
    if not_modified(request, etag):
        return Response(304, headers=fields)
    size = sum(map(_length, pieces))
    asked = _RANGE.fullmatch(request.headers.get("range"))
    if asked is None or not any(asked.groups()) or request.headers.get("if-range", etag) != etag:
        return Response(200, list(pieces), content_type, fields)
    start, end = _bounds(asked[1], asked[2], size)
    if start >= end:
        raise HttpError(416, f"there are {size} bytes", {"Content-Range": f"bytes */{size}"})
    fields.append(("Content-Range", f"bytes {start}-{end - 1}/{size}"))
    return Response(206, _cut(pieces, start, end), content_type, fields)


def not_modified(request: Request, etag: str) -> bool:
    """Whether the client has what it asks for already (If-None-Match, weakly compared)."""
    told = [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match").split(",")]
    return etag.removeprefix("W/") in told or told == ["*"]


def _bounds(first: str, last: str, size: int) -> tuple[int, int]:
    if not first:
        return max(0, size - int(last)), size
    return int(first), min(size, int(last) + 1) if last else size


def _length(piece: Piece) -> int:
    return len(piece) if isinstance(piece, bytes) else piece.length


def _cut(pieces: Sequence[Piece], start: int, end: int) -> list[Piece]:
    cut: list[Piece] = []
    at = 0
    for piece in pieces:
        length = _length(piece)
        first, last = max(0, start - at), min(length, end - at)
        if first < last:
            if isinstance(piece, bytes):
                cut.append(piece[first:last])
            else:
                cut.append(FileRange(piece.path, piece.offset + first, last - first))
        at += length
    return cut
