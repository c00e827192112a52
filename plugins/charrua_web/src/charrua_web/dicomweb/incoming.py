"""The parts of a multipart/related body (RFC 2387), given as they arrive: what is held is one piece, whatever a part's size.

A delimiter is a line of its own: the boundary amid other bytes is data. Lines may end with LF alone where the first
delimiter's does.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from charrua_core.web import HttpError

_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]", re.ASCII)
"""RFC 2046 5.1.1."""
_LONGEST_LINE = 8 << 10
_MOST_FIELDS = 64
_LONGEST_PREAMBLE = 64 << 10
_LONGEST_PADDING = 64


class PartCutOff(HttpError):
    """The body ended before one of its parts did."""

    def __init__(self) -> None:
        super().__init__(400, "the body ends within a part: its last boundary is missing")


@dataclass(frozen=True, slots=True)
class IncomingPart:
    """One part: its header fields by name in small letters, and its bytes, which are taken before the next part is."""

    headers: Mapping[str, str]
    pieces: AsyncIterator[memoryview]

    @property
    def content_type(self) -> str:
        """Its media type as it is said, "" where it is not."""
        return self.headers.get("content-type", "")


class MultipartReader:
    """Reads a body that comes in `pieces`; HttpError 400 where it does not hold together, also a wrong boundary."""

    def __init__(self, pieces: AsyncIterator[bytes], boundary: str) -> None:
        if not _BOUNDARY.fullmatch(boundary):
            raise HttpError(400, "the header Content-Type has no valid boundary")
        self._pieces = pieces
        self._delimiter = b"--" + boundary.encode("ascii")
        self._newline = b"\r\n"
        self._held = b""
        self._closed = False

    async def parts(self) -> AsyncIterator[IncomingPart]:
        """Give each part; what its taker has left of it is passed over. What follows the last one is read and forgotten."""
        await self._find_first()
        while not self._closed:
            headers = await self._headers()
            part = IncomingPart(headers, self._data())
            yield part
            async for _ in part.pieces:
                pass
        self._held = b""
        async for _ in self._pieces:
            pass

    async def _more(self) -> bool:
        """Whether there was another piece; it is held now."""
        async for piece in self._pieces:
            self._held += piece
            return True
        return False

    async def _line(self, at_end: bytes = b"") -> bytes:
        """Take a line, with its end; the body may end with `at_end` instead."""
        while (end := self._held.find(b"\n")) < 0:
            if len(self._held) > _LONGEST_LINE:
                raise HttpError(400, "a line of the multipart body is too long: is the boundary the right one?")
            if not await self._more():
                if at_end and self._held == at_end:
                    break
                raise PartCutOff
        end = len(self._held) - 1 if end < 0 else end
        line, self._held = self._held[: end + 1], self._held[end + 1 :]
        return line

    async def _find_first(self) -> None:
        """Pass over what stands before the first delimiter."""
        passed = 0
        while passed <= _LONGEST_PREAMBLE:
            line = await self._line(at_end=self._delimiter + b"--")
            passed += len(line)
            said = line.rstrip()
            if said in (self._delimiter, self._delimiter + b"--"):
                self._closed = said != self._delimiter
                self._newline = b"\r\n" if line.endswith(b"\r\n") else b"\n"
                return
        raise HttpError(400, "no part begins: is the boundary the right one?")

    async def _headers(self) -> dict[str, str]:
        fields: dict[str, str] = {}
        last = ""
        for _ in range(_MOST_FIELDS + 1):
            line = (await self._line()).decode("latin_1")
            if not line.strip():
                return fields
            if line[0] in " \t" and last:  # folded, as RFC 822 allowed
                fields[last] = f"{fields[last]} {line.strip()}".strip()
                continue
            name, colon, value = line.partition(":")
            if not colon:
                raise HttpError(400, "a header line of a part has no colon")
            last = name.strip().lower()
            fields[last] = value.strip()
        raise HttpError(400, f"a part has more than {_MOST_FIELDS} header lines")

    async def _data(self) -> AsyncIterator[memoryview]:
        """Give the part's bytes up to its delimiter, and take that."""
        mark = self._newline + self._delimiter
        start = 0
        while True:
            at = self._held.find(mark, start)
            certain = at if at >= 0 else max(len(self._held) - len(mark) + 1, 0)
            if at >= 0:
                after = self._delimits(at + len(mark))
                if after > 0:
                    data, self._held = self._held[:at], self._held[after:]
                    if data:
                        yield memoryview(data)
                    return
                if after < 0:
                    start = at + 1
                    continue
            if certain:
                data, self._held = self._held[:certain], self._held[certain:]
                yield memoryview(data)
            start = 0
            if not await self._more():
                raise PartCutOff

    def _delimits(self, after: int) -> int:
        """Where the next part's header begins behind a delimiter that ends at `after`; -1: it is data, 0: more must come."""
        if self._held.startswith(b"--", after):
            self._closed = True
            return after + 2
        end = self._held.find(b"\n", after, after + _LONGEST_PADDING)
        if end >= 0:
            return end + 1 if not self._held[after:end].strip(b" \t\r") else -1
        waiting = self._held[after : after + _LONGEST_PADDING]
        blank = waiting in (b"", b"-") or not waiting.strip(b" \t\r")
        return 0 if blank and len(waiting) < _LONGEST_PADDING else -1
