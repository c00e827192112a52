"""Objects of one request on their way into the archive: each goes to disk as it arrives, and is stored beside the next one.

A store that has begun ends, whatever becomes of its client: it runs in a task of its own, and `finish` waits for all of
them also where the request is broken off or the server stops.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from charrua_core.archive.datasets.identity import sop_uids
from charrua_core.archive.datasets.part10 import FileMeta, new_arrival_id, read_file_meta
from charrua_core.audit import Event
from charrua_core.dicom.storage_classes import STORAGE_SOP_CLASSES, TRANSFER_SYNTAXES, is_unknown
from charrua_core.errors import CharruaError, DatasetMismatch, HeaderDamaged, ObjectRefused
from charrua_core.types import is_valid_uid

if TYPE_CHECKING:
    from charrua_core.app import App
    from charrua_core.archive.ingest.ingest import Spool, Stored
    from charrua_core.settings import Settings
    from charrua_core.types import Origin

log = logging.getLogger(__name__)

AT_ONCE = 16
"""Objects of one request that are stored while the next is received: they share flushes and commits."""

HEAD_BYTES = 64 << 10
"""What is read of an object before its file is begun: its file meta group and the UIDs of its data set are within."""

SOP_CLASS_NOT_SUPPORTED = 0x0122
TRANSFER_SYNTAX_NOT_SUPPORTED = 0xC122
"""PS3.18 Table I.2-2."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one object. Its UIDs are empty where what came is no DICOM object."""

    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    stored: Stored | None = None
    failure: CharruaError | None = None


class Intake:
    """Takes the objects of one request; `outcomes` has what became of each in their order, once `finish` has returned.

    With `study_uid`, objects of other studies are refused.
    """

    def __init__(self, app: App, who: str, origin: Origin, study_uid: str = "") -> None:
        self.app = app
        self._who = who
        self._origin = replace(origin, association_id=new_arrival_id())
        self._study_uid = study_uid
        self._room = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self.outcomes: list[Outcome] = []

    async def take(self, pieces: AsyncIterator[memoryview]) -> None:
        """Take a Part 10 file to its end, and begin to store it.

        What is wrong with the object is its outcome; only what `pieces` raises is raised, and then nothing of it is left.
        """
        head = await _head(pieces)
        outcome = Outcome()
        try:
            meta = read_file_meta(head)
            outcome = identified(_named(meta, head))
            check_kind(self.app.settings, outcome.sop_class_uid, meta.transfer_syntax_uid)
            spool = self.begin(outcome, meta.transfer_syntax_uid)
        except CharruaError as error:
            self.failed(error, outcome)
            return
        await self.write(spool, _behind(head, meta.dataset_offset, pieces))
        await self.store(spool)

    def begin(self, outcome: Outcome, transfer_syntax_uid: str) -> Spool:
        """Give the file of an object, as `Ingest.begin` does."""
        return self.app.ingest.begin(outcome.sop_class_uid, outcome.sop_instance_uid, transfer_syntax_uid, self._origin)

    async def write(self, spool: Spool, pieces: AsyncIterator[memoryview]) -> None:
        """Write a data set; the file is gone where `pieces` breaks off."""
        try:
            async for piece in pieces:
                waiting = spool.write(piece)
                if waiting is not None:
                    await waiting
        except BaseException:
            spool.abort()
            raise

    def failed(self, error: CharruaError, outcome: Outcome | None = None) -> None:
        """Note that the next object cannot be stored."""
        self.outcomes.append(replace(outcome or Outcome(), failure=error))
        _tell(error, self.outcomes[-1])

    async def store(self, spool: Spool) -> None:
        """Have a whole object stored, as soon as fewer than AT_ONCE are being stored."""
        number = len(self.outcomes)
        self.outcomes.append(Outcome(spool.sop_class_uid, spool.sop_instance_uid))
        try:
            await self._room.acquire()
        except BaseException:
            spool.abort()
            raise
        task = asyncio.create_task(self._store(number, spool), name="stow")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _store(self, number: int, spool: Spool) -> None:
        outcome = self.outcomes[number]
        try:
            stored = await self.app.ingest.store(spool, study_uid=self._study_uid)
            self.outcomes[number] = replace(outcome, stored=stored)
        except CharruaError as error:
            self.outcomes[number] = replace(outcome, failure=error)
            _tell(error, outcome)
        except Exception as error:
            log.exception("an object could not be stored", extra={"sop_instance": outcome.sop_instance_uid})
            self.outcomes[number] = replace(outcome, failure=CharruaError(f"storing failed ({type(error).__name__})"))
        finally:
            self._room.release()

    async def finish(self, *, end: str) -> None:
        """Wait for all that is being stored, and write into the audit trail what was transferred (PS3.15 A.5.3.7)."""
        while self._tasks:
            await asyncio.wait(self._tasks)
        stored = [one.stored for one in self.outcomes if one.stored is not None]
        failed = len(self.outcomes) - len(stored)
        self.app.audit.later(
            Event.INSTANCES_TRANSFERRED,
            "C",
            self._who,
            self._origin,
            succeeded=end == "answered" and not failed,
            study_uids=tuple(dict.fromkeys(one.study_uid for one in stored)),
            stored=len(stored),
            failed=failed,
            end=end,
        )


def check_kind(settings: Settings, sop_class_uid: str, transfer_syntax_uid: str) -> None:
    """Raise ObjectRefused where C-STORE would not take this SOP class or transfer syntax either."""
    if sop_class_uid not in STORAGE_SOP_CLASSES and not (
        settings.get("unknown_sop_classes", True) and is_unknown(sop_class_uid)
    ):
        raise ObjectRefused("objects of this SOP class are not stored here", SOP_CLASS_NOT_SUPPORTED, 409)
    if transfer_syntax_uid not in TRANSFER_SYNTAXES and not (
        settings.get("unknown_transfer_syntaxes", True) and is_unknown(transfer_syntax_uid)
    ):
        raise ObjectRefused("this transfer syntax is not stored here", TRANSFER_SYNTAX_NOT_SUPPORTED, 409)


def identified(outcome: Outcome) -> Outcome:
    """The object itself; raises HeaderDamaged where it has no SOP UIDs, DatasetMismatch where they are none."""
    if not (outcome.sop_class_uid and outcome.sop_instance_uid):
        raise HeaderDamaged("what came is no DICOM object: it has no SOP Class or SOP Instance UID")
    if not (is_valid_uid(outcome.sop_class_uid) and is_valid_uid(outcome.sop_instance_uid)):
        raise DatasetMismatch("the SOP Class or SOP Instance UID is no UID")
    return outcome


def _named(meta: FileMeta, head: bytes) -> Outcome:
    """The object by the UIDs of its data set, for many who write files change these alone."""
    sop_class_uid, sop_instance_uid = sop_uids(head[meta.dataset_offset :], meta.transfer_syntax_uid)
    return Outcome(sop_class_uid or meta.sop_class_uid, sop_instance_uid or meta.sop_instance_uid)


async def _head(pieces: AsyncIterator[memoryview]) -> bytes:
    head = b""
    async for piece in pieces:
        head += piece
        if len(head) >= HEAD_BYTES:
            break
    return head


async def _behind(head: bytes, offset: int, pieces: AsyncIterator[memoryview]) -> AsyncIterator[memoryview]:
    yield memoryview(head)[offset:]
    async for piece in pieces:
        yield piece


def _tell(error: CharruaError, outcome: Outcome) -> None:
    log.warning(
        "object refused: %s",
        error,
        exc_info=error.__cause__,
        extra={"action": "refused", "status": f"{error.dimse_status:04X}", "sop_instance": outcome.sop_instance_uid},
    )
