"""Data sets for these tests: real files by their manifest, and bytes made element by element."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from charrua_core.testing.outside import DATA

UNDEFINED = 0xFFFFFFFF
_LONG_VRS = {"OB", "OV", "OW", "SQ", "UN", "UT"}


class Writer:
    """Writes explicit VR little endian elements, right or wrong ones."""

    def element(self, tag: int, vr: str, value: bytes, *, length: int | None = None) -> bytes:
        """An element; `length` is a lie where it is not that of the value."""
        value += (b"\0" if vr == "UI" else b" ") * (len(value) & 1)
        declared = len(value) if length is None else length
        head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr.encode())
        return head + (struct.pack("<HL", 0, declared) if vr in _LONG_VRS else struct.pack("<H", declared)) + value

    def item(self, value: bytes) -> bytes:
        return struct.pack("<HHL", 0xFFFE, 0xE000, len(value)) + value

    def nested(self, depth: int) -> bytes:
        """A sequence in a sequence in a sequence, so deep."""
        opening = struct.pack("<HH2sHLHHL", 0x0040, 0xA730, b"SQ", 0, UNDEFINED, 0xFFFE, 0xE000, UNDEFINED)
        return opening * depth + struct.pack("<HHLHHL", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0) * depth

    def fragments(self, *values: bytes) -> bytes:
        """Encapsulated Pixel Data; the first value is the Basic Offset Table."""
        items = b"".join(self.item(value) for value in values)
        return self.element(0x7FE00010, "OB", b"", length=UNDEFINED) + items + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)

    def identified(self, *elements: bytes, sop_instance_uid: bytes = b"1.2.3.4") -> bytes:
        """A data set with the four UIDs and these elements."""
        return b"".join(
            [
                self.element(0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.7"),
                self.element(0x00080018, "UI", sop_instance_uid),
                self.element(0x0020000D, "UI", b"1.2.3"),
                self.element(0x0020000E, "UI", b"1.2.3.1"),
                *elements,
            ]
        )

    def deflated(self, head: bytes, repeated: bytes = b"", times: int = 0) -> bytes:
        packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
        packed = [packer.compress(head), *(packer.compress(repeated) for _ in range(times)), packer.flush()]
        return b"".join(packed)


@pytest.fixture
def write() -> Writer:
    return Writer()


@pytest.fixture(scope="session")
def data() -> Path:
    if not DATA.is_dir():
        pytest.skip(f"no test data at {DATA}")
    return DATA


@pytest.fixture
def descriptor() -> Iterator[Callable[[Path], int]]:
    """Opens files for reading, and closes them after the test."""
    opened: list[int] = []

    def open_file(path: Path) -> int:
        opened.append(os.open(path, os.O_RDONLY))
        return opened[-1]

    yield open_file
    for number in opened:
        os.close(number)
