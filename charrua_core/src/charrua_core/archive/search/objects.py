"""The stored objects of what a query finds, as sending needs them: listed at once in little room, read in batches."""

from __future__ import annotations

import sys
from array import array
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from charrua_core.archive.search import pages, statements
from charrua_core.archive.search.engine import planned
from charrua_core.archive.search.model import Query
from charrua_core.archive.search.plan import Plan
from charrua_core.errors import QueryInvalid, TooManyResults
from charrua_core.types import Identity, Level

if TYPE_CHECKING:
    from charrua_core.app import App
    from charrua_core.archive.search.statements import After

OBJECTS_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class InstanceRecord:
    """A stored object as sending needs it; `edited`: what leaves is not what its file holds."""

    instance_id: int
    series_id: int
    study_uid: str
    series_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    volume_id: int
    path: str
    size_bytes: int
    dataset_offset: int
    edited: bool
    overlay: Mapping[str, Any] | None
    """What edits lay over this object alone."""


@dataclass(frozen=True, slots=True)
class Described:
    """A stored object with what the index keeps of its data set, without edits (`datasets.header.unpack_json`)."""

    record: InstanceRecord
    header: bytes = field(repr=False)
    unparsed: bool
    """A budget was spent: the header is not whole."""


@dataclass(frozen=True, slots=True)
class Run:
    """Objects of one study, of one SOP class and in one transfer syntax: their ids, 8 bytes each, series by series."""

    study_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    ids: array[int]


@dataclass(frozen=True, slots=True)
class Listing:
    """Objects by their ids, series by series."""

    state: str
    """Another one when any of them changes, comes or goes."""
    ids: array[int]


async def instances(app: App, query: Query, identity: Identity) -> AsyncGenerator[InstanceRecord, None]:
    """Give the objects of the patients, studies, series or images that match, series by series.

    Raises as `search` does, TooManyResults after the first `at_most` were given if there are more; and QueryInvalid for
    keys that no column of the index can tell.
    """
    plan = _plan(app, query, identity)
    after: After | None = None
    number = 0
    while True:
        page = statements.object_page(plan.chosen, plan.lower, after, OBJECTS_PAGE)
        rows = await pages.read(app.db, page)
        for row in rows:
            number += 1
            if plan.query.at_most and number > plan.query.at_most:
                raise TooManyResults(f"more than {plan.query.at_most} objects")
            yield InstanceRecord(**row)
        if len(rows) < OBJECTS_PAGE:
            return
        after = (rows[-1]["series_id"], rows[-1]["instance_id"])


async def runs(app: App, query: Query, identity: Identity) -> tuple[list[Run], bool]:
    """Give the same objects in runs, as one statement sees them, and whether more than `at_most`, left out, match.

    Raises as `instances` does.
    """
    plan = _plan(app, query, identity)
    most = plan.query.at_most
    rows = await pages.read(app.db, statements.object_runs(plan.chosen, plan.lower, most + 1 if most else None))
    found = [Run(row["study_uid"], row["sop_class_uid"], row["transfer_syntax_uid"], _ids(row["ids"])) for row in rows]
    cut = 0 < most < sum(len(run.ids) for run in found)
    if cut:
        found[-1].ids.pop()
    return found, cut


async def records(app: App, ids: Sequence[int]) -> dict[int, InstanceRecord]:
    """Give the objects of these ids by id, as they are now; those removed meanwhile are not among them."""
    rows = await pages.read(app.db, statements.objects_by_id(ids))
    return {row["instance_id"]: InstanceRecord(**row) for row in rows}


async def headers(app: App, ids: Sequence[int]) -> dict[int, Described]:
    """Give the objects of these ids with their headers, as `records` does."""
    described = {}
    for row in await pages.read(app.db, statements.headers_by_id(ids)):
        told = dict(row)
        header, unparsed = told.pop("header"), told.pop("unparsed")
        described[row["instance_id"]] = Described(InstanceRecord(**told), header, unparsed)
    return described


async def listing(app: App, query: Query, identity: Identity) -> Listing:
    """Give the same objects as `instances`, as one statement sees them. Raises as that does."""
    plan = _plan(app, query, identity)
    (row,) = await pages.read(app.db, statements.object_listing(plan.chosen, plan.lower))
    return Listing(row["state"] or "", _ids(row["ids"] or b""))


async def sop_instance_uids(app: App, ids: Sequence[int]) -> list[str]:
    """Give the UIDs of these ids, also of objects that are removed, as long as the index knows them."""
    return [row["sop_instance_uid"] for row in await pages.read(app.db, statements.uids_by_id(ids))]


def _plan(app: App, query: Query, identity: Identity) -> Plan:
    plan = planned(app, query, identity, Level.IMAGE)
    if plan.tests:
        raise QueryInvalid("objects are chosen by what the index has a column for")
    return plan


def _ids(big_endian: bytes) -> array[int]:
    ids = array("q", big_endian)
    if sys.byteorder == "little":
        ids.byteswap()
    return ids
