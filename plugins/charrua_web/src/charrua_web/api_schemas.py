"""JSON Schemas (2020-12) of what goes over HTTP: DICOM JSON, problems, and the variable parts of paths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from charrua_core.web import MediaType, media_type
from charrua_core.web.errors import PROBLEM

_VRS = "AE AS AT CS DA DS DT FL FD IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR US UT UV"

SCHEMAS: Mapping[str, Any] = {
    "Uid": {
        "type": "string",
        "minLength": 1,
        "maxLength": 64,
        "pattern": r"^[0-9]+(\.[0-9]+)*$",
        "description": "A DICOM unique identifier (PS3.5 9.1)",
    },
    "DicomJson": {
        "type": "object",
        "patternProperties": {"^[0-9A-F]{8}$": {"$ref": "#/components/schemas/Attribute"}},
        "additionalProperties": False,
        "description": "A data set in the DICOM JSON Model (PS3.18 F.2): attributes by tag",
    },
    "Attribute": {
        "type": "object",
        "required": ["vr"],
        "properties": {
            "vr": {"enum": _VRS.split()},
            "Value": {"type": "array"},
            "BulkDataURI": {"type": "string", "format": "uri-reference"},
            "InlineBinary": {"type": "string", "contentEncoding": "base64"},
        },
        "additionalProperties": False,
    },
    "Problem": {
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {"type": "string", "format": "uri-reference"},
            "title": {"type": "string", "description": "What the status is called"},
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": {"type": "string", "description": "What to mend"},
        },
        "description": "Why a request failed (RFC 9457)",
    },
}

UID: Mapping[str, Any] = {"$ref": "#/components/schemas/Uid"}
_NUMBERS = {"type": "string", "pattern": "^[1-9][0-9]{0,5}(,[1-9][0-9]{0,5})*$", "examples": ["1", "1,2,5"]}
_AE_TITLE = {"type": "string", "minLength": 1, "maxLength": 16, "pattern": r"^[ -\[\]-~]+$"}

VARIABLES: Mapping[str, Mapping[str, Any]] = {
    "frames": _NUMBERS,
    "frame": {"type": "integer", "minimum": 1},
    "aet": _AE_TITLE,
    "aetitle": _AE_TITLE,
}
"""Schemas of variable parts of paths that are no UIDs, by name; others are any text."""

ANY_TEXT: Mapping[str, Any] = {"type": "string", "minLength": 1}


def schema_of(media: str) -> dict[str, Any]:
    """Give what OpenAPI says of content of this media type: its schema, {} of bytes."""
    kind = media_type(media).type
    if kind == "application/dicom+json":
        one = {"$ref": "#/components/schemas/DicomJson"}
        return {"schema": {"anyOf": [{"type": "array", "items": one}, one]}}
    if kind == PROBLEM:
        return {"schema": {"$ref": "#/components/schemas/Problem"}}
    if kind == "application/json":
        return {"schema": {}}
    return {"schema": {"type": "string"}} if _is_text(media_type(media)) else {}


def _is_text(media: MediaType) -> bool:
    return media.type.startswith("text/") or media.type.endswith(("+xml", "/xml"))
