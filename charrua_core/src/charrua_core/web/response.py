"""What a handler answers with: bytes, or pieces that are read and sent one after another."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from charrua_core.types import FileRange

Piece = bytes | FileRange
Body = bytes | list[Piece] | AsyncGenerator[Piece, None]


@dataclass(frozen=True, slots=True)
class Response:
    """The answer to a request.

    A body of `bytes` or of a list of pieces is sent with its length; an async generator, which is closed when the client
    goes away, without: what it raises before its first piece is answered as an error, later it breaks the connection off.
    Ranges of files are read piece by piece as the client takes them.
    """

    status: int = 200
    body: Body = b""
    content_type: str = ""
    headers: Sequence[tuple[str, str]] = ()

    @property
    def length(self) -> int | None:
        """Bytes of the body, None where only its end will tell."""
        if isinstance(self.body, bytes):
            return len(self.body)
        if isinstance(self.body, list):
            return sum(piece.length if isinstance(piece, FileRange) else len(piece) for piece in self.body)
        return None


def json_response(value: Any, status: int = 200, content_type: str = "application/json") -> Response:
    """Give a value as JSON."""
    return Response(status, orjson.dumps(value), content_type)
