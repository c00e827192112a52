"""A patient change as calls and page tell it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydicom.datadict import keyword_for_tag
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core.tables import edit
from charrua_core.types import DicomJson
from charrua_hl7.patients.known import ALWAYS
from charrua_hl7.patients.on_entries import alike
from charrua_hl7.patients.rows import Change
from charrua_hl7.patients.said import NAME
from charrua_hl7.patients.who import Who
from charrua_hl7.worklist.entries import value

State = str
"""`waiting`, `failed`, `done`, `undoing` (its edits are still to be taken back), `undone`."""


@dataclass(frozen=True, slots=True)
class Told:
    """A change with what became of studies."""

    change: Change
    studies: tuple[str, ...]
    """Those that its edits touch."""
    in_force: bool
    """Whether one of its edits is."""

    @property
    def state(self) -> State:
        """How far it is."""
        if self.change.undone_at:
            return "undoing" if self.in_force else "undone"
        return self.change.state

    @property
    def name_before(self) -> str:
        """What the patient was called."""
        return value(self.change.before, NAME)

    @property
    def name_now(self) -> str:
        """What the patient is called: as before where the message does not say it."""
        return value(self.change.after, NAME) or self.name_before

    @property
    def differences(self) -> list[tuple[str, str, str]]:
        """Keyword, and what was said before and is said now: of what the change has made otherwise."""
        before, after = self.change.before, self.change.after
        tags = [tag for tag in sorted(after) if tag in ALWAYS or tag in _changed(self.change)]
        told = [
            (keyword_for_tag(tag) or tag, _text(before, tag), _text(after, tag))
            for tag in tags
            if not alike(before.get(tag), after.get(tag))
        ]
        return [one for one in told if one[1] or one[2]]


def _changed(change: Change) -> set[str]:
    return {tag for noted in change.entries.values() for tag in noted["after"]}


def _text(attributes: DicomJson, tag: str) -> str:
    element = attributes.get(tag) or {"vr": "LO"}
    return "" if element["vr"] == "SQ" else value(attributes, tag)


async def with_studies(connection: AsyncConnection, changes: Sequence[Change]) -> list[Told]:
    """Give changes with the studies that they have edited."""
    wanted = {edit_id for change in changes for edit_id in change.edits}
    columns = (edit.c.id, edit.c.targets, edit.c.undone_by)
    found = {str(row.id): row for row in await connection.execute(select(*columns).where(edit.c.id.in_(wanted)))}
    return [_told(change, [found[edit_id] for edit_id in change.edits if edit_id in found]) for change in changes]


def _told(change: Change, edits: Sequence[Any]) -> Told:
    uids = dict.fromkeys(uid for one in edits for uid in one.targets.get("study_uids", ()))
    return Told(change, tuple(uids), any(one.undone_by is None for one in edits))


def as_json(told: Told) -> dict[str, Any]:
    """Give a change as the calls answer it."""
    change = told.change
    return {
        "change": change.id,
        "kind": change.kind,
        "at": change.at.isoformat(),
        "by": change.by,
        "message": change.message_id,
        "patient": _patient(change.who, change.after),
        "former": _patient(change.former, change.before) if change.former.patient_id else None,
        "differences": [{"attribute": name, "before": was, "after": now} for name, was, now in told.differences],
        "entries": sorted(int(number) for number in change.entries),
        "studies": list(told.studies),
        "state": told.state,
        "sentence": change.sentence,
        "undone_at": change.undone_at.isoformat() if change.undone_at else None,
        "undone_by": change.undone_by,
    }


def _patient(who: Who, attributes: Mapping[str, Any]) -> dict[str, str]:
    return {"id": who.patient_id, "issuer": who.issuer, "name": value(attributes, NAME)}
