"""The versions of schema `routing`."""

from __future__ import annotations

from charrua_routing.tables import metadata

SCHEMA = "routing"
METADATA = metadata
