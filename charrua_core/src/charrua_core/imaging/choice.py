"""Which transfer syntax an object leaves in: its own where the peer takes it, else the one that costs least and loses nothing.

Uncompressed before compressed anew: every receiver reads it, and it costs a decoder alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from charrua_core.archive.datasets.recode import TARGETS
from charrua_core.imaging.codecs import syntaxes
from charrua_core.imaging.transcode import VIDEO

UNCOMPRESSED = (*TARGETS, syntaxes.DEFLATED_EXPLICIT)
LOSSLESS = (
    syntaxes.JPEG_LS,
    syntaxes.HTJ2K_LOSSLESS,
    syntaxes.HTJ2K_LOSSLESS_RPCL,
    syntaxes.JPEG_LOSSLESS_SV1,
    syntaxes.JPEG_LOSSLESS,
    syntaxes.JPEG_2000_LOSSLESS,
    syntaxes.RLE,
)
LOSSY = (syntaxes.JPEG_BASELINE, syntaxes.JPEG_2000, syntaxes.JPEG_EXTENDED)
"""Into which an object goes only where the setting `send_lossy` lets it: it is another object then."""


def choices(stored: str, *, lossy: bool, preferred: Sequence[str] = ()) -> tuple[str, ...]:
    """Give the transfer syntaxes that an object stored in this one can leave in, the best first.

    Those preferred come first, lossy ones among them whatever `lossy` says; but nothing is compressed lossily twice.
    """
    if stored in VIDEO:
        return (stored,)
    first = (uid for uid in preferred if uid not in syntaxes.LOSSY or stored not in syntaxes.LOSSY)
    return tuple(dict.fromkeys((*first, stored, *UNCOMPRESSED, *LOSSLESS, *(LOSSY if lossy else ()))))
