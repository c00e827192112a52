"""One edit as a record: who changed what, when, from what to what. The row in core.edit and the journal's line hold the same.

Targets name UIDs and arrival ids only, never a row of this database, so that a record means the same in an index that was
built anew from the volumes.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal, cast, get_args

import orjson
from sqlalchemy import ARRAY, RowMapping, Text, bindparam, func, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core import tables
from charrua_core.errors import EditInvalid
from charrua_core.types import DicomJson

RecordKind = Literal[
    "edit", "assign_study", "assign_series", "merge", "status", "delete", "undo", "coerce", "keep", "purge"
]
KINDS: frozenset[str] = frozenset(get_args(RecordKind))

Overlay = dict[str, dict[str, Any] | None]
"""DICOM JSON to lay over another; None takes the attribute away."""

# The two integers of pg_advisory_xact_lock: "CHAR", and what is locked.
_SPACE = 0x43484152
_EDITS, _COERCIONS = 1, 2


@dataclass(frozen=True, slots=True)
class Record:
    """An edit that was made. `targets["study_uids"]` names every study that it touches."""

    id: str
    made_at: datetime
    made_by: str
    kind: RecordKind
    reason: str
    targets: dict[str, Any]
    before: dict[str, Any]
    after: dict[str, Any]
    undone_by: str | None = None

    @classmethod
    def new(
        cls,
        kind: RecordKind,
        made_by: str,
        targets: dict[str, Any],
        *,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
        reason: str = "",
    ) -> Record:
        """A record made now."""
        return cls(
            str(uuid.uuid4()), datetime.now(UTC), made_by, kind, reason, targets, dict(before or {}), dict(after or {})
        )

    @classmethod
    def coercion(
        cls,
        study_uid: str,
        series_uid: str,
        sop_instance_uid: str,
        arrival_id: str,
        before: DicomJson,
        after: DicomJson,
        *,
        made_by: str,
        reason: str,
    ) -> Record:
        """The record of attributes that an object was given on arrival."""
        targets = {
            "study_uids": [study_uid],
            "series_uid": series_uid,
            "sop_instance_uid": sop_instance_uid,
            "arrivals": [arrival_id],
        }
        return cls.new("coerce", made_by, targets, before=before, after=after, reason=reason)

    @property
    def study_uids(self) -> list[str]:
        """The studies that it touches."""
        return cast("list[str]", self.targets.get("study_uids", []))

    @property
    def arrivals(self) -> list[str]:
        """The objects that it names one by one, by arrival id."""
        return cast("list[str]", self.targets.get("arrivals", []))

    def line(self) -> bytes:
        """The record as a line of the journal."""
        content = {
            "id": self.id,
            "made_at": self.made_at.isoformat(),
            "made_by": self.made_by,
            "kind": self.kind,
            "reason": self.reason,
            "targets": self.targets,
            "before": self.before,
            "after": self.after,
        }
        return orjson.dumps(content) + b"\n"

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Record:
        """The record of a journal's line; raises KeyError, TypeError or ValueError when it is none."""
        if content["kind"] not in KINDS:
            raise ValueError(f"no kind of record: {content['kind']}")
        return cls(
            id=str(uuid.UUID(content["id"])),
            made_at=datetime.fromisoformat(content["made_at"]),
            made_by=str(content["made_by"]),
            kind=content["kind"],
            reason=str(content["reason"]),
            targets=dict(content["targets"]),
            before=dict(content["before"]),
            after=dict(content["after"]),
        )


async def lock_edits(tx: AsyncConnection) -> None:
    """Make edits, one transaction after another: the journal's order is then the order of commit."""
    await tx.execute(select(func.pg_advisory_xact_lock(_SPACE, _EDITS)))


async def lock_journal(tx: AsyncConnection) -> None:
    """Wait until no transaction is between its journal line and its commit, and let none begin."""
    await lock_edits(tx)
    await tx.execute(select(func.pg_advisory_xact_lock(_SPACE, _COERCIONS)))


async def insert(tx: AsyncConnection, records: Sequence[Record]) -> None:
    """Write the records' rows; call it before `journal.append`, in the same transaction.

    Records whose transaction is made again, its outcome being unknown, may be there already.
    """
    if not records:
        return
    await tx.execute(select(func.pg_advisory_xact_lock_shared(_SPACE, _COERCIONS)))
    rows = postgresql.insert(tables.edit).on_conflict_do_nothing(index_elements=["id"])
    await tx.execute(rows, [row_of(record) for record in records])
    undone = [record for record in records if record.kind == "undo"]
    for record in undone:
        await tx.execute(
            tables.edit.update().where(tables.edit.c.id == record.targets["edit"]).values(undone_by=record.id)
        )


async def following(tx: AsyncConnection, record: Record) -> Record:
    """The record, made later than every other: clocks may step back, the order of edits may not."""
    last = await tx.scalar(select(func.max(tables.edit.c.made_at) + text("interval '1 microsecond'")))
    return record if last is None or last < record.made_at else replace(record, made_at=last)


async def find(tx: AsyncConnection, edit_id: str) -> Record | None:
    """The record of this id."""
    row = (await tx.execute(select(tables.edit).where(tables.edit.c.id == edit_id))).mappings().first()
    return None if row is None else of_row(row)


async def get(tx: AsyncConnection, edit_id: str) -> Record:
    """The record of this id; raises EditInvalid."""
    record = await find(tx, edit_id)
    if record is None:
        raise EditInvalid("there is no edit of this number")
    return record


async def touching(tx: AsyncConnection, study_uids: Sequence[str]) -> list[Record]:
    """The records on any of these studies, oldest first, coercions left out."""
    wanted = text("targets -> 'study_uids' ?| :uids AND kind <> 'coerce'").bindparams(
        bindparam("uids", type_=ARRAY(Text))
    )
    statement = select(tables.edit).where(wanted).order_by(tables.edit.c.made_at, tables.edit.c.seq)
    return [of_row(row) for row in (await tx.execute(statement, {"uids": list(study_uids)})).mappings()]


async def on_objects(tx: AsyncConnection, sop_instance_uids: Sequence[str]) -> list[Record]:
    """The records on each of these objects alone, coercions among them, oldest first."""
    wanted = text("targets ? 'sop_instance_uid' AND targets ->> 'sop_instance_uid' = ANY(:uids)")
    statement = select(tables.edit).where(wanted.bindparams(bindparam("uids", type_=ARRAY(Text))))
    rows = await tx.execute(
        statement.order_by(tables.edit.c.made_at, tables.edit.c.seq), {"uids": list(sop_instance_uids)}
    )
    return [of_row(row) for row in rows.mappings()]


def of_row(row: RowMapping) -> Record:
    """The record of a row of core.edit."""
    return Record(
        id=str(row["id"]),
        made_at=row["made_at"],
        made_by=row["made_by"],
        kind=row["kind"],
        reason=row["reason"],
        targets=row["targets"],
        before=row["before"],
        after=row["after"],
        undone_by=None if row["undone_by"] is None else str(row["undone_by"]),
    )


def row_of(record: Record) -> dict[str, Any]:
    """The row of core.edit for a record."""
    return {
        "id": record.id,
        "made_at": record.made_at,
        "made_by": record.made_by,
        "kind": record.kind,
        "reason": record.reason,
        "targets": record.targets,
        "before": record.before,
        "after": record.after,
    }
