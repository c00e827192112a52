"""The versions of schema `charrua_ups`."""

from __future__ import annotations

from charrua_ups.tables import metadata

SCHEMA = "charrua_ups"
METADATA = metadata
