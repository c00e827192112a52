"""Which entries who asks may see: those that pass their row filters. What is hidden is answered as if it were not there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core.archive.index.levels import tag_of
from charrua_core.archive.index.names import name_key, text_key
from charrua_core.archive.search.columns import HELD, MODALITIES_IN_STUDY, MODALITY, Kind
from charrua_core.archive.search.matching import written_name
from charrua_core.archive.search.patterns import matcher
from charrua_core.errors import NotPermitted
from charrua_core.types import DicomJson, Identity, RowFilter
from charrua_core.web import HttpError
from charrua_hl7.tables import entry
from charrua_hl7.worklist.entries import Entry, of_row, step_of

Sight = Callable[[DicomJson], bool]
_FOLDS: Mapping[Kind, Callable[[str], str]] = {Kind.EXACT: str.strip, Kind.NAME: name_key, Kind.FOLDED: text_key}


class EntryNotFound(HttpError):
    """There is no such entry, or none that the one who asks may see."""

    def __init__(self) -> None:
        super().__init__(404, "there is no such entry")


def sight_of(identity: Identity) -> Sight:
    """Give a function that says whether an entry passes the row filters of an identity."""
    return sight(identity.row_filters)


def sight(filters: Sequence[RowFilter]) -> Sight:
    """Give a function that says whether an entry states every attribute that a filter names, and only admitted values."""
    tests = [_test(keyword, admitted) for one in filters for keyword, admitted in one.admits.items()]
    return lambda attributes: all(test(attributes) for test in tests)


def _test(keyword: str, admitted: Sequence[str]) -> Sight:
    tag = tag_of(keyword)
    tag = MODALITY if tag == MODALITIES_IN_STUDY else tag
    held = HELD.get(tag)
    fold = _FOLDS.get(held.kind) if held else None
    if fold is None:
        raise NotPermitted(f"the filter of this account names {keyword}, by which entries cannot be filtered")
    tests = [matcher(fold(one)) for one in admitted]

    def passes(attributes: DicomJson) -> bool:
        stated = [fold(one) for one in _stated(attributes, tag)]
        return bool(stated) and all(any(test(one) for test in tests) for one in stated)

    return passes


def _stated(attributes: DicomJson, tag: str) -> Iterator[str]:
    for dataset in (attributes, step_of(attributes)):
        for one in dataset.get(tag, {}).get("Value", ()):
            if one is not None:
                yield written_name(one) if isinstance(one, Mapping) else str(one)


async def seen(connection: AsyncConnection, identity: Identity, number: int, *, locked: bool = False) -> Entry:
    """Give an entry, locked until the transaction ends where that is asked for. Raises EntryNotFound."""
    statement = select(entry).where(entry.c.id == number)
    row = (await connection.execute(statement.with_for_update() if locked else statement)).first()
    if row is None or not sight_of(identity)(row.attributes):
        raise EntryNotFound
    return of_row(row)
