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
    content_type = f'multipart/related; type="{part_type}"; boundary={boundary}'
    return Response(status, _pieces(parts, boundary.encode()), content_type, headers)


async def _pieces(parts: AsyncGenerator[Part, None], boundary: bytes) -> AsyncGenerator[Piece, None]:
    between = b"--" + boundary
    async with aclosing(parts) as several:
        async for part in several:
            fields = {"Content-Type": part.content_type, **part.headers}
            lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
            yield between + b"\r\n" + lines.encode("latin_1") + b"\r\n"
            for piece in part.pieces:
                yield piece
            between = b"\r\n--" + boundary
    yield between + b"--\r\n"
