"""Which objects a path of PS3.18 10.4.1 names: those below its UIDs that the caller may see, and nothing else."""

from __future__ import annotations

from array import array
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from charrua_core.archive.search import InstanceRecord, OneOf, Query, Run, instances, records, runs
from charrua_core.archive.search.columns import UNIQUE_KEYS
from charrua_core.errors import StudyNotFound
from charrua_core.types import Identity, Level

if TYPE_CHECKING:
    from charrua_core.app import App
    from charrua_core.web import Request

BATCH = 200
"""Records that are read at once."""
_LEVELS = ((Level.STUDY, "study"), (Level.SERIES, "series"), (Level.IMAGE, "instance"))


@dataclass(frozen=True, slots=True)
class Selection:
    """The objects of one answer, settled when the request was read."""

    runs: Sequence[Run]

    @property
    def total(self) -> int:
        """How many objects there are."""
        return sum(len(run.ids) for run in self.runs)

    @property
    def study_uids(self) -> tuple[str, ...]:
        """Their studies, once each."""
        return tuple(dict.fromkeys(run.study_uid for run in self.runs))

    @property
    def ids(self) -> array[int]:
        """Their numbers in the index, in the order in which they leave."""
        return array("q", b"".join(run.ids.tobytes() for run in self.runs))

    async def records(self, app: App) -> AsyncGenerator[InstanceRecord, None]:
        """Give the objects in their order; those removed meanwhile are not among them."""
        ids = self.ids
        for start in range(0, len(ids), BATCH):
            batch = ids[start : start + BATCH]
            found = await records(app, batch)
            for instance_id in batch:
                if instance_id in found:
                    yield found[instance_id]


def query_below(uids: Mapping[str, str]) -> Query:
    """Give the query of the UIDs named `study`, `series` and `instance`; each of them has to match."""
    named = [(level, uids[name]) for level, name in _LEVELS if name in uids]
    return Query(named[-1][0], keys={UNIQUE_KEYS[level]: OneOf("UI", (uid,)) for level, uid in named})


async def selected(request: Request) -> Selection:
    """Give the objects that the path names. Raises StudyNotFound where there are none that the caller may see."""
    return await selected_below(request, request.parameters)


async def selected_below(request: Request, uids: Mapping[str, str]) -> Selection:
    """As `selected`, of the UIDs named `study`, `series` and `instance`."""
    found, _ = await runs(request.app, query_below(uids), request.identity)
    if not found:
        raise StudyNotFound
    return Selection(found)


async def the_object(app: App, query: Query, identity: Identity) -> InstanceRecord:
    """Give the one object of a query at IMAGE level. Raises StudyNotFound where the identity may see none."""
    found = instances(app, query, identity)
    try:
        return await anext(found)
    except StopAsyncIteration:
        raise StudyNotFound from None
    finally:
        await found.aclose()
