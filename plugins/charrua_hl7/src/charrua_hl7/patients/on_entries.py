"""What the worklist says of patients, given other values and taken back, with what it was kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core.db import driver_of
from charrua_core.types import DicomJson
from charrua_hl7.patients.said import PATIENT_TAGS
from charrua_hl7.patients.who import Who
from charrua_hl7.tables import entry
from charrua_hl7.worklist.entries import Entry, columns_of, of_row, type_of

Noted = dict[str, Any]
"""By the entry's ID: what its attributes were, and are; DICOM JSON or null by tag."""


async def of_patient(tx: AsyncConnection, who: Who, issuers: Sequence[str]) -> list[Entry]:
    """Give the entries of a patient, locked until the transaction ends."""
    statement = select(entry).where(who.kept_in(entry, issuers)).order_by(entry.c.id).with_for_update()
    return [of_row(row) for row in await tx.execute(statement)]


async def give(tx: AsyncConnection, entries: Sequence[Entry], attributes: Callable[[Entry], DicomJson]) -> Noted:
    """Give each entry the attributes that are right for it; give what was changed."""
    noted: Noted = {}
    changed: dict[int, DicomJson] = {}
    for one in entries:
        given = {
            tag: element for tag, element in attributes(one).items() if not alike(one.attributes.get(tag), element)
        }
        if given:
            noted[str(one.id)] = {"before": {tag: one.attributes.get(tag) for tag in given}, "after": given}
            changed[one.id] = one.attributes | given
    await _write(tx, changed)
    return noted


async def again(tx: AsyncConnection, entries: Sequence[Entry]) -> list[Entry]:
    """Give entries as they are now."""
    statement = select(entry).where(entry.c.id.in_([one.id for one in entries])).order_by(entry.c.id)
    return [of_row(row) for row in await tx.execute(statement)]


async def take_back(tx: AsyncConnection, noted: Mapping[str, Any]) -> int:
    """Give entries what they said before, those apart that say something else by now; give how many."""
    ids = [int(number) for number in noted]
    statement = select(entry).where(entry.c.id.in_(ids)).order_by(entry.c.id).with_for_update()
    back: dict[int, DicomJson] = {}
    for row in await tx.execute(statement):
        one, change = of_row(row), noted[str(row.id)]
        if all(alike(one.attributes.get(tag), element) for tag, element in change["after"].items()):
            merged = {**one.attributes, **change["before"]}
            back[one.id] = {tag: element for tag, element in merged.items() if element is not None}
    await _write(tx, back)
    return len(back)


async def _write(tx: AsyncConnection, changed: Mapping[int, DicomJson]) -> None:
    """Give entries, by ID, other attributes."""
    rows = [{**columns_of(attributes), "id": number} for number, attributes in changed.items()]
    if rows:
        await (await driver_of(tx)).execute(_write_all(frozenset(rows[0])), orjson.dumps(rows))


@cache
def _write_all(names: frozenset[str]) -> str:
    columns = [column for column in entry.c if column.name in names]
    typed = ", ".join(f"{column.name} {type_of(column)}" for column in columns)
    changed = ", ".join(f"{column.name} = given.{column.name}" for column in columns if column.name != "id")
    return (
        f"UPDATE charrua_hl7.entry AS kept SET {changed}, version = kept.version + 1, changed_at = now() "  # noqa: S608 -- ours
        f"FROM jsonb_to_recordset($1) AS given({typed}) WHERE kept.id = given.id"
    )


def alike(some: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> bool:
    """Whether two elements have the same values: one that is absent has none."""
    return _values(some) == _values(other)


def _values(element: Mapping[str, Any] | None) -> list[Any]:
    values = list((element or {}).get("Value") or ())
    return [_name(one) for one in values]


def _name(one: Any) -> Any:
    """A name without the trailing delimiters, which some write."""
    return (
        {group: text.rstrip("^ ") for group, text in one.items()}
        if isinstance(one, Mapping) and "Alphabetic" in one
        else one
    )


def patient_in(attributes: Mapping[str, Any]) -> DicomJson:
    """Give what a data set says of the patient."""
    return {tag: dict(element) for tag, element in attributes.items() if tag in PATIENT_TAGS}
