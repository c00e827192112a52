"""What goes on a medium: settings, and the transfer syntaxes of the application profiles (PS3.11)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from charrua_core.imaging.codecs import syntaxes
from charrua_core.settings import Setting
from charrua_core.web import HttpError, Parameter
from charrua_web.dicomweb.wado_forms import Wanted

SETTINGS = (
    Setting(
        "enable_download",
        bool,
        True,
        help="Whether who may retrieve studies can download them, in the study list and the viewer, as a ZIP archive with "
        "DICOMDIR and a light viewer; the objects themselves can be retrieved all the same.",
        since="0.1",
        effect="now",
    ),
    Setting(
        "media_most_bytes",
        int,
        50 << 30,
        minimum=1 << 20,
        maximum=1 << 50,
        unit="bytes",
        help="Bytes of stored objects that one download or disc image may have.",
        since="0.1",
        effect="now",
    ),
    Setting(
        "media_most_pictures",
        int,
        5000,
        minimum=0,
        maximum=1_000_000,
        unit="pictures",
        help="Pictures that the light viewer of a download or disc may have; of more images it shows every second, third … of "
        "each series. The DICOM files are always complete.",
        since="0.1",
        effect="now",
    ),
)

MOST_STUDIES = 100
MOST_OBJECTS = 100_000


@dataclass(frozen=True, slots=True)
class AsStored(Wanted):
    """Objects as they are stored; those in the syntaxes that no medium has (implicit VR, big endian) in explicit VR."""

    def of(self, stored: str, *, lossy: bool) -> list[str]:
        """Give those that an object may leave in."""
        if stored in (syntaxes.IMPLICIT_LITTLE_ENDIAN, syntaxes.EXPLICIT_BIG_ENDIAN):
            return Wanted(self.syntaxes, by_default=True).of(stored, lossy=lossy)
        return [stored]


_UNCOMPRESSED = (syntaxes.EXPLICIT_LITTLE_ENDIAN,)
_JPEG = (*_UNCOMPRESSED, syntaxes.JPEG_LOSSLESS_SV1, syntaxes.JPEG_BASELINE, syntaxes.JPEG_EXTENDED)
_JPEG_2000 = (*_UNCOMPRESSED, syntaxes.JPEG_2000_LOSSLESS, syntaxes.JPEG_2000)

PROFILES: tuple[tuple[str, Collection[str]], ...] = (
    ("STD-GEN-CD, STD-GEN-DVD-RAM", _UNCOMPRESSED),
    ("STD-GEN-DVD-JPEG, STD-GEN-USB-JPEG", _JPEG),
    ("STD-GEN-DVD-J2K, STD-GEN-USB-J2K", _JPEG_2000),
)
"""Application profiles and what they take, the narrowest first (PS3.11 D, H, J)."""

SYNTAXES = {
    "stored": AsStored(_UNCOMPRESSED),
    "explicit": Wanted(_UNCOMPRESSED, by_default=True),
    "jpeg": Wanted(_JPEG, by_default=True),
    "jpeg2000": Wanted(_JPEG_2000, by_default=True),
}
SYNTAX = Parameter(
    "syntax",
    "stored: as they are; explicit: uncompressed, as the profile STD-GEN-CD wants them; jpeg: as STD-GEN-DVD-JPEG, "
    "jpeg2000: as STD-GEN-DVD-J2K",
    {"type": "string", "enum": list(SYNTAXES), "default": "stored"},
)


def wanted_syntaxes(text: str) -> Wanted:
    """Give what the query says. HttpError 400 where it is none of SYNTAXES."""
    if (text or "stored") not in SYNTAXES:
        raise HttpError(400, f"syntax is one of {', '.join(SYNTAXES)}")
    return SYNTAXES[text or "stored"]


def profile_of(used: Collection[str]) -> str:
    """Give the profiles that a medium with files in these transfer syntaxes keeps, "" where there are none."""
    return next((name for name, takes in PROFILES if set(used) <= set(takes)), "")
