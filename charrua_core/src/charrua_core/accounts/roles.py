"""Permissions and roles as data (manual, chapters 7.2 and 7.6)."""

from __future__ import annotations

from collections.abc import Mapping

PERMISSIONS: Mapping[str, str] = {
    "echo": "verify the connection (C-ECHO)",
    "store": "add studies: C-STORE, STOW-RS, upload",
    "query": "search studies: C-FIND, QIDO-RS, pages",
    "view": "look at images: pictures made of them, what they say, viewer",
    "retrieve": "fetch images as they are stored: C-MOVE, C-GET, WADO, downloads",
    "report": "write and sign reports",
    "read_preliminary": "see reports that are not final",
    "edit": "correct, assign and merge studies",
    "delete": "delete studies and series",
    "send": "send studies to other AEs and look after the queue",
    "share": "make links for people outside",
    "print": "print images and burn discs",
    "worklist": "see and add worklist entries",
    "configure": "change the server's settings, remote AEs and rules",
    "manage_users": "add and change users",
    "read_audit": "read the audit trail",
    "change_password": "change one's own password",
}

_VIEW = frozenset({"query", "view", "retrieve", "change_password"})
_STAFF = _VIEW | {"store", "send", "share", "print", "worklist"}

ROLES: Mapping[str, frozenset[str]] = {
    "Admin": frozenset(PERMISSIONS),
    "Manager": _STAFF | {"edit", "delete"},
    "Radiologist": _STAFF | {"report", "read_preliminary"},
    "Referring": _VIEW,
    "General": _VIEW,
}
