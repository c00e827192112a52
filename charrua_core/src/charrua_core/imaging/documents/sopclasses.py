"""SOP classes by name, and which of them are documents, recordings or encapsulated files (PS3.6 annex A, PS3.4 B.5)."""

from __future__ import annotations

from functools import lru_cache

from pydicom.uid import UID

KEY_OBJECT_SELECTION = "1.2.840.10008.5.1.4.1.1.88.59"
_REPORTS = "1.2.840.10008.5.1.4.1.1.88."
_WAVEFORMS = "1.2.840.10008.5.1.4.1.1.9."
ELECTROCARDIOGRAMS = frozenset(f"{_WAVEFORMS}{number}" for number in ("1.1", "1.2", "1.3", "1.4"))
AUDIO = frozenset({f"{_WAVEFORMS}4.1", f"{_WAVEFORMS}4.2"})
ENCAPSULATED = {
    "1.2.840.10008.5.1.4.1.1.104.1": "application/pdf",
    "1.2.840.10008.5.1.4.1.1.104.2": "text/xml",
    "1.2.840.10008.5.1.4.1.1.104.3": "model/stl",
    "1.2.840.10008.5.1.4.1.1.104.4": "model/obj",
    "1.2.840.10008.5.1.4.1.1.104.5": "model/mtl",
}
"""SOP class → the media type of what it holds, where the object does not say it (PS3.3 C.24.2)."""


@lru_cache(maxsize=1024)
def class_name(sop_class_uid: str) -> str:
    """`CT Image` for the UID of CT Image Storage; a UID that PS3.6 does not have is its own name."""
    name = UID(sop_class_uid).name if sop_class_uid else "object"
    return name.removesuffix(" Storage").removesuffix(" - For Presentation")


def is_report(sop_class_uid: str) -> bool:
    """Whether objects of the class have a content tree: structured reports and key object selections."""
    return sop_class_uid.startswith(_REPORTS)


def is_waveform(sop_class_uid: str) -> bool:
    """Whether objects of the class are recordings over time."""
    return sop_class_uid.startswith(_WAVEFORMS)
