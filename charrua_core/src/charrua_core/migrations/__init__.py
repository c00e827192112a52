"""The versions of schema `core`."""

from __future__ import annotations

from charrua_core.tables import metadata

SCHEMA = "core"
METADATA = metadata
