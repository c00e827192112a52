"""Entries of the worklist as rows: written, looked up and brought to another status, always in the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import Label, Row, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core.archive.index.levels import NAME_LENGTH, tag_of
from charrua_core.archive.index.names import name_key, text_key
from charrua_core.archive.search.matching import written_name
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
"""What may still be performed; modalities are told those that have not begun, unless they ask by status."""

STEP = tag_of("ScheduledProcedureStepSequence")
STATUS = tag_of("ScheduledProcedureStepStatus")
_EXACT_VRS = frozenset({"AE", "CS", "LO", "SH", "UI"})

_TOP = {
    "accession_number": tag_of("AccessionNumber"),
    "requested_procedure_id": tag_of("RequestedProcedureID"),
    "placer_order": tag_of("PlacerOrderNumberImagingServiceRequest"),
    "filler_order": tag_of("FillerOrderNumberImagingServiceRequest"),
    "study_uid": tag_of("StudyInstanceUID"),
    "patient_id": tag_of("PatientID"),
    "issuer": tag_of("IssuerOfPatientID"),
}
_WORDS = ("PatientName", "PatientID", "AccessionNumber", "RequestedProcedureDescription", "ReferringPhysicianName")


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
    def step(self) -> DicomJson:
        """The item of Scheduled Procedure Step Sequence."""
        return step_of(self.attributes)


def of_row(row: Row[Any]) -> Entry:
    """Give the entry of a row of the table."""
    kept = row._mapping
    return Entry(
        **{name: kept[name] for name in Entry.__dataclass_fields__ if name != "status"}, status=Status(kept["status"])
    )


def value(attributes: Mapping[str, Any], tag: str) -> str:
    """Give the first value of an attribute as text, "" where it has none; a name with its groups between `=`."""
    values = attributes.get(tag, {}).get("Value") or [""]
    first = values[0]
    return written_name(first) if isinstance(first, Mapping) else str(first or "")


def step_of(attributes: Mapping[str, Any]) -> DicomJson:
    """Give the item of Scheduled Procedure Step Sequence."""
    items = attributes.get(STEP, {}).get("Value") or [{}]
    return dict(items[0])


def with_status(attributes: DicomJson, status: Status) -> DicomJson:
    """Give the data set with another Scheduled Procedure Step Status."""
    item = step_of(attributes) | {STATUS: {"vr": "CS", "Value": [str(status)]}}
    return attributes | {STEP: {"vr": "SQ", "Value": [item]}}


def columns_of(attributes: DicomJson) -> dict[str, Any]:
    """Give the columns that the attributes decide."""
    step = step_of(attributes)
    stations = [str(one) for one in step.get(tag_of("ScheduledStationAETitle"), {}).get("Value", ()) if one]
    date = value(step, tag_of("ScheduledProcedureStepStartDate"))
    time = value(step, tag_of("ScheduledProcedureStepStartTime")).replace(":", "")[:6]
    said = [value(attributes, tag_of(keyword)) for keyword in _WORDS]
    return {
        **{name: value(attributes, tag) for name, tag in _TOP.items()},
        "step_id": value(step, tag_of("ScheduledProcedureStepID")),
        "patient_name_key": name_key(value(attributes, tag_of("PatientName")))[:NAME_LENGTH],
        "modality": value(step, tag_of("Modality")),
        "stations": stations,
        "start_moment": f"{date}{time:0<6}" if date else "",
        "attributes": attributes,
        "terms": sorted(set(_terms(attributes))),
        "words": " ".join(filter(None, map(text_key, said)))[:1000],
    }


def _terms(attributes: Mapping[str, Mapping[str, Any]], path: str = "") -> Iterator[str]:
    for tag, element in attributes.items():
        if element["vr"] in _EXACT_VRS:
            yield from (f"{path}{tag}={str(one).strip()[:64]}" for one in element.get("Value", ()) if one is not None)
        elif element["vr"] == "SQ":
            for item in element.get("Value", ()):
                yield from _terms(item, f"{path}{tag}.")


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
    """Write an entry: a new one, or the same step of the same order as it is now, by this message where one says so."""
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
    ).returning(entry, _status_before(order_key, row["step_id"]))
    found = (await tx.execute(statement)).one()
    written = of_row(found)
    await tell_status(app, tx, [(written, found.status_before)], message_id)
    return written


def _status_before(order_key: str, step_id: str) -> Label[Any]:
    """The status that an entry had before the statement: a subquery sees what was there when that began."""
    was = entry.alias("was")
    of_it = select(was.c.status).where(was.c.order_key == order_key, was.c.step_id == step_id)
    return of_it.scalar_subquery().label("status_before")


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
    changed: list[tuple[Entry, str | None]] = []
    for one in found:
        if one.status in of and one.status != status:
            attributes = with_status(one.attributes, status)
            values = {**columns_of(attributes), "status": status, "reason": reason}
            changing = update(entry).where(entry.c.id == one.id)
            changing = changing.values(**values, version=entry.c.version + 1, changed_at=func.now())
            changed.append((of_row((await tx.execute(changing.returning(entry))).one()), one.status))
    await tell_status(app, tx, changed, message_id)
    return [one for one, _ in changed]


async def locked(tx: AsyncConnection, ids: Collection[int]) -> Sequence[Entry]:
    """Give entries by ID, in that order, locked until the transaction ends."""
    statement = select(entry).where(entry.c.id.in_(ids)).order_by(entry.c.id).with_for_update()
    return [of_row(row) for row in await tx.execute(statement)]
