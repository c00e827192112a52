"""What one frame holds: a message, several, or a batch (HL7 v2 chapter 2.10.3)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from charrua_hl7.errors import MessageTooLarge, MessageUnreadable
from charrua_hl7.message import MOST_SEGMENTS

_ENVELOPES = (b"FHS", b"BHS", b"BTS", b"FTS")
_LINE = re.compile(rb"[^\r\n]+")
_START = re.compile(rb"(?:^|[\r\n])[ \t]*(?:MSH|FHS|BHS|BTS|FTS)(?=[^0-9A-Za-z])")
MOST_FIELDS = 1000
MOST_PARTS = 5000
"""Components, subcomponents, repetitions and escape sequences in one segment."""


@dataclass(frozen=True, slots=True)
class Split:
    """The messages of a frame as they came, and the header segments FHS and BHS where it is a batch."""

    messages: list[bytes]
    file_header: bytes = b""
    batch_header: bytes = b""

    @property
    def is_batch(self) -> bool:
        """Whether the messages came in the batch protocol, and are answered so."""
        return bool(self.file_header or self.batch_header)


def split(content: bytes) -> Split:
    """Give the messages of a frame: one that has none is a message that cannot be read."""
    if content.count(b"MSH") < 2 and not any(one in content for one in _ENVELOPES):
        return Split([content])  # as nearly all do: looking closer takes longer
    starts = [found.start() for found in _START.finditer(content)]
    if len(starts) < 2:
        return Split([content])
    parts = [content[start:end].strip(b"\r\n") for start, end in zip(starts, [*starts[1:], len(content)], strict=True)]
    messages = [part for part in parts if not part.lstrip().startswith(_ENVELOPES)]
    headers = {part.lstrip()[:3]: part for part in reversed(parts) if part.lstrip().startswith(_ENVELOPES)}
    return Split(messages, headers.get(b"FHS", b""), headers.get(b"BHS", b""))


def refuse_excess(content: bytes) -> None:
    """Raise MessageTooLarge for what would take long to read: it has been counted quickly before that."""
    lines = _LINE.findall(content)
    if len(lines) > MOST_SEGMENTS:
        raise MessageTooLarge(f"it has more than {MOST_SEGMENTS} segments")
    head = content.lstrip(b"\xef\xbb\xbf\r\n\t \x00")[:9]
    if not head:
        raise MessageUnreadable("it is empty")
    field, marks = head[3:4], [head[n : n + 1] for n in (4, 5, 6, 7)]
    for line in lines:
        if len(line) > MOST_FIELDS and (
            line.count(field) > MOST_FIELDS or sum(line.count(mark) for mark in marks if mark) > MOST_PARTS
        ):
            raise MessageTooLarge(
                f"a segment has more than {MOST_FIELDS} fields or {MOST_PARTS} parts",
                line[:3].decode("ascii", "replace"),
            )
