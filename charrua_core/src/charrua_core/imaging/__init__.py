"""Pixels: decoding, encoding and what is made of them, in killable worker processes. Importing this loads no codec."""

from __future__ import annotations

from charrua_core.imaging.pixels import Decoded, NativeFrame, PixelFormat, native_frame
from charrua_core.imaging.workers import SETTINGS, Imaging

__all__ = ["SETTINGS", "Decoded", "Imaging", "NativeFrame", "PixelFormat", "native_frame"]
