"""The archive's own PostgreSQL, without anything that needs a database: it starts while the rest is still imported."""

from __future__ import annotations

from charrua_core.postgresql.embedded import EmbeddedServer

__all__ = ["EmbeddedServer"]
