"""Pixels out of frames and frames out of pixels, in every transfer syntax that a codec here or in a plugin knows.

These functions run where they are called: the server calls them through `app.imaging.run`, never itself. Importing this
loads no codec and no numpy.
"""

from __future__ import annotations

from charrua_core.imaging.codecs.encoded import EncodeOptions, encoded_format
from charrua_core.imaging.codecs.registry import DECODERS, ENCODERS, Codec, Codecs, decode_frame, encode_frame, install
from charrua_core.imaging.codecs.syntaxes import LOSSY, NATIVE

__all__ = [
    "DECODERS",
    "ENCODERS",
    "LOSSY",
    "NATIVE",
    "Codec",
    "Codecs",
    "EncodeOptions",
    "decode_frame",
    "encode_frame",
    "encoded_format",
    "install",
]
