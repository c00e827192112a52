"""An entry as the calls answer it."""

from __future__ import annotations

from typing import Any

from charrua_core.archive.index.levels import STUDY_INSTANCE_UID, tag_of, text_of
from charrua_hl7.worklist.by_hand import OF_ORDER, OF_STEP
from charrua_hl7.worklist.entries import Entry, value


def told(entry: Entry, **more: Any) -> dict[str, Any]:
    """Give an entry as JSON: its state, and what it says by keyword, all as texts."""
    return {
        "entry": entry.id,
        "version": entry.version,
        "status": str(entry.status),
        "reason": entry.reason,
        "study": value(entry.attributes, STUDY_INSTANCE_UID),
        "arrived": entry.arrived_study_uid,
        "step": entry.step_id,
        "source": entry.source,
        "changed_at": entry.changed_at.isoformat(),
        "attributes": texts(entry),
        **more,
    }


def texts(entry: Entry) -> dict[str, str]:
    """Give what can be written by hand of an entry, by keyword; "" where it says nothing."""
    step = entry.step
    of_order = {keyword: text_of(entry.attributes.get(tag_of(keyword))) for keyword in OF_ORDER}
    return of_order | {keyword: text_of(step.get(tag_of(keyword))) for keyword in OF_STEP}
