"""The images of a study that somebody measures or marks: as the index has them, and only those that the caller may see."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from charrua_core.archive.search import InstanceRecord, OneOf, Query, instances
from charrua_core.imaging.stored import StoredObject, stored_object
from charrua_core.types import DicomJson, Identity, Level
from charrua_core.web import HttpError

if TYPE_CHECKING:
    from charrua_core.web import Request

_AT_ONCE = 200
"""UIDs that one statement asks for."""


@dataclass(frozen=True, slots=True)
class Image:
    """An object that is referred to."""

    record: InstanceRecord
    header: DicomJson
    """With the edits in force."""

    @property
    def frames(self) -> int:
        """How many it has."""
        told = self.header.get("00280008", {}).get("Value") or [1]
        return int(told[0] or 1)

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows, 0 where it is no image."""
        columns, rows = ((self.header.get(tag, {}).get("Value") or [0])[0] for tag in ("00280011", "00280010"))
        return int(columns or 0), int(rows or 0)

    @property
    def modality(self) -> str:
        """Its modality, empty where it says none."""
        return str((self.header.get("00080060", {}).get("Value") or [""])[0])

    def frames_told(self, frames: Sequence[int]) -> tuple[int, ...]:
        """Those of its frames that a reference has to name: none of an object that has but one."""
        return tuple(sorted(set(frames))) if self.frames > 1 else ()


async def images(request: Request, uids: Iterable[str]) -> dict[str, Image]:
    """Give the objects of these SOP Instance UIDs in the study of the path, in their order.

    HttpError 404 where one is not there, or not for the caller: the answer is the same.
    """
    wanted = list(dict.fromkeys(uids))
    found = await records_of(request, wanted)
    if len(found) < len(wanted):
        raise HttpError(404, "there is no such image in this study; reload the study and try again")
    return {uid: Image(found[uid], header_of(await stored_object(request.app, found[uid]))) for uid in wanted}


async def records_of(request: Request, uids: Sequence[str]) -> dict[str, InstanceRecord]:
    """Give the objects of these SOP Instance UIDs in the study of the path, those that the caller may see."""
    found: dict[str, InstanceRecord] = {}
    for start in range(0, len(uids), _AT_ONCE):
        query = _below(request.parameters["study"], uids[start : start + _AT_ONCE])
        async for record in instances(request.app, query, request.identity):
            found[record.sop_instance_uid] = record
    return found


async def sees(request: Request, identity: Identity, sop_instance_uid: str) -> bool:
    """Whether somebody may see an object of the study in the path."""
    query = _below(request.parameters["study"], [sop_instance_uid])
    return any([True async for _ in instances(request.app, query, identity)])


def _below(study_uid: str, uids: Sequence[str]) -> Query:
    keys = {"0020000D": OneOf("UI", (study_uid,)), "00080018": OneOf("UI", tuple(uids))}
    return Query(Level.IMAGE, keys=keys, relational=True)


def header_of(stored: StoredObject) -> DicomJson:
    """Give what an object says, with the edits in force."""
    return cast("DicomJson", dict(stored.attributes.elements))
