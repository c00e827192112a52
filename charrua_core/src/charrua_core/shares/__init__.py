"""What people outside may see: links to studies, and the patient portal."""

from __future__ import annotations

from charrua_core.shares.listing import Share, listed
from charrua_core.shares.make import FOR_EVER, VALIDITIES, Wish, make
from charrua_core.shares.opening import Asked, asked, open_share
from charrua_core.shares.portal import enter
from charrua_core.shares.revoking import RESTORED_WITHIN, restore, revoke

__all__ = [
    "FOR_EVER",
    "RESTORED_WITHIN",
    "VALIDITIES",
    "Asked",
    "Share",
    "Wish",
    "asked",
    "enter",
    "listed",
    "make",
    "open_share",
    "restore",
    "revoke",
]
