"""The job that makes objects of the archive of what a browser has sent whole. It goes on where it was cut off."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from charrua_core.errors import CharruaError
from charrua_core.jobs import JobType
from charrua_core.types import Origin
from charrua_web.uploads import rows
from charrua_web.uploads.contents import ArchiveRefused, Item, items
from charrua_web.uploads.limits import MOST_TOLD
from charrua_web.uploads.rows import Upload
from charrua_web.uploads.taking import NO_DICOM, Result, Status, Taking, raise_trouble, sentence

if TYPE_CHECKING:
    from charrua_core.app import App

KIND = "web.upload"
AT_ONCE = 4
"""Uploads of all users that are stored beside one another; of one user, one."""
NOTED_AFTER = 200
"""Files after which it is noted how far the storing has come, or NOTED_AFTER_S."""
NOTED_AFTER_S = 2.0


def upload_job(app: App) -> JobType:
    """Give the kind of job."""
    return JobType(KIND, partial(store, app), most=lambda: AT_ONCE)


async def store(app: App, payload: Mapping[str, Any]) -> None:
    """Store an upload. What keeps all of it out for now is raised, and it is tried again."""
    upload = await rows.find(app.db, uuid.UUID(payload["upload"]))
    if upload is None or upload.state != "storing":
        return
    try:
        await _Storing(app, upload).run()
    except (ArchiveRefused, FileNotFoundError) as error:
        told = str(error) if isinstance(error, CharruaError) else "its bytes are no longer there: upload it again"
        await rows.tell(app.db, upload, sentence(told), "failed")
    except CharruaError as error:
        await rows.tell(app.db, upload, sentence(str(error)))
        raise
    await asyncio.to_thread(remove_file, app, upload)


def remove_file(app: App, upload: Upload) -> None:
    """Remove the bytes of an upload; blocks."""
    app.volumes.by_id(upload.volume_id).upload_path(upload.file).unlink(missing_ok=True)


class _Storing:
    """One upload, file after file from where it was cut off."""

    def __init__(self, app: App, upload: Upload) -> None:
        self._app = app
        self._upload = upload
        self._done = upload.entries_done
        self._results = Results(upload.results)
        self._noted = time.monotonic()

    async def run(self) -> None:
        """Store all."""
        found = self._items()
        state = "storing"
        try:
            while state == "storing":
                taking = self._taking()
                state = "done" if await self._take(found, taking) else "storing"
                if not await self._note(await taking.finish(end="answered"), state):
                    return
        finally:
            await asyncio.to_thread(found.close)

    def _taking(self) -> Taking:
        upload = self._upload
        return Taking(self._app, upload.who, Origin("web", address=upload.address, user=upload.who))

    def _items(self) -> Any:
        app, upload = self._app, self._upload
        volume = app.volumes.by_id(upload.volume_id)
        path = str(volume.upload_path(upload.file))
        most: int = app.settings["upload_most_files"]
        return _after(items(path, upload.name, most, app.volumes.current.spool_path), self._done)

    async def _take(self, found: Iterator[Item], taking: Taking) -> bool:
        """Take files until it is time to note what became of them; whether there are no more."""
        try:
            while len(taking) < NOTED_AFTER and time.monotonic() - self._noted < NOTED_AFTER_S:
                item = await asyncio.to_thread(next, found, None)
                if item is None:
                    return True
                await _take_one(item, taking)
        except BaseException:
            await taking.finish(end="broken off")
            raise
        return False

    async def _note(self, results: Sequence[Result], state: Any) -> bool:
        """Keep what became of files, unless the archive is in trouble: then none of them counts. Whether to go on."""
        raise_trouble(results)
        self._done += len(results)
        self._results.add(results)
        self._noted = time.monotonic()
        return await rows.keep(self._app.db, self._upload, self._done, self._results.plain(), state=state)


async def _take_one(item: Item, taking: Taking) -> None:
    if item.reason:
        status: Status = "skipped" if item.reason == NO_DICOM else "refused"
        taking.note(Result(item.name, status, reason=item.reason))
        return
    try:
        await taking.take(item.name, _pieces(item))
    except ValueError as error:
        taking.note(Result(item.name, "refused", reason=str(error)))


async def _pieces(item: Item) -> AsyncIterator[memoryview]:
    while piece := await asyncio.to_thread(item.read):
        yield memoryview(piece)


def _after(found: Iterator[Item], number: int) -> Iterator[Item]:
    """Pass over what was done before."""
    for position, item in enumerate(found):
        if position >= number:
            yield item


class Results:
    """What became of the files of an upload: numbers, studies, and each that was not stored up to MOST_TOLD."""

    def __init__(self, kept: Mapping[str, Any]) -> None:
        self._numbers = Counter[str](kept.get("numbers", {}))
        self._studies = Counter[str](kept.get("studies", {}))
        self._told = list(kept.get("told", ()))

    def add(self, results: Sequence[Result]) -> None:
        """Add those of some files."""
        for one in results:
            self._numbers[one.status] += 1
            if one.study_uid:
                self._studies[one.study_uid] += 1
            if one.reason and len(self._told) < MOST_TOLD:
                self._told.append(one.plain())

    def plain(self) -> dict[str, Any]:
        """Give them as they are kept and told."""
        return {"numbers": dict(self._numbers), "studies": dict(self._studies), "told": self._told}
