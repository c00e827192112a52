"""What an object says of itself once lossy compression has made another one of it (PS3.3 C.7.6.1.1.2 to C.7.6.1.1.5)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from charrua_core.imaging.codecs import syntaxes
from charrua_core.imaging.codecs.encoded import EncodeOptions
from charrua_core.imaging.subject import Subject

SOP_CLASS_UID, SOP_INSTANCE_UID, IMAGE_TYPE = "00080016", "00080018", "00080008"
SOURCE_IMAGE_SEQUENCE, DERIVATION_DESCRIPTION, DERIVATION_CODE_SEQUENCE = "00082112", "00082111", "00089215"
LOSSY_IMAGE_COMPRESSION, RATIO, METHOD = "00282110", "00282112", "00282114"
_LONGEST_DESCRIPTION = 1024  # VR ST

METHODS = {
    **dict.fromkeys(syntaxes.JPEG_FAMILY, "ISO_10918_1"),
    **dict.fromkeys(syntaxes.JPEG_LS_FAMILY, "ISO_14495_1"),
    **dict.fromkeys(syntaxes.JPEG_2000_FAMILY, "ISO_15444_1"),
    syntaxes.HTJ2K: "ISO_15444_15",
    **dict.fromkeys(syntaxes.JPEG_XL_FAMILY, "ISO_18181_1"),
}
"""Lossy Image Compression Method (0028,2114), PS3.3 C.7.6.1.1.5.1."""
ALWAYS_LOSSY = frozenset({syntaxes.JPEG_BASELINE, syntaxes.JPEG_EXTENDED})
"""Those in which no stream is lossless."""

_UNCOMPRESSED = ("121320", "Uncompressed predecessor")
_PROCESSED = ("121322", "Source image for image processing operation")

Changes = dict[str, dict[str, Any]]


def derived_uid(subject: Subject, wanted: str, options: EncodeOptions) -> str:
    """Give the SOP Instance UID of what becomes of the object: the same each time that it is made (PS3.5 B.2)."""
    [uid] = subject.values(SOP_INSTANCE_UID) or [""]
    digest = hashlib.blake2b("\0".join([uid, wanted, repr(options)]).encode(), digest_size=16).digest()
    return f"2.25.{int.from_bytes(digest, 'big')}"


def derivation(subject: Subject, wanted: str, options: EncodeOptions, ratio: float) -> Changes:
    """Give the attributes of the derived image; `ratio` is that of the bytes before and after."""
    source = {
        "00081150": _element("UI", *subject.values(SOP_CLASS_UID)),
        "00081155": _element("UI", *subject.values(SOP_INSTANCE_UID)),
        "0040A170": _element("SQ", _code(*(_PROCESSED if subject.values(RATIO) else _UNCOMPRESSED))),
    }
    told = [*subject.values(DERIVATION_DESCRIPTION), f"Lossy compression {METHODS[wanted]}, ratio {ratio:.4g}"]
    return {
        SOP_INSTANCE_UID: _element("UI", derived_uid(subject, wanted, options)),
        IMAGE_TYPE: _element("CS", "DERIVED", *(subject.values(IMAGE_TYPE)[1:] or ["PRIMARY"])),
        DERIVATION_DESCRIPTION: _element("ST", "; ".join(map(str, told))[-_LONGEST_DESCRIPTION:]),
        DERIVATION_CODE_SEQUENCE: _appended(subject, DERIVATION_CODE_SEQUENCE, _code("113040", "Lossy Compression")),
        SOURCE_IMAGE_SEQUENCE: _appended(subject, SOURCE_IMAGE_SEQUENCE, source),
        LOSSY_IMAGE_COMPRESSION: _element("CS", "01"),
        RATIO: _element("DS", *subject.values(RATIO), float(f"{ratio:.4g}")),
        METHOD: _element("CS", *subject.values(METHOD), METHODS[wanted]),
    }


def inherited(subject: Subject) -> Changes:
    """Give what pixels that a lossy stream held must say wherever they go, though the object does not."""
    stored = subject.transfer_syntax_uid
    if stored not in ALWAYS_LOSSY or subject.values(LOSSY_IMAGE_COMPRESSION) == ["01"]:
        return {}
    changes = {LOSSY_IMAGE_COMPRESSION: _element("CS", "01")}
    return changes if subject.values(METHOD) else {**changes, METHOD: _element("CS", METHODS[stored])}


def _appended(subject: Subject, tag: str, item: Mapping[str, Any]) -> dict[str, Any]:
    return _element("SQ", *subject.values(tag), item)


def _code(value: str, meaning: str) -> dict[str, Any]:
    texts = (("00080100", "SH", value), ("00080102", "SH", "DCM"), ("00080104", "LO", meaning))
    return {tag: _element(vr, text) for tag, vr, text in texts}


def _element(vr: str, *values: Any) -> dict[str, Any]:
    return {"vr": vr, "Value": list(values)}
