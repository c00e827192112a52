"""What the worklist says of patients, given other values and taken back, with what it was kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core.types import DicomJson
from charrua_hl7.patients.said import PATIENT_TAGS
from charrua_hl7.patients.who import Who
from charrua_hl7.tables import entry
from charrua_hl7.worklist.entries import Entry, columns_of, of_row

Noted = dict[str, Any]
"""By the entry's ID: what its attributes were, and are; DICOM JSON or null by tag."""


async def of_patient(tx: AsyncConnection, who: Who, issuers: Sequence[str]) -> list[Entry]:
    """Give the entries of a patient, locked until the transaction ends."""
    statement = select(entry).where(who.kept_in(entry, issuers)).order_by(entry.c.id).with_for_update()
    return [of_row(row) for row in await tx.execute(statement)]


async def give(tx: AsyncConnection, entries: Sequence[Entry], attributes: Callable[[Entry], DicomJson]) -> Noted:
    """Give each entry the attributes that are right for it; give what was changed."""
    noted: Noted = {}
    for one in entries:
        given = {
            tag: element for tag, element in attributes(one).items() if not alike(one.attributes.get(tag), element)
        }
        if given:
            noted[str(one.id)] = {"before": {tag: one.attributes.get(tag) for tag in given}, "after": given}
            await _write(tx, one.id, one.attributes | given)
    return noted


async def again(tx: AsyncConnection, entries: Sequence[Entry]) -> list[Entry]:
    """Give entries as they are now."""
    statement = select(entry).where(entry.c.id.in_([one.id for one in entries])).order_by(entry.c.id)
    return [of_row(row) for row in await tx.execute(statement)]


async def take_back(tx: AsyncConnection, noted: Mapping[str, Any]) -> int:
    """Give entries what they said before, those apart that say something else by now; give how many."""
    ids = [int(number) for number in noted]
    statement = select(entry).where(entry.c.id.in_(ids)).order_by(entry.c.id).with_for_update()
    back = 0
    for row in await tx.execute(statement):
        one, change = of_row(row), noted[str(row.id)]
        if all(alike(one.attributes.get(tag), element) for tag, element in change["after"].items()):
            merged = {**one.attributes, **change["before"]}
            await _write(tx, one.id, {tag: element for tag, element in merged.items() if element is not None})
            back += 1
    return back


async def _write(tx: AsyncConnection, number: int, attributes: DicomJson) -> None:
    changing = update(entry).where(entry.c.id == number).values(**columns_of(attributes))
    await tx.execute(changing.values(version=entry.c.version + 1, changed_at=func.now()))


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
