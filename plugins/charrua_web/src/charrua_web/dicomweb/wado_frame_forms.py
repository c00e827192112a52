"""In which form frames leave: the media types of PS3.18 8.7.3.3, and which of them a request accepts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from charrua_core.imaging.choice import choices
from charrua_core.imaging.codecs import syntaxes as s
from charrua_core.imaging.transcode import VIDEO
from charrua_core.types import is_valid_uid
from charrua_core.web import HttpError, MediaType, ranges_of

OCTETS = "application/octet-stream"
MEDIA = {
    OCTETS: (s.EXPLICIT_LITTLE_ENDIAN,),
    "image/jpeg": (s.JPEG_LOSSLESS_SV1, s.JPEG_BASELINE, s.JPEG_EXTENDED, s.JPEG_LOSSLESS),
    "image/jls": (s.JPEG_LS, s.JPEG_LS_NEAR),
    "image/jp2": (s.JPEG_2000_LOSSLESS, s.JPEG_2000),
    "image/jpx": (s.JPEG_2000_PART_2_LOSSLESS, s.JPEG_2000_PART_2),
    "image/jphc": (s.HTJ2K_LOSSLESS, s.HTJ2K_LOSSLESS_RPCL, s.HTJ2K),
    "image/jxl": (s.JPEG_XL_LOSSLESS, s.JPEG_XL_RECOMPRESSION, s.JPEG_XL),
    "image/dicom-rle": (s.RLE,),
}
"""Media type → the transfer syntaxes of its frames, the one that is meant where none is named first."""
_MEDIA_OF = {syntax: media for media, those in MEDIA.items() for syntax in those}
_AS_UNCOMPRESSED = s.NATIVE - {s.EXPLICIT_BIG_ENDIAN}
"""Those whose frames are, byte for byte, frames in explicit VR little endian."""


@dataclass(frozen=True, slots=True)
class Form:
    """The form of an answer's frames."""

    media_type: str
    transfer_syntax_uid: str
    multipart: bool
    as_stored: bool
    """Their bytes are those of the file."""

    @property
    def content_type(self) -> str:
        """The type of each part, or of the answer."""
        return f"{self.media_type}; transfer-syntax={self.transfer_syntax_uid}"


@lru_cache(maxsize=1024)
def form_of(said: str, stored: str, *, single: bool, lossy: bool) -> Form:
    """Give the form, of those that the text of an Accept header names, in which frames stored in a transfer syntax leave.

    Multipart, but where a single frame is asked for in a single part. HttpError 406 where there is none.
    """
    if stored in VIDEO:
        raise HttpError(406, "a video is not kept by frame: ask for its bulk data, or for rendered frames")
    able = set(choices(stored, lossy=lossy))
    for wanted in ranges_of(said):
        for media, syntax in _meant(wanted, stored) if wanted.q else ():
            as_stored = syntax == stored or (stored in _AS_UNCOMPRESSED and syntax == s.EXPLICIT_LITTLE_ENDIAN)
            for multipart in (True, False) if single else (True,):
                offer = MediaType("multipart/related", {"type": media}) if multipart else MediaType(media)
                if (as_stored or syntax in able) and wanted.admits(offer):
                    told = s.EXPLICIT_LITTLE_ENDIAN if stored in _AS_UNCOMPRESSED and as_stored else syntax
                    return Form(media, told, multipart, as_stored)
    raise HttpError(406, f"frames stored in transfer syntax {stored} cannot be had in what the request accepts")


def _meant(wanted: MediaType, stored: str) -> Iterator[tuple[str, str]]:
    """Give media type and transfer syntax of what a range may mean, the best first."""
    named = wanted.parameters.get("transfer-syntax", "")
    own = _MEDIA_OF.get(stored, OCTETS)
    if named == "*":
        yield own, stored
        yield OCTETS, stored  # where somebody takes the frames of a file as they are, and calls them so
    elif named:
        if not is_valid_uid(named):
            raise HttpError(400, f"{named[:80]!r} is no transfer syntax")
        if named in _MEDIA_OF:
            yield _MEDIA_OF[named], named
    else:
        if own != OCTETS and "*" not in (wanted.part or wanted.type):
            yield own, stored
        for media, (first, *_) in MEDIA.items():
            yield media, first
        yield own, stored
