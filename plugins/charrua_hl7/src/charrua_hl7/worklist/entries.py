"""Entries of the worklist as rows: written, looked up and brought to another status, always in the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import Column, Row, func, literal_column, select, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core.archive.index.levels import NAME_LENGTH, tag_of
from charrua_core.archive.index.names import name_key, text_key
from charrua_core.archive.search import dates
from charrua_core.archive.search.matching import written_name
from charrua_core.archive.search.patterns import grams
from charrua_core.archive.search.terms import terms_of
from charrua_core.db import Collided, driver_of
from charrua_core.types import DicomJson
from charrua_hl7.outgoing import tell_status
from charrua_hl7.tables import entry

if TYPE_CHECKING:
    from charrua_core.app import App


class Status(StrEnum):
    """Scheduled Procedure Step Status (0040,0020), and what becomes of an entry."""

    SCHEDULED = "SCHEDULED"
    ARRIVED = "ARRIVED"
    READY = "READY"
    STARTED = "STARTED"
    COMPLETED = "COMPLETED"
    DISCONTINUED = "DISCONTINUED"


OPEN = frozenset({Status.SCHEDULED, Status.ARRIVED, Status.READY, Status.STARTED})
"""What may still be performed: modalities are told these, unless they ask by status."""

STEP = tag_of("ScheduledProcedureStepSequence")
STATUS = tag_of("ScheduledProcedureStepStatus")
START_DATE, START_TIME = tag_of("ScheduledProcedureStepStartDate"), tag_of("ScheduledProcedureStepStartTime")
_MIDNIGHT = "0" * 12

_TOP = {
    "accession_number": tag_of("AccessionNumber"),
    "requested_procedure_id": tag_of("RequestedProcedureID"),
    "placer_order": tag_of("PlacerOrderNumberImagingServiceRequest"),
    "filler_order": tag_of("FillerOrderNumberImagingServiceRequest"),
    "study_uid": tag_of("StudyInstanceUID"),
    "patient_id": tag_of("PatientID"),
    "issuer": tag_of("IssuerOfPatientID"),
}
_NAME = tag_of("PatientName")
_STATIONS, _MODALITY, _STEP_ID = map(tag_of, ("ScheduledStationAETitle", "Modality", "ScheduledProcedureStepID"))
_WORDS = tuple(
    map(
        tag_of,
        (
            *("PatientName", "PatientID", "AccessionNumber", "RequestedProcedureDescription", "ReferringPhysicianName"),
            *("CurrentPatientLocation", "RequestedProcedureID", "ReasonForTheRequestedProcedure"),
        ),
    )
)
_WORDS_OF_STEP = (
    _MODALITY,
    tag_of("ScheduledProcedureStepDescription"),
    tag_of("ScheduledPerformingPhysicianName"),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One scheduled procedure step. `attributes` is what Modality Worklist tells, its step the one item of a sequence."""

    id: int
    order_key: str
    step_id: str
    status: Status
    reason: str
    attributes: DicomJson
    source: str
    arrived_study_uid: str
    version: int
    changed_at: Any

    @property
    def modality(self) -> str:
        """Modality of the step."""
        return value(self.step, _MODALITY)

    @property
    def step(self) -> DicomJson:
        """The item of Scheduled Procedure Step Sequence."""
        return step_of(self.attributes)


COLUMNS = tuple(entry.c[name] for name in Entry.__dataclass_fields__)
"""What `of_row` reads."""


def of_row(row: Row[Any]) -> Entry:
    """Give the entry of a row of the table."""
    kept = row._mapping
    return Entry(
        **{name: kept[name] for name in Entry.__dataclass_fields__ if name != "status"}, status=Status(kept["status"])
    )


def of_record(record: Mapping[str, Any]) -> Entry:
    """Give the entry of a row as asyncpg gives it."""
    kept = {name: record[name] for name in Entry.__dataclass_fields__}
    return Entry(**kept | {"status": Status(kept["status"]), "attributes": orjson.loads(kept["attributes"])})


def value(attributes: Mapping[str, Any], tag: str) -> str:
    """Give the first value of an attribute as text, "" where it has none; a name with its groups between `=`."""
    element = attributes.get(tag)
    values = element.get("Value") if element else None
    return written_name(values[0] or "").strip() if values else ""


def step_of(attributes: Mapping[str, Any]) -> DicomJson:
    """Give the item of Scheduled Procedure Step Sequence."""
    items = attributes.get(STEP, {}).get("Value") or [{}]
    return dict(items[0])


def with_status(attributes: DicomJson, status: Status) -> DicomJson:
    """Give the data set with another Scheduled Procedure Step Status."""
    item = step_of(attributes) | {STATUS: {"vr": "CS", "Value": [str(status)]}}
    return attributes | {STEP: {"vr": "SQ", "Value": [item]}}


def start_of(step: Mapping[str, Any]) -> str:
    """Give Scheduled Procedure Step Start Date and Time as 20 digits, midnight where it has no time, "" without a date."""
    date = dates.begin("DA", value(step, START_DATE))
    return f"{date}{dates.begin('TM', value(step, START_TIME)) or _MIDNIGHT}" if date else ""


def columns_of(attributes: DicomJson) -> dict[str, Any]:
    """Give the columns that the attributes decide."""
    step = step_of(attributes)
    stations = [str(one) for one in step.get(_STATIONS, {}).get("Value", ()) if one]
    said = [value(attributes, tag) for tag in _WORDS]
    said += [*stations, *(value(step, tag) for tag in _WORDS_OF_STEP)]
    words = " ".join(filter(None, map(text_key, said)))[:1000]
    return {
        **{name: value(attributes, tag) for name, tag in _TOP.items()},
        "step_id": value(step, _STEP_ID),
        "patient_name_key": name_key(value(attributes, _NAME))[:NAME_LENGTH],
        "modality": value(step, _MODALITY),
        "stations": stations,
        "start_moment": start_of(step)[:14],
        "attributes": attributes,
        "terms": terms_of(attributes),
        "words": words,
        "pieces": grams(words),
    }


async def put(
    app: App,
    tx: AsyncConnection,
    attributes: DicomJson,
    *,
    order_key: str,
    source: str,
    status: Status = Status.SCHEDULED,
    reason: str = "",
    message_id: int | None = None,
) -> Entry:
    """Write an entry: a new one, or the same step of the same order as it is now, by this message where one says so.

    One of a patient who was merged into another is given that one.
    """
    from charrua_hl7.patients.merging import of_their_patients  # which need this module
    from charrua_hl7.performed import link_entries

    told = with_status(attributes, status)
    row = {
        **columns_of(told),
        "order_key": order_key,
        "status": status,
        "reason": reason,
        "source": source,
        "message_id": message_id,
    }
    adding = insert(entry).values(row)
    changed = {name: adding.excluded[name] for name in row if name not in ("order_key", "step_id", "source")}
    statement = adding.on_conflict_do_update(
        index_elements=["order_key", "step_id"],
        set_={**changed, "version": entry.c.version + 1, "changed_at": func.now()},
    ).returning(entry, literal_column(_status_before("charrua_hl7.entry")).label("status_before"))
    found = (await tx.execute(statement)).one()
    [written] = await of_their_patients(tx, [of_row(found)])
    await tell_status(app, tx, [(written, found.status_before, message_id)])
    await link_entries(app, tx, [written])
    return (await locked(tx, [written.id]))[0]


def _status_before(of: str) -> str:
    """The status that an entry had before the statement: a subquery sees what was there when that began."""
    return f"(SELECT was.status FROM charrua_hl7.entry AS was WHERE was.id = {of}.id)"  # noqa: S608 -- ours


async def set_status(
    app: App,
    tx: AsyncConnection,
    ids: Collection[int],
    status: Status,
    reason: str,
    *,
    of: Collection[Status] = OPEN,
    message_id: int | None = None,
) -> list[Entry]:
    """Bring entries to a status, of those that have one of the statuses `of`; give those that were changed.

    `message_id` is the message that says so, where one does: its sender is not told of it.
    """
    found = await locked(tx, ids)
    changed = []
    for one in found:
        if one.status in of and one.status != status:
            attributes = with_status(one.attributes, status)
            values = {**columns_of(attributes), "status": status, "reason": reason}
            changing = update(entry).where(entry.c.id == one.id)
            changing = changing.values(**values, version=entry.c.version + 1, changed_at=func.now())
            changed.append((of_row((await tx.execute(changing.returning(entry))).one()), one.status, message_id))
    await tell_status(app, tx, changed)
    return [one for one, _, _ in changed]


async def locked(tx: AsyncConnection, ids: Collection[int]) -> Sequence[Entry]:
    """Give entries by ID, in that order, locked until the transaction ends."""
    statement = select(entry).where(entry.c.id.in_(ids)).order_by(entry.c.id).with_for_update()
    return [of_row(row) for row in await tx.execute(statement)]


# -- orders --------------------------------------------------------------------------------------------------------------
_NUMBERS = (
    ("filler", tag_of("FillerOrderNumberImagingServiceRequest"), tag_of("OrderFillerIdentifierSequence")),
    ("placer", tag_of("PlacerOrderNumberImagingServiceRequest"), tag_of("OrderPlacerIdentifierSequence")),
    ("accession", tag_of("AccessionNumber"), tag_of("IssuerOfAccessionNumberSequence")),
)
_AUTHORITY = tag_of("LocalNamespaceEntityID")


def order_numbers(attributes: DicomJson) -> dict[str, tuple[str, str]]:
    """Give number and assigning authority ("" where it has none) of `filler`, `placer` and `accession`, those it has."""
    found = {}
    for kind, tag, sequence in _NUMBERS:
        if number := value(attributes, tag).strip():
            [item, *_] = attributes.get(sequence, {}).get("Value") or [{}]
            found[kind] = (number, value(item, _AUTHORITY).strip())
    return found


def order_key(attributes: DicomJson) -> str:
    """Give by what an order is recognised, "" where it says nothing: `filler:4711^RIS`.

    It is the filler's order number, else the placer's, else the accession number, with its assigning authority; else the
    Study Instance UID. An order whose filler number comes later keeps the key that it had: who looks for it asks for all
    of its numbers (`charrua_hl7.orders`).
    """
    return key_of(order_numbers(attributes), attributes)


def key_of(numbers: Mapping[str, tuple[str, str]], attributes: DicomJson) -> str:
    """Give the key of an order that has these `order_numbers`."""
    for kind, (number, authority) in numbers.items():
        return f"{kind}:{number}^{authority}"
    uid = value(attributes, tag_of("StudyInstanceUID"))
    return f"study:{uid}" if uid else ""


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry as it shall be written, by `put_all`."""

    order_key: str
    attributes: DicomJson
    status: Status = Status.SCHEDULED
    reason: str = ""
    message_id: int | None = None
    source: str = "hl7"

    @property
    def step_id(self) -> str:
        """Scheduled Procedure Step ID."""
        return value(step_of(self.attributes), _STEP_ID)

    def row(self) -> dict[str, Any]:
        """Give its columns."""
        told = with_status(self.attributes, self.status)
        given = {name: getattr(self, name) for name in ("order_key", "status", "reason", "message_id", "source")}
        return columns_of(told) | given


async def put_all(
    app: App, tx: AsyncConnection, rows: Sequence[Mapping[str, Any]], known: Container[tuple[str, str]]
) -> list[Entry]:
    """Write the rows of drafts, each once: new entries, or the same steps of the same orders as they are now.

    Those of patients who were merged into others are given these. `known` has order key and step ID of those that were there
    when the drafts were made: raises Collided where there are others by now, whose data would be written over.
    """
    from charrua_hl7.patients.merging import of_their_patients  # which need this module
    from charrua_hl7.performed import link_entries

    if not rows:
        return []
    ordered = sorted(rows, key=lambda row: (row["order_key"], row["step_id"]))  # so that no two wait for each other
    driver = await driver_of(tx)
    found = await driver.fetch(_put_all(frozenset(ordered[0])), orjson.dumps(ordered))
    at = {(one["order_key"], one["step_id"]): one for one in found}
    if any(one["status_before"] is not None and place not in known for place, one in at.items()):
        raise Collided
    pairs = [(row, at[row["order_key"], row["step_id"]]) for row in ordered]
    written = await of_their_patients(tx, [_written(row, facts) for row, facts in pairs])
    former = [facts["status_before"] for _, facts in pairs]
    causes = [row.get("message_id") for row in ordered]
    await tell_status(app, tx, list(zip(written, former, causes, strict=True)))
    await link_entries(app, tx, written)
    return written


_KEPT = ("id", "order_key", "step_id", "source", "arrived_study_uid", "version", "changed_at")
"""What an entry has that the row which was written does not say."""


def _written(row: Mapping[str, Any], facts: Mapping[str, Any]) -> Entry:
    """Give the entry that a row has become."""
    kept = {name: facts[name] for name in _KEPT}
    return Entry(**kept, status=Status(row["status"]), reason=row["reason"], attributes=row["attributes"])


@cache
def _put_all(names: frozenset[str]) -> str:
    """One statement, whose plan and parameters do not depend on how many rows there are."""
    columns = [column for column in entry.c if column.name in names]
    listed = ", ".join(column.name for column in columns)
    typed = ", ".join(f"{column.name} {type_of(column)}" for column in columns)
    changed = ", ".join(
        f"{one.name} = excluded.{one.name}" for one in columns if one.name not in ("order_key", "step_id", "source")
    )
    return (
        f"INSERT INTO charrua_hl7.entry AS kept ({listed}) "  # noqa: S608 -- names of our own columns
        f"SELECT {listed} FROM jsonb_to_recordset($1) AS given({typed}) "
        f"ON CONFLICT (order_key, step_id) DO UPDATE SET {changed}, version = kept.version + 1, changed_at = now() "
        f"RETURNING {', '.join(f'kept.{name}' for name in _KEPT)}, {_status_before('kept')} AS status_before"
    )


def type_of(column: Column[Any]) -> str:
    """Give the type of a column as PostgreSQL writes it, for rows that come as JSON."""
    return column.type.compile(dialect=postgresql.dialect()).partition(" COLLATE")[0]  # type: ignore[no-untyped-call]
