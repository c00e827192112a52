"""The Minimal Lower Layer Protocol (HL7 v2 chapter 10 appendix C): VT, content, FS, CR, as bytes come.

Senders that leave the CR away, write LF for it, or begin with several VT are understood.
"""

from __future__ import annotations

BEGIN, END = b"\x0b", b"\x1c\r"
_VT, _FS = 0x0B, b"\x1c"
_BETWEEN = b"\r\n\x1c\x00 \t"
MOST_BETWEEN = 4096
"""Bytes that belong to no frame, after which this is another protocol."""
_BEGINNINGS = (b"\x0bMSH", b"\x0bFHS", b"\x0bBHS")
_HEAD = 4096


class NotFramed(Exception):
    """What comes is in no frame. `sentence` says what it looks like."""


class Framer:
    """Gives the content of each frame, of the bytes of one connection."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._buffer = bytearray()
        self._searched = 0
        self._strange = 0
        self.too_long: bytes | None = None
        """The beginning of a frame that has more bytes than are taken."""

    @property
    def begun(self) -> bool:
        """Whether a frame has begun that has not ended."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes, give the contents that they complete. Raises NotFramed, after which nothing is taken.

        Nor is it once a frame is `too_long`, which the frames that are given here came before.
        """
        self._buffer += data
        found: list[bytes] = []
        while self._begins() and (end := self._buffer.find(_FS, self._searched)) >= 0:
            if end > self._most + 1:
                break
            found.append(self._taken(end))
        self._searched = len(self._buffer)
        if self._searched > self._most + 1:
            self.too_long = bytes(self._buffer[1:_HEAD])
        return found

    def _begins(self) -> bool:
        """Whether there is a frame's beginning, with all before it thrown away."""
        if not self._buffer or self._buffer[0] == _VT:
            return bool(self._buffer)
        start = self._buffer.find(BEGIN)
        between = self._buffer[:start] if start >= 0 else self._buffer
        strange = between.strip(_BETWEEN)
        self._strange += len(strange)
        if self._strange > MOST_BETWEEN or (strange and looks_like(bytes(strange))):
            raise NotFramed(looks_like(bytes(strange)) or "it is not framed as MLLP")
        del self._buffer[: len(between)]
        self._searched = 0
        return bool(self._buffer)

    def _taken(self, end: int) -> bytes:
        """Take the frame that ends there out of the buffer.

        A sender that was cut off in a message and begins anew on the same connection is understood: the last beginning counts.
        """
        start = max((self._buffer.rfind(one, 0, end) for one in _BEGINNINGS), default=-1)
        content = bytes(self._buffer[max(start, 0) : end]).lstrip(BEGIN)
        del self._buffer[: end + 1]
        self._searched = 0
        return content


def framed(content: bytes) -> bytes:
    """Give the content as it goes over the wire."""
    return BEGIN + content + END


def looks_like(data: bytes) -> str:
    """Name the other protocol that these first bytes are of, "" where they are of none that is known."""
    if data[:2] == b"\x16\x03":
        return "it speaks TLS"
    if data.split(b" ", 1)[0] in (b"GET", b"POST", b"HEAD", b"PUT", b"OPTIONS", b"CONNECT", b"PRI"):
        return "it speaks HTTP"
    if data[:3] in (b"MSH", b"FHS", b"BHS"):
        return "it sends HL7 without the frames of MLLP"
    return ""
