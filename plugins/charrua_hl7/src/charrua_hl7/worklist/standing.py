"""Which study stands for which entry, how it came there, and what was done to it: the rows of `entry_study`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_hl7.tables import entry, entry_study
from charrua_hl7.worklist.entries import Entry

FoundBy = Literal["uid", "accession", "assigned"]
State = Literal["waiting", "corrected", "alike", "left", "mismatch", "other", "handed over", "undone"]
_ROW = entry_study.c
ITS_OWN = frozenset({"waiting", "corrected", "alike", "left"})
"""States of studies that are the entry's."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A study that came for an entry, or was assigned to it."""

    entry_id: int
    study_uid: str
    found_by: FoundBy
    state: State
    edits: Sequence[str]
    former_status: str
    former_reason: str
    by: str
    at: datetime


async def of_entry(connection: AsyncConnection, number: int) -> list[Standing]:
    """Give the studies of an entry, the latest first."""
    return await _all(connection, _ROW.entry_id == number)


async def of_study(connection: AsyncConnection, uid: str) -> list[Standing]:
    """Give the entries of a study, the latest first."""
    return await _all(connection, _ROW.study_uid == uid)


async def of_edit(connection: AsyncConnection, edits: Collection[str], studies: Collection[str]) -> list[Standing]:
    """Give what one of these edits of these studies was made for."""
    found = await _all(connection, _ROW.study_uid.in_(studies))
    return [one for one in found if set(one.edits) & set(edits)]


async def _all(connection: AsyncConnection, where: object) -> list[Standing]:
    statement = select(entry_study).where(where).order_by(_ROW.at.desc())  # type: ignore[arg-type]
    return [Standing(**row) for row in (await connection.execute(statement)).mappings()]


async def note(
    tx: AsyncConnection, of: Entry, study_uid: str, found_by: FoundBy, state: State, by: str, edits: Sequence[str] = ()
) -> bool:
    """Write that a study stands for an entry; false where that was known. Only a person's assignment is written anew."""
    row = {
        "entry_id": of.id,
        "study_uid": study_uid,
        "found_by": found_by,
        "state": state,
        "edits": list(edits),
        "former_status": str(of.status),
        "former_reason": of.reason,
        "by": by,
    }
    adding = insert(entry_study).values(row)
    if found_by == "assigned":
        again = {name: adding.excluded[name] for name in row if name not in ("entry_id", "study_uid")}
        adding = adding.on_conflict_do_update(
            index_elements=["entry_id", "study_uid"], set_={**again, "at": func.now()}
        )
    else:
        adding = adding.on_conflict_do_nothing(index_elements=["entry_id", "study_uid"])
    return (await tx.execute(adding.returning(_ROW.entry_id))).first() is not None


async def settle(
    tx: AsyncConnection, number: int, study_uid: str, state: State, edits: Sequence[str] | None = None
) -> None:
    """Write what has become of it."""
    values = {"state": state} | ({} if edits is None else {"edits": list(edits)})
    where = (_ROW.entry_id == number, _ROW.study_uid == study_uid)
    await tx.execute(update(entry_study).where(*where).values(**values))


async def arrived(tx: AsyncConnection, number: int, study_uid: str) -> None:
    """Write at an entry under which UID its study is here, "" where it is not."""
    await tx.execute(update(entry).where(entry.c.id == number).values(arrived_study_uid=study_uid))
