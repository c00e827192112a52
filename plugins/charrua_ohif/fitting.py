"""Fits the published build of OHIF to a path below this archive: what is not needed goes, and every address moves.

OHIF is built for the root of a server. Its page, the places from which its scripts load others, and its styles name paths from
there; its page also runs two scripts of its own, which the archive's policy does not allow, and which become a file.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

VERSION = "3.13.2"
INTEGRITY = "sha512-WZdxmpmG7rqFgW9ZJLcbgr3XCtLi1KDNPoMaeY5PPe6j4G4fjEjjkycZM6C6Zk2F87BKxFfpq+jd5xXZB9E8EA=="
AT = "/ohif/"
HERE = Path(__file__).parent
LEFT_OUT = re.compile(
    r"(ort|dicom-microscopy-viewer|customizations)/|assets/apple-touch-startup|.*\.map$|_headers$|_redirects$|serve\.json$"
    r"|sw\.js$|init-service-worker\.js$|google\.js$|oidc-client\.min\.js$|silent-refresh\.html$|app-config\.js$"
)
"""Models for segmentation by AI (136 MB), microscopy, maps for debuggers, service workers, log-in at other servers, and the
configuration, which is our own."""
START = 'window.PUBLIC_URL="{at}";function browserImportFunction(n){{return import(n)}}\n'
"""What the page's own scripts do."""
_ADDRESS = re.compile(r'(href|src|content)="/')
_INLINE = re.compile(r"<script>.*?</script>", re.DOTALL)
_WORKER = re.compile(r'<script[^>]*src="/?[^"]*init-service-worker\.js"[^>]*></script>')
_CONFIG = re.compile(r'<script[^>]*src="/app-config\.js"></script>')
_PUBLIC_PATH = re.compile(r'(\.p\s*=\s*)"/"')
_SCRIPTS_WITH_PATH = 8
_PACKED = {".js", ".css", ".wasm", ".svg", ".json", ".html"}


def is_fresh(built: Path) -> bool:
    """Whether what was built was made by this recipe."""
    made = built / "RECIPE"
    return made.exists() and made.read_text() == recipe()


def recipe() -> str:
    """Give what tells one result from another: OHIF's version, and all that makes something else of it."""
    parts = (Path(__file__).read_bytes(), (HERE / "app-config.js").read_bytes())
    return f"{VERSION} {hashlib.sha256(b''.join(parts)).hexdigest()}\n"


def fit(tarball: Path, built: Path) -> None:
    """Make `built` from npm's tarball. ValueError where that is not the one that was looked at, or is made otherwise."""
    digest = base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
    if f"sha512-{digest}" != INTEGRITY:
        raise ValueError(f"{tarball.name} is not OHIF {VERSION} as it was published: its checksum is sha512-{digest}")
    shutil.rmtree(built, ignore_errors=True)
    moved = 0
    for name, content in _files(tarball):
        fitted, changed = _fitted(name, content)
        moved += changed
        _write(built / name, fitted)
    if moved != _SCRIPTS_WITH_PATH:
        raise ValueError(
            f"{moved} scripts of OHIF name its path, not {_SCRIPTS_WITH_PATH}: it is made otherwise than it was"
        )
    _write(built / "start.js", START.format(at=AT).encode())
    _write(built / "app-config.js", (HERE / "app-config.js").read_bytes())
    (built / "RECIPE").write_text(recipe())


def _files(tarball: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file that is needed."""
    with tarfile.open(tarball) as archive:
        for member in archive:
            folder, _, name = member.name.removeprefix("package/").partition("/")
            safe = ".." not in PurePosixPath(name).parts and member.isfile()
            if folder == "dist" and safe and not LEFT_OUT.match(name):
                read = archive.extractfile(member)
                assert read is not None  # noqa: S101 -- it is a file
                yield name, read.read()


def _fitted(name: str, content: bytes) -> tuple[bytes, int]:
    """The file for our path, and whether it is a script that loads others."""
    if name == "index.html":
        return _page(content.decode()).encode(), 0
    if name.endswith(".css"):
        return content.replace(b"url(/", f"url({AT}".encode()), 0
    if name.endswith(".js"):
        text, changes = _PUBLIC_PATH.subn(rf'\1"{AT}"', content.decode())
        return (text.encode(), 1) if changes else (content, 0)
    return content, 0


def _page(page: str) -> str:
    page = _WORKER.sub("", page)
    page = _INLINE.sub("", page)
    page = _CONFIG.sub('<script src="/start.js"></script><script src="/app-config.js"></script>', page)
    page = re.sub(r'<link rel="(apple-touch-startup-image|yandex-tableau-widget|manifest)"[^>]*>', "", page)
    return _ADDRESS.sub(rf'\1="{AT}', page).replace("<title>OHIF Viewer</title>", "<title>OHIF · Charrua</title>")


def _write(path: Path, content: bytes) -> None:
    """Write a file, and beside it the same in gzip where that pays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    if path.suffix in _PACKED and len(content) > 1024:
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(content, 6, mtime=0))
