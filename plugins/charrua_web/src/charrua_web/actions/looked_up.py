"""The study that a call is about, as who asks sees it. StudyNotFound where they see none of it."""

from __future__ import annotations

from dataclasses import dataclass

from charrua_core.archive.edit.targets import require_whole
from charrua_core.archive.index.levels import tag_of, text_of
from charrua_core.archive.search import OneOf, Query, search
from charrua_core.archive.search.columns import STUDY_UID
from charrua_core.errors import NotPermitted, StudyNotFound
from charrua_core.types import DicomJson, Level
from charrua_core.web import Request

_SERIES_UID = "0020000E"


@dataclass(frozen=True, slots=True)
class Series:
    """A series of the study."""

    uid: str
    attributes: DicomJson

    def text(self, keyword: str) -> str:
        """Give what it says."""
        return text_of(self.attributes.get(tag_of(keyword)))


@dataclass(frozen=True, slots=True)
class Study:
    """A study, with the series of it that are seen."""

    uid: str
    status: str
    attributes: DicomJson
    series: tuple[Series, ...]

    def text(self, keyword: str) -> str:
        """Give what it says."""
        return text_of(self.attributes.get(tag_of(keyword)))


async def study_of(request: Request, uid: str, *, with_series: bool = True) -> Study:
    """Give the study."""
    keys = {STUDY_UID: OneOf("UI", (uid,))}
    studies = [one async for one in search(request.app, Query(Level.STUDY, keys=keys, limit=1), request.identity)]
    if not studies:
        raise StudyNotFound
    [found] = studies
    below = Query(Level.SERIES, keys=keys, by_number=True)
    series = [one async for one in search(request.app, below, request.identity)] if with_series else []
    told = tuple(Series(text_of(one.attributes[_SERIES_UID]), one.attributes) for one in series)
    return Study(uid, found.status, found.attributes, told)


async def sees_whole(request: Request, uid: str) -> bool:
    """Whether no series of the study is out of the caller's sight."""
    async with request.app.db.reading() as connection:
        try:
            await require_whole(connection, request.identity, uid)
        except NotPermitted:
            return False
    return True
