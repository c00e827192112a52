"""What browsers may do with a document that came from outside: look at it, in a sandbox, or save it as a file.

A document is somebody's: a report may hold any text, an encapsulated file may be a program. None of it runs in this
archive's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from charrua_core.imaging.documents import POLICY

if TYPE_CHECKING:
    from charrua_core.archive.search import InstanceRecord

_SHOWN = "frame-ancestors 'self'"
"""Pages of this archive may show it in a frame, others not."""
_POLICIES: Mapping[str, str] = {
    "text/html": f"{POLICY}; sandbox; {_SHOWN}",
    # Browsers show a PDF by a program of their own, apart from pages; a sandbox would stop that in some.
    "application/pdf": f"default-src 'none'; {_SHOWN}",
    "image/png": f"default-src 'none'; {_SHOWN}",
}
_SAVED = "default-src 'none'; sandbox; frame-ancestors 'none'"
_SUFFIXES: Mapping[str, str] = {
    "text/html": "html",
    "application/pdf": "pdf",
    "image/png": "png",
    "image/svg+xml": "svg",
    "application/json": "json",
    "text/xml": "xml",
}


def fields(media_type: str, record: InstanceRecord) -> list[tuple[str, str]]:
    """Give the header fields: what is shown in place is so under a policy of its own, all else is saved as a file."""
    policy = _POLICIES.get(media_type, _SAVED)
    place = "inline" if media_type in _POLICIES else "attachment"
    suffix = _SUFFIXES.get(media_type, media_type.rpartition("/")[2])
    return [
        ("Content-Security-Policy", policy),
        ("X-Content-Type-Options", "nosniff"),
        ("Content-Disposition", f'{place}; filename="{record.sop_instance_uid}.{suffix}"'),
    ]
