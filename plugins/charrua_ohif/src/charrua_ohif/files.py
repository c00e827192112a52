"""OHIF's files as they were built: found by name, never by a path that somebody gives."""

from __future__ import annotations

import hashlib
import mimetypes
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

BUILT = Path(__file__).parent / "built"
_HASHED = re.compile(r"\.bundle\.[0-9a-f]{16}\.js$|(^|/)[0-9a-f]{16}\.\w+$")
"""Names that change with what is in the file."""
_TYPES = {
    ".js": "text/javascript",
    ".wasm": "application/wasm",
    ".woff2": "font/woff2",
    ".webmanifest": "application/json",
}


@dataclass(frozen=True, slots=True)
class File:
    """A file of OHIF, with the same in gzip where there is that."""

    path: Path
    size: int
    packed_size: int
    """0 where there is none in gzip."""
    content_type: str
    for_ever: bool
    """Whether browsers may keep it without asking."""
    tag: str

    @property
    def packed(self) -> Path:
        """Where it is in gzip."""
        return self.path.with_name(self.path.name + ".gz")


def files_of(built: Path) -> Mapping[str, File]:
    """Give all files by their name below OHIF's path; none where OHIF was not fetched."""
    found = (path for path in sorted(built.rglob("*")) if path.is_file() and path.suffix != ".gz")
    return {path.relative_to(built).as_posix(): _file(path) for path in found if path.name != "RECIPE"}


def _file(path: Path) -> File:
    packed = path.with_name(path.name + ".gz")
    about = path.stat()
    told = f"{path.name} {about.st_size} {about.st_mtime_ns}".encode()
    return File(
        path,
        about.st_size,
        packed.stat().st_size if packed.is_file() else 0,
        _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream",
        _HASHED.search(path.name) is not None,
        f'"{hashlib.blake2b(told, digest_size=8).hexdigest()}"',
    )
