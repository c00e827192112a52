"""Pixels: decoding, encoding and what is made of them, in worker processes that can be killed (`imaging.workers`).

Importing this loads no codec, no numpy, and nothing that a worker process does not need.
"""

from __future__ import annotations

from charrua_core.imaging.pixels import Decoded, NativeFrame, PixelFormat, native_frame

__all__ = ["Decoded", "NativeFrame", "PixelFormat", "native_frame"]
