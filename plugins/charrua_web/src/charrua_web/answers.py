"""What every answer carries: fields that keep browsers safe and patients out of caches, and gzip where it pays."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import replace

from charrua_core.web import Headers, Response
from charrua_core.web.response import Piece
from charrua_web.chunks import chunks_of

Fields = tuple[tuple[str, str], ...]

SAFETY: Fields = (
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
)
HSTS = ("strict-transport-security", "max-age=31536000")
SMALLEST = 1024
"""Bytes of a body that is worth compressing."""
_IN_THREAD = 1 << 16
_LEVEL = 1
"""Of 1 to 9: 1 makes headers of all kinds in DICOM JSON a seventh at 200 MB/s, 6 a ninth at 70 MB/s (one core)."""
_WORDS = 16 + zlib.MAX_WBITS  # gzip's own header


def completed(response: Response, more: Fields) -> Response:
    """Give the answer with `more` fields and those of SAFETY, where it does not have its own."""
    return replace(response, headers=(*response.headers, *missing(response.headers, more)))


def missing(fields: Iterable[tuple[str, str]], more: Fields) -> Fields:
    """Give what an answer with these fields lacks: `more`, SAFETY, and that no cache keeps it."""
    names = {name.lower() for name, _ in fields}
    kept = "private, no-cache" if "etag" in names else "no-store"
    wanted = (*more, *SAFETY, ("cache-control", kept))
    return tuple((name, value) for name, value in wanted if name == "vary" or name not in names)


def may_compress(response: Response, request: Headers) -> bool:
    """Whether the client takes gzip, and the answer is text of some length."""
    if not is_text(response.content_type) or response.status in (204, 206, 304):
        return False
    if any(name.lower() in ("content-encoding", "content-range") for name, _ in response.headers):
        return False
    return _takes_gzip(request.get("accept-encoding")) and (response.length is None or response.length >= SMALLEST)


async def compressed(response: Response) -> Response:
    """Give the answer in gzip: whole where it is whole, else piece by piece."""
    headers = [
        (name, f"W/{value}" if name.lower() == "etag" and value[:1] == '"' else value)
        for name, value in response.headers
    ]
    headers.append(("content-encoding", "gzip"))
    body = response.body
    if isinstance(body, AsyncGenerator):
        return replace(response, body=_stream(body), headers=headers)
    if isinstance(body, list):
        if not all(isinstance(piece, bytes) for piece in body):
            return response
        body = b"".join(piece for piece in body if isinstance(piece, bytes))
    packed = await asyncio.to_thread(_gzip, body) if len(body) > _IN_THREAD else _gzip(body)
    return replace(response, body=packed, headers=headers)


def _weakened(field: tuple[str, str]) -> tuple[str, str]:
    """The field; an ETag no longer claims that the bytes are the same (RFC 9110 8.8.3.3)."""
    name, value = field
    return (name, f"W/{value}") if name.lower() == "etag" and value.startswith('"') else field


def is_text(content_type: str) -> bool:
    """Whether it is text: JSON, XML, CSV and the like."""
    kind = content_type.partition(";")[0].strip().lower()
    return kind.startswith("text/") or kind.endswith(("json", "xml", "+json", "+xml", "/javascript"))


def _takes_gzip(accepted: str) -> bool:
    for one in accepted.lower().split(","):
        name, *parameters = (part.strip() for part in one.split(";"))
        if name in ("gzip", "*"):
            return not any(part.replace(" ", "").rstrip("0") in ("q=", "q=0.") for part in parameters)
    return False


def _gzip(body: bytes) -> bytes:
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WORDS)
    return packer.compress(body) + packer.flush()


async def _stream(body: AsyncGenerator[Piece, None]) -> AsyncGenerator[Piece, None]:
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WORDS)
    async with aclosing(chunks_of(body)) as chunks:
        async for chunk in chunks:
            if packed := packer.compress(chunk):
                yield packed
    yield packer.flush()
