"""Answers of several parts: multipart/related (RFC 2387), as PS3.18 8.6.1.2 has them."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from charrua_core.web.response import Piece, Response


@dataclass(frozen=True, slots=True)
class Part:
    """One part: its media type, its bytes in pieces, more of its header fields."""

    content_type: str
    pieces: Sequence[Piece]
    headers: Mapping[str, str] = field(default_factory=dict)


def multipart_response(
    parts: AsyncGenerator[Part, None], part_type: str, *, status: int = 200, headers: Sequence[tuple[str, str]] = ()
) -> Response:
    """Give parts of one media type, each made when the client has taken those before it."""
    boundary = secrets.token_hex(16)
    return Response(status, _pieces(parts, boundary.encode()), _content_type(part_type, boundary), headers)


def multipart_whole(parts: Sequence[Part], part_type: str) -> Response:
    """Give parts of one media type that are all at hand: sent with their length."""
    boundary = secrets.token_hex(16)
    between, pieces = b"--" + boundary.encode(), list[Piece]()
    for part in parts:
        pieces += [_head(between, part), *part.pieces]
        between = b"\r\n--" + boundary.encode()
    return Response(200, _joined([*pieces, between + b"--\r\n"]), _content_type(part_type, boundary))


def _joined(pieces: list[Piece]) -> bytes | list[Piece]:
    """Give bytes where all is at hand: they leave in one write."""
    whole = [piece for piece in pieces if isinstance(piece, bytes)]
    return b"".join(whole) if len(whole) == len(pieces) else pieces


def _content_type(part_type: str, boundary: str) -> str:
    return f'multipart/related; type="{part_type}"; boundary={boundary}'


def _head(between: bytes, part: Part) -> bytes:
    fields = {"Content-Type": part.content_type, **part.headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return between + b"\r\n" + lines.encode("latin_1") + b"\r\n"


async def _pieces(parts: AsyncGenerator[Part, None], boundary: bytes) -> AsyncGenerator[Piece, None]:
    between = b"--" + boundary
    async with aclosing(parts) as several:
        async for part in several:
            yield _head(between, part)
            for piece in part.pieces:
                yield piece
            between = b"\r\n--" + boundary
    yield between + b"--\r\n"
