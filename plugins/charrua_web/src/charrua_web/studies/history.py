"""What became of a study: received, sent, edited, deleted, by whom and when, and how to take it back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from pydicom.datadict import dictionary_description

from charrua_core.archive.edit.record import Record
from charrua_core.archive.edit.undo import history
from charrua_core.archive.ledger import ledger
from charrua_core.web import Request, Response, json_response
from charrua_web.studies.rows import day, person, text

_FINAL = frozenset({"undo", "purge", "keep"})


async def study_ledger(request: Request) -> Response:
    """Answer with it."""
    uid, identity = request.parameters["study"], request.identity
    known = await ledger(request.app, identity, uid)
    records = await history(request.app, identity, uid)
    told = {
        "received": [asdict(one) for one in known.received],
        "expected": [asdict(one) for one in known.expected],
        "sent": [asdict(one) for one in known.sent],
        "waiting": [{**asdict(one), **_error(request, one.last_error)} for one in known.waiting],
        "history": [_told(record, request) for record in reversed(records)],
    }
    return replace(json_response(told), headers=[("Cache-Control", "no-store")])


def _error(request: Request, error: str) -> dict[str, str]:
    """What went wrong, to who looks after the queue."""
    return {"last_error": error if request.identity.may("send") else ""}


def _told(record: Record, request: Request) -> dict[str, Any]:
    permission = "delete" if record.kind == "delete" else "edit"
    undoable = record.kind not in _FINAL and record.undone_by is None and request.identity.may(permission)
    return {
        "id": record.id,
        "kind": record.kind,
        "at": record.made_at.isoformat(),
        "by": record.made_by,
        "reason": record.reason,
        "level": record.targets.get("level", ""),
        "series": len(record.targets.get("series", ())),
        "undone": record.undone_by is not None,
        "undoable": undoable,
        "changes": _changes(record),
    }


def _changes(record: Record) -> list[dict[str, str]]:
    """Give which attributes went from what to what."""
    before, after = record.before.get("attributes", {}), record.after.get("attributes", {})
    return [
        {"name": _name(tag), "before": _value(before, tag), "after": _value(after, tag)}
        for tag in sorted(after)
        if _value(before, tag) != _value(after, tag)
    ]


def _name(tag: str) -> str:
    try:
        return dictionary_description(int(tag, 16))
    except (KeyError, ValueError):
        return tag


def _value(attributes: Mapping[str, Any], tag: str) -> str:
    element = attributes.get(tag) or {}
    if element.get("vr") == "PN":
        return person(attributes, tag)
    said = text({tag: element}, tag)
    return day(said) if element.get("vr") == "DA" else said
