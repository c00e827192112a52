"""What a file is, by its content: names and media types are what somebody says."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Literal

Kind = Literal["pdf", "jpeg", "png", "mp4", "doc", "docx", "odt", "rtf", "txt"]
KINDS: dict[str, str] = {
    "pdf": "PDF",
    "jpeg": "JPEG",
    "png": "PNG",
    "mp4": "MP4",
    "doc": "Word (DOC)",
    "docx": "Word (DOCX)",
    "odt": "OpenDocument text",
    "rtf": "RTF",
    "txt": "text",
}
OFFICE: frozenset[str] = frozenset({"doc", "docx", "odt", "rtf", "txt"})
"""Those that become a PDF first."""

HEAD_BYTES = 4096
LARGEST_TEXT = 10 << 20
_OLE = bytes.fromhex("D0CF11E0A1B11AE1")
_WORD_STREAM = "WordDocument".encode("utf_16_le")
_ODT = b"application/vnd.oasis.opendocument.text"
_CONTROLS = frozenset(range(32)) - {9, 10, 12, 13}


def kind_of(path: Path) -> Kind | None:
    """What the file is; None for anything else. Blocks."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if b"%PDF-" in head[:1024]:
        return "pdf"
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head[4:8] == b"ftyp":
        return "mp4"
    if head.startswith(b"{\\rtf"):
        return "rtf"
    if head.startswith(_OLE):
        return "doc" if _is_word(path) else None
    return _in_zip(path) if head.startswith(b"PK\x03\x04") else _text(path)


def _is_word(path: Path) -> bool:
    """Whether the directory of the compound file, anywhere in it, has the stream of Word."""
    kept = b""
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            if _WORD_STREAM in kept + piece:
                return True
            kept = piece[-len(_WORD_STREAM) :]
    return False


def _in_zip(path: Path) -> Kind | None:
    try:
        with zipfile.ZipFile(path) as opened:
            names = set(opened.namelist())
            if "word/document.xml" in names:
                return "docx"
            if "mimetype" in names and opened.getinfo("mimetype").file_size < 100:
                return "odt" if opened.read("mimetype").strip() == _ODT else None
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError):
        return None
    return None


def _text(path: Path) -> Kind | None:
    """A text in UTF-8 or, by its mark, UTF-16, without what no text has in it."""
    if not 0 < path.stat().st_size <= LARGEST_TEXT:
        return None
    content = path.read_bytes()
    codec = "utf_16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf_8"
    try:
        text = content.decode(codec)
    except UnicodeDecodeError:
        return None
    return None if any(ord(character) in _CONTROLS for character in set(text)) else "txt"
