"""Files on their way into the archive, and what became of each in words that people read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

from charrua_core.archive.datasets.dicomdir import MEDIA_STORAGE_DIRECTORY
from charrua_core.archive.datasets.part10 import read_file_meta
from charrua_core.errors import (
    CharruaError,
    CommitUnknown,
    DatabaseUnavailable,
    HeaderDamaged,
    StorageFailed,
    StorageFull,
)
from charrua_web.dicomweb.intake import HEAD_BYTES, Intake, Outcome

if TYPE_CHECKING:
    from charrua_core.app import App
    from charrua_core.types import Origin

Status = Literal["stored", "there", "beside", "skipped", "refused"]
STATUSES: tuple[Status, ...] = ("stored", "there", "beside", "skipped", "refused")
_OF_STORED: dict[str, Status] = {"stored": "stored", "duplicate": "there", "kept beside": "beside"}

_TROUBLE = (StorageFull, StorageFailed, DatabaseUnavailable, CommitUnknown)

NO_DICOM = "This is no DICOM object."
DIRECTORY = "A DICOMDIR lists the files of a disc; its files are taken one by one."
BESIDE = (
    "Another object with this SOP Instance UID is here and stays the one that is shown; this one is kept beside it."
)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one file: stored, there already, kept beside another one, skipped or refused."""

    name: str
    status: Status
    study_uid: str = ""
    reason: str = ""
    failure: CharruaError | None = None

    @property
    def trouble(self) -> CharruaError | None:
        """What keeps all files out for now, and not this one alone."""
        return self.failure if isinstance(self.failure, _TROUBLE) else None

    def plain(self) -> dict[str, Any]:
        """Give what a page is told."""
        told = {"name": self.name, "status": self.status, "study": self.study_uid, "reason": self.reason}
        return {name: value for name, value in told.items() if value}


class Taking:
    """Takes files one after another; `finish` gives what became of them, in their order."""

    def __init__(self, app: App, who: str, origin: Origin) -> None:
        self._intake = Intake(app, who, origin)
        self._names: list[tuple[str, int | Result]] = []
        self._unlike: set[int] = set()

    def __len__(self) -> int:
        return len(self._names)

    def note(self, result: Result) -> None:
        """Note what became of a file that is not taken."""
        self._names.append((result.name, result))

    async def take(self, name: str, pieces: AsyncIterator[memoryview]) -> None:
        """Take one file to its end. Raises what `pieces` raises, and then nothing of it is left."""
        head = b""
        async for piece in pieces:
            head += piece
            if len(head) >= HEAD_BYTES:
                break
        if skipped := _why_skipped(name, head):
            self.note(Result(name, "skipped", reason=skipped))
            return
        number = len(self._intake.outcomes)
        if head[128:132] != b"DICM":
            self._unlike.add(number)
        await self._intake.take(_joined(head, pieces))
        self._names.append((name, number))

    async def finish(self, *, end: str) -> list[Result]:
        """Wait for all that is being stored; see `Intake.finish`."""
        await self._intake.finish(end=end)
        return [self._result(name, found) for name, found in self._names]

    def _result(self, name: str, found: int | Result) -> Result:
        if isinstance(found, Result):
            return found
        outcome = self._intake.outcomes[found]
        if outcome.stored is not None:
            status = _OF_STORED[outcome.stored.status]
            return Result(name, status, outcome.stored.study_uid, BESIDE if status == "beside" else "")
        if found in self._unlike and isinstance(outcome.failure, HeaderDamaged) and not _is_named(outcome):
            return Result(name, "skipped", reason=NO_DICOM)
        return Result(name, "refused", reason=sentence(str(outcome.failure)), failure=outcome.failure)


def raise_trouble(results: Sequence[Result]) -> None:
    """Raise what keeps all files out: none of the results counts then, and all are to be sent again later."""
    for one in results:
        if one.trouble is not None:
            raise one.trouble


def sentence(text: str) -> str:
    """Give the text of an error as a sentence."""
    return text[:1].upper() + text[1:].rstrip(".") + "."


def _is_named(outcome: Outcome) -> bool:
    return bool(outcome.sop_instance_uid)


def _why_skipped(name: str, head: bytes) -> str:
    if PurePosixPath(name.replace("\\", "/")).name.upper() == "DICOMDIR":
        return DIRECTORY
    try:
        meta = read_file_meta(head)
    except HeaderDamaged:
        return "" if head[128:132] == b"DICM" else NO_DICOM
    return DIRECTORY if meta.sop_class_uid == MEDIA_STORAGE_DIRECTORY else ""


async def _joined(head: bytes, pieces: AsyncIterator[memoryview]) -> AsyncIterator[memoryview]:
    yield memoryview(head)
    async for piece in pieces:
        yield piece
