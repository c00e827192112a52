"""The database: opening it, working in it, and what its failures mean."""

from __future__ import annotations

from charrua_core.db.database import SETTINGS, Database, Values, driver_of, notify
from charrua_core.db.failures import Collided, commit_outcome_unknown, connection_lost, worth_another_try
from charrua_core.db.session import Held, lock_key

__all__ = [
    "SETTINGS",
    "Collided",
    "Database",
    "Held",
    "Values",
    "commit_outcome_unknown",
    "connection_lost",
    "driver_of",
    "lock_key",
    "notify",
    "worth_another_try",
]
