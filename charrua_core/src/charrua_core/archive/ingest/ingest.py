"""Objects into the archive, whoever brings them: a modality, an upload, an import (DESIGN §4).

`begin` gives a file to write the data set to, `store` makes it an object of the archive: on disk and in the index when it
returns, or refused with the error that says why and nothing left behind.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from charrua_core.archive.datasets import header as headers
from charrua_core.archive.datasets.elements import DEFLATED
from charrua_core.archive.datasets.part10 import file_meta, new_arrival_id
from charrua_core.archive.index.rows import Filed
from charrua_core.archive.index.store import Index
from charrua_core.archive.index.studies import Studies
from charrua_core.archive.ingest import measured
from charrua_core.archive.ingest.judge import check_command, check_study
from charrua_core.archive.ingest.spool import Spool
from charrua_core.archive.ingest.storing import Desk, Stored, Storing
from charrua_core.archive.ingest.transfers import Transfers
from charrua_core.archive.ingest.writer import GroupWriter, Places
from charrua_core.changes import CHANNEL
from charrua_core.errors import CharruaError
from charrua_core.types import Arrival, Origin

if TYPE_CHECKING:
    from charrua_core.app import App
    from charrua_core.archive.datasets.header import Header
    from charrua_core.archive.index.store import Outcome

__all__ = ["Ingest", "Spool", "Stored"]

INLINE_SCAN_BYTES = 1 << 20
"""Larger objects, and deflated ones, are scanned in a thread: their headers may take a while."""

TELL_AFTER_S = 0.2
"""Followers are not woken for every object: a notification costs as much as a commit."""


class Ingest:
    """The way into the archive, one per process; `close` it before the database and the volumes."""

    def __init__(self, app: App) -> None:
        self._app = app
        studies = Studies(app.db)
        self._index = Index(app.db, app.volumes, studies)
        self._writer: GroupWriter[Filed] = GroupWriter(self._commit)
        self._studies = studies
        self._desk = Desk(app, studies, self._index, self._writer)
        self._transfers = Transfers()
        self._telling: asyncio.TimerHandle | None = None

    async def close(self) -> None:
        """Finish what is on its way."""
        await self._writer.close()
        if self._telling is not None:
            self._telling.cancel()
            self._tell()
        await self._index.close()
        await self._studies.close()

    def begin(self, sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str, origin: Origin) -> Spool:
        """Give the file that the data set is to be written to, after its file meta group.

        Raises StorageFull below the volume's reserve, StorageFailed where the volume does not work.
        """
        try:
            return self._begin(sop_class_uid, sop_instance_uid, transfer_syntax_uid, origin)
        except CharruaError as error:
            measured.not_begun(origin.kind, error)
            raise

    def _begin(self, sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str, origin: Origin) -> Spool:
        volume = self._app.volumes.current
        volume.check()
        arrival = Arrival(new_arrival_id(), datetime.now(UTC), origin)
        uids = (sop_class_uid, sop_instance_uid, transfer_syntax_uid)
        limit = self._app.settings["dicom_max_object_bytes"]
        meta = file_meta(*uids, arrival)
        return Spool(volume, volume.spool_path(), uids, arrival, meta, limit=limit, check_room=volume.check)

    async def store(self, spool: Spool, *, study_uid: str = "") -> Stored:
        """Make what was written an object of the archive, with `study_uid` only as one of that study.

        The spool is used up in any case. Raises StorageFull or StorageFailed (0xA700), HeaderDamaged (0xC000),
        DatasetMismatch (0xA900), ObjectRefused with its own status, DatabaseUnavailable (0xA700), CommitUnknown or
        PluginFailed (0x0110).
        """
        spool.taken = True
        try:
            stored = await self._store(spool, study_uid)
        except BaseException as error:
            measured.ended(spool, measured.outcome_of(error))
            raise
        finally:
            spool.abort()
        measured.ended(spool, stored.status)
        return stored

    async def _store(self, spool: Spool, study_uid: str) -> Stored:
        if spool.failure is not None:
            raise spool.failure
        header = await _scanned(spool)
        check_command(header, spool.sop_class_uid, spool.sop_instance_uid)
        check_study(header, study_uid)
        return await Storing(self._desk, spool, header).run()

    async def _commit(self, group: Sequence[Filed], places: Places) -> list[Outcome | CharruaError]:
        """Index a group, in the order of arrival: the first object of a study speaks for it."""
        order = sorted(range(len(group)), key=lambda n: group[n].arrival.arrival_id)
        filed = [group[n] for n in order]
        begun = self._transfers.begun(filed)
        outcomes = await self._index.store(filed, places.ordered(order), list(begun.values()))
        if "stored" in outcomes:
            self._tell_followers()
        else:
            self._transfers.forget(begun)
        by_number = dict(zip(order, outcomes, strict=True))
        return [by_number[number] for number in range(len(group))]

    def _tell_followers(self) -> None:
        """Wake the followers of the change feed, soon and for all that is stored until then."""
        if self._telling is None:
            self._telling = asyncio.get_running_loop().call_later(TELL_AFTER_S, self._tell)

    def _tell(self) -> None:
        self._telling = None
        self._app.db.announce(CHANNEL)


async def _scanned(spool: Spool) -> Header:
    scan = partial(
        headers.scan,
        spool.descriptor,
        spool.transfer_syntax_uid,
        dataset_offset=spool.dataset_offset,
        size=spool.size,
    )
    if spool.size > INLINE_SCAN_BYTES or spool.transfer_syntax_uid in DEFLATED:
        return await asyncio.to_thread(scan)
    return scan()
