"""The versions of schema `charrua_hl7`."""

from __future__ import annotations

from charrua_hl7.tables import metadata

SCHEMA = "charrua_hl7"
METADATA = metadata
