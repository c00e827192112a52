"""The objects of a retrieval, part by part: so many kinds as one association carries, so many records as little room holds."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING

from charrua_core.archive.search import InstanceRecord, Run, records
from charrua_core.dicom import ProposedContext
from charrua_core.sending import in_associations

if TYPE_CHECKING:
    from charrua_core.app import App

BATCH = 200
"""Records that are read at once."""


class Part:
    """Objects that one association with these `contexts` can carry, in the order in which they are sent."""

    def __init__(self, app: App, ids: array[int], contexts: Sequence[ProposedContext]) -> None:
        self.contexts = contexts
        self._app = app
        self._ids = ids
        self._next = 0
        self._batch: dict[int, InstanceRecord] = {}

    @property
    def left(self) -> int:
        """How many objects have not had their turn."""
        return len(self._ids) - self._next

    async def next(self) -> tuple[int, InstanceRecord | None]:
        """Give the id of the next object and its record, None if it was removed meanwhile."""
        if self._next % BATCH == 0:
            self._batch = await records(self._app, self._ids[self._next : self._next + BATCH])
        instance_id = self._ids[self._next]
        self._next += 1
        return instance_id, self._batch.pop(instance_id, None)

    def take_rest(self) -> array[int]:
        """Give the ids of all that is left, which have had their turn with this."""
        rest, self._next = self._ids[self._next :], len(self._ids)
        return rest


def in_parts(app: App, runs: Sequence[Run]) -> list[Part]:
    """Give the objects of the runs in parts."""
    kinds = [(run.sop_class_uid, run.transfer_syntax_uid) for run in runs]
    parts = []
    for together, contexts in in_associations(kinds, lossy=app.settings["send_lossy"]):
        ids = array("q")
        for run, kind in zip(runs, kinds, strict=True):
            if kind in together:
                ids.extend(run.ids)
        parts.append(Part(app, ids, contexts))
    return parts
