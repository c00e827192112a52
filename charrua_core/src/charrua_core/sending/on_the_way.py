"""What objects are asked to be when they arrive: the options that a route and a destination have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from charrua_core.errors import EditInvalid
from charrua_core.sending.kinds import TRANSFER_SYNTAXES
from charrua_core.types import is_valid_uid

ON_THE_WAY = frozenset({TRANSFER_SYNTAXES})
"""Options that any destination may have, where its kind heeds them."""


def check_on_the_way(options: Mapping[str, Any]) -> dict[str, Any]:
    """Give the options as they are kept; EditInvalid for one that will not do."""
    kept = dict(options)
    if TRANSFER_SYNTAXES in kept:
        given = kept[TRANSFER_SYNTAXES]
        uids = given.replace(",", " ").split() if isinstance(given, str) else list(given)
        if not all(isinstance(uid, str) and is_valid_uid(uid) for uid in uids):
            raise EditInvalid("transfer_syntaxes are UIDs, the most wanted first")
        kept[TRANSFER_SYNTAXES] = uids
    return kept
