"""Searching the worklist: one meaning for C-FIND, UPS-RS and filtered subscriptions (PS3.4 CC.2.8)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, select, tuple_

from charrua_core.archive.search import Match, read_keys
from charrua_core.archive.search.asked import keys_only
from charrua_core.archive.search.matching import has_all, tests_of
from charrua_core.dicom.n_services import ValueInvalid
from charrua_core.errors import TooManyResults
from charrua_core.types import DicomJson, Identity
from charrua_ups.model import TRANSACTION_UID
from charrua_ups.rights import may_search, sight
from charrua_ups.rows import conditions
from charrua_ups.tables import workitem

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from charrua_core.app import App

BATCH = 200


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for. `limit` ends it quietly after so many, `at_most` with TooManyResults; 0 is no limit."""

    keys: Mapping[str, Match] = field(default_factory=dict)
    fuzzy: bool = False
    offset: int = 0
    limit: int = 0
    at_most: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """A workitem as it was found."""

    id: int
    attributes: DicomJson


def keys_of(identifier: DicomJson) -> dict[str, Match]:
    """Give how the keys of an identifier match. Raises QueryInvalid, and ValueInvalid: nobody may ask by Transaction UID."""
    keys = keys_only(identifier)
    if keys.get(TRANSACTION_UID, {}).get("Value"):
        raise ValueInvalid([TRANSACTION_UID])
    return read_keys(keys)


async def search(app: App, asked: Search, identity: Identity) -> AsyncGenerator[DicomJson, None]:
    """Give the workitems that match and that the identity may see, by their scheduled start.

    Raises NotPermitted, QueryInvalid, TooManyResults.
    """
    may_search(identity)
    found = 0
    async with app.db.reading() as connection:
        async for row in matching(connection, asked, identity):
            found += 1
            if asked.at_most and found > asked.at_most:
                raise TooManyResults(f"more than {asked.at_most} workitems match; ask for less")
            if found > asked.offset:
                yield row.attributes
            if asked.limit and found == asked.offset + asked.limit:
                return


async def matching(connection: AsyncConnection, asked: Search, identity: Identity) -> AsyncGenerator[Row, None]:
    """Give all rows that match and that the identity may see, whatever it may do."""
    tests = tests_of(asked.keys, ignore_case=False, fuzzy=asked.fuzzy)
    seen = sight(identity.row_filters)
    statement = select(workitem.c.id, workitem.c.start_moment, workitem.c.attributes)
    statement = statement.where(*conditions(asked.keys, fuzzy=asked.fuzzy))
    after: tuple[str, int] | None = None
    while batch := (await connection.execute(_page(statement, after))).all():
        for row in batch:
            if has_all(row.attributes, tests) and seen(row.attributes):
                yield Row(row.id, row.attributes)
        if len(batch) < BATCH:
            return
        after = (batch[-1].start_moment, batch[-1].id)


def _page(statement: Select[Any], after: tuple[str, int] | None) -> Select[Any]:
    place = (workitem.c.start_moment, workitem.c.id)
    ordered = statement.order_by(*place).limit(BATCH)
    return ordered if after is None else ordered.where(tuple_(*place) > after)
