"""The SOP classes of stored objects and the transfer syntaxes of the standard, as the dictionary at hand has them."""

from __future__ import annotations

from pydicom._uid_dict import UID_dictionary

from charrua_core.types import is_valid_uid

# A DICOMDIR is never sent; Storage Commitment and Storage Management are other services; hardcopies and stored prints were
# of the print service, long retired.
_OTHERS = ("Storage Commitment", "Storage Management", "Media Storage Directory", "Hardcopy", "Stored Print")

# Of PS3.6 A, and not yet in the dictionary at hand.
_NEWER_SYNTAXES = {
    "1.2.840.10008.1.2.4.110": "JPEG XL Lossless",
    "1.2.840.10008.1.2.4.111": "JPEG XL JPEG Recompression",
    "1.2.840.10008.1.2.4.112": "JPEG XL",
    "1.2.840.10008.1.2.8.1": "Deflated Image Frame Compression",
}
_NEWER_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.9.100.1": "Waveform Presentation State Storage",
    "1.2.840.10008.5.1.4.1.1.9.100.2": "Waveform Acquisition Presentation State Storage",
    "1.2.840.10008.5.1.4.1.1.66.7": "Label Map Segmentation Storage",
    "1.2.840.10008.5.1.4.1.1.66.8": "Height Map Segmentation Storage",
}


def _is_storage(name: str) -> bool:
    return "Storage" in name and not name.startswith(_OTHERS)


STORAGE_SOP_CLASSES = frozenset(_NEWER_CLASSES) | frozenset(
    uid for uid, entry in UID_dictionary.items() if entry[1] == "SOP Class" and _is_storage(entry[0])
)
"""The storage SOP classes of PS3.4 B.5 and, for objects that belong to no patient, of PS3.4 GG.3; retired ones too."""

_NOT_FOR_OBJECTS = ("1.2.840.10008.1.2.6.", "1.2.840.10008.1.2.7.")  # MIME and XML texts, live video and sound
TRANSFER_SYNTAXES = frozenset(_NEWER_SYNTAXES) | frozenset(
    uid
    for uid, entry in UID_dictionary.items()
    if entry[1] == "Transfer Syntax" and not uid.startswith(_NOT_FOR_OBJECTS)
)
"""The transfer syntaxes of PS3.6 A in which objects are sent, retired ones too."""


_NEWER = _NEWER_CLASSES | _NEWER_SYNTAXES


def name_of(uid: str) -> str:
    """Give the name of a UID of the standard, without what a transfer syntax's has behind its colon; "" where it has none."""
    name = UID_dictionary[uid][0] if uid in UID_dictionary else _NEWER.get(uid, "")
    return name.partition(":")[0].strip()


def is_unknown(uid: str) -> bool:
    """Whether the UID is a valid one that PS3.6 A does not know: of a vendor, or newer than this release."""
    return uid not in UID_dictionary and uid not in _NEWER and is_valid_uid(uid)
