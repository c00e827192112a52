"""One object through judgement, its place and its row, again where its study has changed in between."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import TYPE_CHECKING, Literal, cast

from charrua_core.archive.index.again import Policy, store_again
from charrua_core.archive.index.levels import column_values
from charrua_core.archive.index.rows import Filed
from charrua_core.archive.index.studies import KnownStudy, Studies
from charrua_core.archive.ingest.judge import admit
from charrua_core.errors import CommitUnknown, DatabaseUnavailable, ObjectRefused
from charrua_core.storage import object_path
from charrua_core.types import Candidate, Level, StudyIdentity

if TYPE_CHECKING:
    from charrua_core.app import App
    from charrua_core.archive.datasets.header import Header
    from charrua_core.archive.edit.record import Record
    from charrua_core.archive.index.store import Index
    from charrua_core.archive.ingest.spool import Spool
    from charrua_core.archive.ingest.writer import GroupWriter

PATIENCE_S = 8.0
"""How long an object is judged anew because its study has changed in between, until its sender is told to try later."""
_PAUSE_S = 0.05

SOP_INSTANCE_EXISTS = 0x0111  # PS3.7 C.5.6 Duplicate SOP Instance

Status = Literal["stored", "duplicate", "kept beside"]


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of an object: "stored", "duplicate" (it was there, byte for byte) or "kept beside" the one that is shown."""

    status: Status
    study_uid: str
    series_uid: str
    sop_instance_uid: str
    coercions: tuple[Record, ...] = ()
    """What it was given on arrival."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What storing works with. `coming` has the studies whose first object is on its way, by what that object says."""

    app: App
    studies: Studies
    index: Index
    writer: GroupWriter[Filed]
    coming: dict[str, KnownStudy] = field(default_factory=dict)


class Storing:
    """The way of one object; `run` it once."""

    def __init__(self, desk: Desk, spool: Spool, header: Header) -> None:
        self._desk = desk
        self._spool = spool
        self._header = header
        self._path: str | None = None
        self._coercions: tuple[Record, ...] = ()

    async def run(self) -> Stored:
        """Bring it in; raises what `Ingest.store` does, having removed the file unless a row may speak of it."""
        header = self._header
        try:
            status = await self._until_not_stale()
            uids = (header.study_instance_uid, header.series_instance_uid, header.sop_instance_uid)
            return Stored(status, *uids, () if status == "duplicate" else self._coercions)
        except CommitUnknown:
            raise  # the file stays: its row may be there
        except Exception:
            await self._remove()
            raise

    async def _until_not_stale(self) -> Status:
        deadline = monotonic() + PATIENCE_S
        while (status := await self._attempt()) == "stale":
            self._desk.studies.forget(self._header.study_instance_uid, self._header.series_instance_uid)
            if monotonic() > deadline:
                raise DatabaseUnavailable("the study changes faster than it can be looked at")
            await asyncio.sleep(_PAUSE_S)
        return status

    async def _attempt(self) -> Status | Literal["stale"]:
        study_uid = self._header.study_instance_uid
        known = self._desk.coming.get(study_uid) or await self._desk.studies.find(study_uid)
        known = known or self._desk.coming.get(study_uid)
        filed = self._judged(known)
        if known is not None:
            return await self._store(filed, known)
        self._desk.coming[study_uid] = coming = _speaks_for(filed)
        try:
            return await self._store(filed, coming)
        finally:
            self._desk.coming.pop(study_uid, None)

    def _judged(self, known: KnownStudy | None) -> Filed:
        """Ask the hooks, with the study as it is known now."""
        spool, header = self._spool, self._header
        identity = known.identity if known else None
        candidate = Candidate(spool.arrival.origin, spool.transfer_syntax_uid, header, identity)
        admission = admit(self._desk.app, candidate, spool.arrival)
        self._coercions = admission.records
        return Filed(
            header=header,
            transfer_syntax_uid=spool.transfer_syntax_uid,
            arrival=spool.arrival,
            seen=known.seen if known else None,
            overlay=admission.overlay,
            volume_id=spool.volume.id,
            path=self._path or self._place(),
            size_bytes=spool.size,
            dataset_offset=spool.dataset_offset,
            meta_digest=spool.meta_digest,
            dataset_digest=spool.dataset_digest,
            records=admission.records,
        )

    async def _store(self, filed: Filed, known: KnownStudy) -> Status | Literal["stale"]:
        header = self._header
        if self._path is None:
            outcome = await self._desk.writer.write(self._spool, filed.path, filed, self._placed)
        else:
            outcome = await self._desk.writer.commit(self._path, filed)
        if outcome == "stored":
            self._desk.studies.keep(header.study_instance_uid, header.series_instance_uid, known)
        elif outcome == "duplicate":
            await self._remove()
        return outcome if outcome != "again" else await self._store_again(filed)

    def _place(self) -> str:
        header = self._header
        uids = (header.study_instance_uid, header.series_instance_uid, header.sop_instance_uid)
        return object_path(self._spool.arrival.received_at, *uids)

    def _placed(self, path: str) -> None:
        self._path = path

    async def _store_again(self, filed: Filed) -> Status | Literal["stale"]:
        policy = cast("Policy", self._desk.app.settings.get("duplicate_policy", "keep both"))
        assert self._path is not None  # noqa: S101  it was placed before
        filed = replace(filed, path=self._path)
        outcome = await store_again(self._desk.app.db, self._desk.index, filed, policy)
        if outcome == "refused":
            raise ObjectRefused("another object of this SOP Instance UID is kept", SOP_INSTANCE_EXISTS, 409)
        if outcome == "duplicate":
            await self._remove()
        return outcome

    async def _remove(self) -> None:
        path, self._path = self._path, None
        if path is not None:
            await self._spool.volume.remove(path)


def _speaks_for(first: Filed) -> KnownStudy:
    """What the index will know of a study by its first object."""
    given = first.overlay or {}
    header = first.header
    columns = column_values(Level.STUDY, given) if given else {}
    patient_id = columns.get("patient_id") or header.value("00100020")
    issuer = columns.get("issuer") or header.value("00100021")
    name = columns.get("patient_name") or header.value("00100010")
    identity = StudyIdentity(header.study_instance_uid, patient_id, issuer, name)
    return KnownStudy("\\".join((patient_id, issuer, name)), identity)
