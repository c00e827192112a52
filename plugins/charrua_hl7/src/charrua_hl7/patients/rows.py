"""The rows of what messages have changed of patients, always in the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, Row, Select, Text, cast, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core.db import driver_of
from charrua_core.types import DicomJson
from charrua_hl7.patients.who import REMEMBERED, Who, issuers_of
from charrua_hl7.tables import patient_change

_LONGEST_CHAIN = 50

Overlay = Mapping[str, Mapping[str, Any] | None]


@dataclass(frozen=True, slots=True)
class Change:
    """What one message has changed of one patient."""

    id: int
    message_id: int | None
    kind: str
    by: str
    who: Who
    former: Who
    before: DicomJson
    after: DicomJson
    entries: Mapping[str, Any]
    studies: Sequence[str]
    edits: Sequence[str]
    state: str
    sentence: str
    at: datetime
    undone_at: datetime | None
    undone_by: str

    @property
    def reason(self) -> str:
        """What the history of the studies says of it."""
        return f"HL7: {self.kind} (patient change {self.id})"


def _of_row(row: Row[Any]) -> Change:
    kept = dict(row._mapping)
    kept["who"] = Who(kept.pop("patient_id"), kept.pop("issuer"))
    kept["former"] = Who(kept.pop("former_id"), kept.pop("former_issuer"))
    kept.pop("ended_by")
    return Change(**kept)


async def add(
    tx: AsyncConnection,
    kind: str,
    *,
    by: str,
    message_id: int | None,
    who: Who,
    former: Who = Who(""),  # noqa: B008 -- a tuple
    before: DicomJson,
    after: DicomJson,
) -> int:
    """Write a change that has changed nothing yet; give its number."""
    row = {
        "kind": kind,
        "by": by,
        "message_id": message_id,
        "patient_id": who.patient_id,
        "issuer": who.issuer,
        "former_id": former.patient_id,
        "former_issuer": former.issuer,
        "before": before,
        "after": after,
    }
    added = await tx.execute(insert(patient_change).values(row).returning(patient_change.c.id))
    return int(added.scalar_one())


async def amend(tx: AsyncConnection, number: int, **columns: Any) -> None:
    """Give a change other values."""
    await tx.execute(update(patient_change).where(patient_change.c.id == number).values(columns))


async def note_entries(tx: AsyncConnection, number: int, entries: Mapping[str, Any]) -> None:
    """Keep what a change has made of entries."""
    if entries:
        await amend(tx, number, entries=patient_change.c.entries.op("||")(entries))


async def note_edit(tx: AsyncConnection, number: int, edit_id: str) -> bool:
    """Keep an edit that a change has made; false where the change was taken back meanwhile."""
    edits = func.array_append(patient_change.c.edits, edit_id)
    changing = update(patient_change).where(patient_change.c.id == number, patient_change.c.undone_at.is_(None))
    return (await tx.execute(changing.values(edits=edits))).rowcount == 1


async def get(tx: AsyncConnection, number: int, *, lock: bool = False) -> Change | None:
    """Give a change, locked until the transaction ends where asked for."""
    statement = select(patient_change).where(patient_change.c.id == number)
    row = (await tx.execute(statement.with_for_update() if lock else statement)).first()
    return None if row is None else _of_row(row)


async def listed(
    tx: AsyncConnection, limit: int, before: int | None = None, message: int | None = None
) -> list[Change]:
    """Give changes, newest first: those before a number, those of a message."""
    statement = select(patient_change).order_by(patient_change.c.id.desc()).limit(limit)
    if before is not None:
        statement = statement.where(patient_change.c.id < before)
    if message is not None:
        statement = statement.where(patient_change.c.message_id == message)
    return await _all(tx, statement)


async def waiting(tx: AsyncConnection, until: int) -> list[int]:
    """Give the changes whose studies are still to be corrected, oldest first."""
    number = patient_change.c.id
    statement = select(number).where(patient_change.c.state == "waiting", number <= until).order_by(number)
    return list(await tx.scalars(statement))


async def last_of(tx: AsyncConnection, who: Who) -> Change | None:
    """Give the last change of this patient that is in force."""
    kept = (patient_change.c.patient_id == who.patient_id, patient_change.c.issuer == who.issuer)
    statement = select(patient_change).where(*kept, patient_change.c.undone_at.is_(None))
    return next(iter(await _all(tx, statement.order_by(patient_change.c.id.desc()).limit(1))), None)


async def of_edit(tx: AsyncConnection, edit_id: str) -> Change | None:
    """Give the change in force that has made an edit."""
    made = patient_change.c.edits.op("@>")(cast([edit_id], ARRAY(Text)))
    statement = select(patient_change).where(made, patient_change.c.undone_at.is_(None))
    return next(iter(await _all(tx, statement)), None)


async def later_on(tx: AsyncConnection, change: Change) -> int | None:
    """Give the last change in force that was made later, of the same attributes of one of the same entries."""
    if not change.entries:
        return None
    statement = select(patient_change).where(
        patient_change.c.id > change.id,
        patient_change.c.undone_at.is_(None),
        patient_change.c.entries.has_any(cast(list(change.entries), ARRAY(Text))),
    )
    later = await _all(tx, statement.order_by(patient_change.c.id.desc()))
    return next((one.id for one in later if _overlap(change.entries, one.entries)), None)


def _overlap(some: Mapping[str, Any], others: Mapping[str, Any]) -> bool:
    return any(some[key]["after"].keys() & others[key]["after"].keys() for key in some.keys() & others.keys())


async def is_known(tx: AsyncConnection, who: Who) -> bool:
    """Whether anything here is, or was, of this Patient ID: most messages are on patients of whom there is nothing."""
    return bool(await (await driver_of(tx)).fetchval(_IS_KNOWN, who.patient_id))


_IS_KNOWN = """
SELECT EXISTS (SELECT FROM core.study WHERE patient_id = $1) OR EXISTS (SELECT FROM charrua_hl7.entry WHERE patient_id = $1)
    OR EXISTS (SELECT FROM charrua_hl7.patient_change WHERE patient_id = $1)
    OR EXISTS (SELECT FROM charrua_hl7.patient_change
        WHERE former_id = $1 AND kind = 'merge' AND undone_at IS NULL AND ended_by IS NULL)
"""


async def is_survivor(tx: AsyncConnection, who: Who) -> bool:
    """Whether a merge in force made others this patient: what comes under their IDs is given what is said now."""
    kept = (patient_change.c.patient_id == who.patient_id, patient_change.c.issuer == who.issuer)
    return await tx.scalar(select(patient_change.c.id).where(*kept, *REMEMBERED).limit(1)) is not None


async def lock_merges(tx: AsyncConnection, former: Who) -> None:
    """Wait until no transaction writes entries of this patient, and let none begin: none misses a merge that it cannot see."""
    await tx.execute(_LOCK_MERGES, {"id": former.patient_id})


_LOCK_MERGES = text("SELECT pg_advisory_xact_lock(hashtextextended(:id, 40))")
# In one order in every process, so that no two wait for each other.
_LOCK_WRITES = """
SELECT pg_advisory_xact_lock_shared(key) FROM (
    SELECT DISTINCT hashtextextended(id, 40) AS key FROM unnest($1::text[]) AS asked(id) ORDER BY key
) AS keys
"""


async def became(tx: AsyncConnection, who: Who) -> Change | None:
    """Give the merge in force that made this patient another one."""
    statement = select(patient_change).where(patient_change.c.former_id == who.patient_id, *REMEMBERED)
    merges = await _all(tx, statement.order_by(patient_change.c.id.desc()))
    if not merges:
        return None
    issuers = await issuers_of(tx, who)
    return next((one for one in merges if one.former.issuer in issuers), None)


async def merged_among(tx: AsyncConnection, patient_ids: Collection[str]) -> set[str]:
    """Give those IDs of which a merge is remembered, most often none; others wait until the transaction ends."""
    driver = await driver_of(tx)
    await driver.execute(_LOCK_WRITES, list(patient_ids))
    return {row["former_id"] for row in await driver.fetch(_MERGED, list(patient_ids))}


_MERGED = """
SELECT former_id FROM charrua_hl7.patient_change
WHERE former_id = ANY($1) AND kind = 'merge' AND undone_at IS NULL AND ended_by IS NULL
"""


async def chain(tx: AsyncConnection, who: Who) -> list[Change]:
    """Give the merges in force that lead from this patient to the one that they have become, in that order."""
    found: list[Change] = []
    while len(found) < _LONGEST_CHAIN:
        one = await became(tx, found[-1].who if found else who)
        if one is None or one.id in {before.id for before in found}:
            break
        found.append(one)
    return found


async def _all(tx: AsyncConnection, statement: Select[Any]) -> list[Change]:
    return [_of_row(row) for row in await tx.execute(statement)]
