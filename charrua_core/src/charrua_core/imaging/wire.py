"""Messages between the server and imaging's worker processes: length-prefixed pickles, bulk beside them and not copied in.

A message is a count, that many lengths, and as many parts: the pickle first, then the buffers of its arrays (PEP 574).
"""

from __future__ import annotations

import importlib
import io
import pickle
import struct
from collections.abc import Sequence
from dataclasses import is_dataclass
from enum import Enum
from typing import Any, BinaryIO

Part = bytes | bytearray | memoryview

MOST_PARTS = 64
_AT_ONCE = 1 << 20  # bytes that are copied together to be written at once
_ARRAYS = {
    "numpy": {"dtype", "ndarray"},
    "numpy._core.multiarray": {"_reconstruct", "scalar"},
    "numpy._core.numeric": {"_frombuffer"},
}
_ROOMS = ("charrua_core.types", "charrua_core.imaging.")


class BadMessage(Exception):
    """What a worker process sent is no message."""


def pack(message: object) -> list[Part]:
    """Give the parts of a message, its arrays' buffers uncopied."""
    buffers: list[pickle.PickleBuffer] = []
    pickled = pickle.dumps(message, protocol=5, buffer_callback=buffers.append)
    parts: list[Part] = [pickled, *(buffer.raw() for buffer in buffers)]
    if len(parts) > MOST_PARTS:  # many small arrays are better off within
        return [pickle.dumps(message, protocol=5)]
    return parts


def head_of(parts: Sequence[Part]) -> bytes:
    """Give what is sent before the parts."""
    return struct.pack(f"<I{len(parts)}Q", len(parts), *(len(part) for part in parts))


def unpack(parts: Sequence[Part]) -> Any:
    """Give the message, in a worker process."""
    return pickle.loads(parts[0], buffers=parts[1:])  # noqa: S301 -- the server made it


def unpack_plain(parts: Sequence[Part]) -> Any:
    """Give the message in the server, where a worker that a code stream took over must not run anything.

    Only plain values, arrays, and the dataclasses and enumerations of core's own types and of imaging are made.
    """
    try:
        return _PlainUnpickler(io.BytesIO(parts[0]), buffers=parts[1:]).load()
    except Exception as error:
        raise BadMessage(f"{type(error).__name__}: {error}"[:200]) from error


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if name in _ARRAYS.get(module, ()):
            return super().find_class(module, name)
        if module.startswith(_ROOMS) and "." not in name:
            found = getattr(importlib.import_module(module), name)
            if isinstance(found, type) and (is_dataclass(found) or issubclass(found, Enum)):
                return found
        raise pickle.UnpicklingError(f"{module}.{name} is no plain data")


def read(source: BinaryIO) -> list[Part] | None:
    """Read a message's parts in a worker process; None at the end of the stream. Blocking."""
    counted = source.read(4)
    if not counted:
        return None
    (count,) = struct.unpack("<I", counted)
    lengths = struct.unpack(f"<{count}Q", source.read(8 * count))
    return [source.read(length) for length in lengths]


def write(target: BinaryIO, parts: Sequence[Part]) -> None:
    """Write a message's parts in a worker process. Blocking."""
    pieces: list[Part] = [head_of(parts), *parts]
    if sum(map(len, pieces)) <= _AT_ONCE:  # so that the server wakes once
        pieces = [b"".join(pieces)]
    for piece in pieces:
        target.write(piece)
    target.flush()
