"""ORU^R01: results. Their documents become objects of the study, their status is the study's, and they end its entry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core import audit
from charrua_core.archive.index.levels import tag_of
from charrua_core.tables import study
from charrua_core.types import is_valid_uid
from charrua_hl7.errors import FieldMissing, KeyUnknown
from charrua_hl7.mapping.transforms import identifier
from charrua_hl7.message import Message, Segment
from charrua_hl7.patients import rows
from charrua_hl7.patients.documents import documents
from charrua_hl7.patients.said import ids_in, said
from charrua_hl7.patients.who import Who
from charrua_hl7.processing import Outcome, Received
from charrua_hl7.tables import entry
from charrua_hl7.worklist.entries import OPEN, Entry, Status, of_row, set_status, value

if TYPE_CHECKING:
    from charrua_core.app import App

ATTACH = "hl7.attach_results"
"""The job that makes objects of documents and sets the status of studies."""
STATUSES = {"P": "PRELIMINARY", "R": "TRANSCRIBED", "F": "FINAL", "C": "FINAL"}
"""Of a study, by the status of a result (OBR-25, table 0123): R is stored and not yet verified, C corrects a final one."""
DONE = "its result is final"
_STUDY_CODES = frozenset({"113014", "110180"})
_STUDY_NAMES = frozenset({"dicom study", "study instance uid"})
_STUDY_UID = tag_of("StudyInstanceUID")
_MOST = 1000


@dataclass(frozen=True, slots=True)
class Result:
    """One OBR with what belongs to it."""

    place: int
    segments: Sequence[Segment]

    def text(self, path: str) -> str:
        """Give the text at a path, of the first segment of that name."""
        name, _, rest = path.partition("-")
        found = next((one for one in self.segments if one.name == name), None)
        return found.text(rest).strip() if found else ""

    def texts(self, *paths: str) -> set[str]:
        """Give the identifiers at these paths, as the worklist writes them."""
        return {text for path in paths if (text := identifier(self.text(path), "SH"))}

    @property
    def observations(self) -> list[Segment]:
        """Its OBX."""
        return [one for one in self.segments if one.name == "OBX"]

    @property
    def status(self) -> str:
        """OBR-25."""
        return self.text("OBR-25").upper()

    def study_uids(self) -> list[str]:
        """Give the Study Instance UIDs that it names: in OBX (DCM 113014, 110180), ZDS-1 or IPC-3."""
        named = [one.text("5").strip() for one in self.observations if _names_study(one)]
        named += [self.text("ZDS-1"), self.text("IPC-3")]
        return [uid for uid in dict.fromkeys(named) if is_valid_uid(uid)]


def _names_study(one: Segment) -> bool:
    return one.text("3.1").strip() in _STUDY_CODES or one.text("3.2").strip().lower() in _STUDY_NAMES


def results_in(message: Message) -> list[Result]:
    """Give the results of a message; what stands before the first of them, ORC among it, belongs to each."""
    groups: list[list[Segment]] = [[]]
    for one in message.segments:
        if one.name == "OBR" and any(before.name == "OBR" for before in groups[-1]):
            groups.append([])
        groups[-1].append(one)
    shared = [one for one in groups[0] if one.name in ("ORC", "ZDS", "IPC")]
    with_obr = [group for group in groups if any(one.name == "OBR" for one in group)]
    return [Result(place, [*group, *shared]) for place, group in enumerate(with_obr, 1)]


async def oru(app: App, tx: AsyncConnection, received: Received) -> Outcome:
    """Do what a message of ORU says. Raises MessageRefused: KeyUnknown where nothing is here that a result is of."""
    results = results_in(received.message)
    if not results:
        raise FieldMissing("the message has no result: no segment OBR", "OBR")
    theirs = await _whose(app, tx, received.message)
    told = [await _take(app, tx, received, one, theirs) for one in results]
    accession = next(iter(sorted(results[0].texts("OBR-18"))), "")
    return Outcome(" ".join(dict.fromkeys(told)), theirs[0].patient_id, accession)


async def _whose(app: App, tx: AsyncConnection, message: Message) -> list[Who]:
    """Give all by whom the patient may be known here: each ID of PID-3, and whom they have become."""
    [one, *_] = await said(app, tx, message)
    named = list(dict.fromkeys([one.who, *ids_in(message)]))
    return named + [step.who for who in named for step in await rows.chain(tx, who)]


async def _take(app: App, tx: AsyncConnection, received: Received, one: Result, theirs: Sequence[Who]) -> str:
    entries = await _entries(tx, one, theirs)
    uid = await _study(tx, one, entries, theirs)
    found = list(documents(one.observations))
    if not uid and (found or not entries):
        raise KeyUnknown("no study or order of this patient is here that the result is of", f"OBR^{one.place}^3")
    if one.status == "F":
        await set_status(app, tx, [kept.id for kept in entries if kept.status in OPEN], Status.COMPLETED, DONE)
    if uid and (found or one.status in STATUSES):
        await app.jobs.enqueue(ATTACH, {"message": received.id, "result": one.place, "study": uid}, tx=tx)
    uids, who, event = [uid] if uid else [], received.identity.name, audit.Event.PATIENT_RECORD
    await audit.record(tx, event, "U", who, received.origin, study_uids=uids, message=received.id, documents=len(found))
    return f"Result taken: {len(found)} documents." if found else "Result taken; its text is kept with the message."


async def _entries(tx: AsyncConnection, one: Result, theirs: Sequence[Who]) -> list[Entry]:
    """Give the patient's entries of the order that the result is of."""
    placer, filler = one.texts("ORC-2", "OBR-2"), one.texts("ORC-3", "OBR-3")
    numbers = {
        entry.c.placer_order: placer,
        entry.c.filler_order: filler,
        entry.c.accession_number: one.texts("OBR-18") or filler | placer,
    }
    by_number = or_(*(column.in_(sorted(texts)) for column, texts in numbers.items()))
    statement = select(entry).where(by_number, entry.c.patient_id.in_({who.patient_id for who in theirs}))
    found = [of_row(row) for row in await tx.execute(statement.order_by(entry.c.id).limit(_MOST))]
    return [kept for kept in found if _is_of(Who.of(kept.attributes), theirs)]


async def _study(tx: AsyncConnection, one: Result, entries: Sequence[Entry], theirs: Sequence[Who]) -> str:
    """Give the patient's study that the result is of: as it names it, its order's, or by the accession number; "" if none."""
    uids = [*one.study_uids(), *(kept.arrived_study_uid for kept in entries)]
    uids += [value(kept.attributes, _STUDY_UID) for kept in entries]
    accessions = one.texts("OBR-18") or one.texts("OBR-3", "ORC-3")
    columns = (study.c.study_uid, study.c.patient_id, study.c.issuer)
    named = or_(study.c.study_uid.in_(uids), study.c.accession_number.in_(sorted(accessions)))
    found = await tx.execute(
        select(*columns).where(named, study.c.deleted_by.is_(None)).order_by(study.c.id).limit(_MOST)
    )
    here = [row.study_uid for row in found if _is_of(Who(row.patient_id, row.issuer), theirs)]
    return next((uid for uid in [*uids, *here] if uid in here), "")


def _is_of(who: Who, theirs: Sequence[Who]) -> bool:
    return any(who.is_like(one) for one in theirs)
