"""The entries that several messages speak of: loaded once, changed in memory message by message, written once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core.db import driver_of
from charrua_core.types import DicomJson
from charrua_hl7.errors import ValueInvalid
from charrua_hl7.worklist.entries import COLUMNS, Draft, Entry, key_of, of_record, order_numbers, put_all

if TYPE_CHECKING:
    from charrua_core.app import App

Place = tuple[str, str]
"""Order key and Scheduled Procedure Step ID."""
Numbers = dict[str, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Order:
    """By what an order is known."""

    numbers: Numbers
    key: str

    @classmethod
    def of(cls, attributes: DicomJson) -> Order:
        """Give it for the order whose attributes these are."""
        numbers = order_numbers(attributes)
        return cls(numbers, key_of(numbers, attributes))


@dataclass(slots=True)
class Page:
    """What one message changes; it counts once it is turned."""

    drafts: dict[Place, Draft] = field(default_factory=dict)
    rows: dict[Place, dict[str, Any]] = field(default_factory=dict)

    def write(self, draft: Draft) -> None:
        """Have an entry be so. Raises ValueInvalid for characters that cannot be kept."""
        place = (draft.order_key, draft.step_id)
        row = draft.row()
        try:
            told = orjson.dumps(row)
        except TypeError as error:
            raise ValueInvalid("it has characters that are in no character set") from error
        if b"\\u0000" in told:
            raise ValueInvalid("it has the character NUL")
        self.drafts[place], self.rows[place] = draft, row


@dataclass(slots=True)
class Book:
    """Get one with `Book.of`."""

    drafts: dict[Place, Draft] = field(default_factory=dict)
    _places: dict[tuple[str, str], dict[Place, None]] = field(default_factory=lambda: defaultdict(dict))
    _numbers: dict[Place, Numbers] = field(default_factory=dict)
    _changed: dict[Place, dict[str, Any]] = field(default_factory=dict)
    _known: frozenset[Place] = frozenset()

    @classmethod
    async def of(cls, tx: AsyncConnection, orders: Sequence[Order]) -> Book:
        """Give the entries of all these orders, locked until the transaction ends."""
        book = cls()
        for found in await _entries(tx, orders):
            draft = Draft(found.order_key, found.attributes, found.status, found.reason, None, found.source)
            book._take((found.order_key, found.step_id), draft)
        book._known = frozenset(book.drafts)
        return book

    def order(self, order: Order, page: Page) -> list[Draft]:
        """Give the entries of an order as a page that is being written has them, the first first."""
        names = [("key", order.key), *((kind, number) for kind, (number, _) in order.numbers.items())]
        places = dict.fromkeys(place for name in names for place in self._places.get(name, ()))
        named = [place for place in places if place[0] == order.key or same_order(order.numbers, self._numbers[place])]
        # All steps that are kept under the key of one of them, whatever numbers they have, are of the same order.
        places = dict.fromkeys(place for key, _ in named for place in self._places["key", key])
        found = {place: page.drafts.get(place, self.drafts[place]) for place in places}
        for place, draft in page.drafts.items():  # which the same message has added
            if place[0] == order.key or same_order(order.numbers, order_numbers(draft.attributes)):
                found.setdefault(place, draft)
        return list(found.values())

    def turn(self, page: Page) -> None:
        """Have what a message changes count."""
        for place, draft in page.drafts.items():
            self._take(place, draft)
        self._changed.update(page.rows)

    async def write(self, app: App, tx: AsyncConnection) -> None:
        """Write what has changed. Raises Collided where another transaction has added the same entries meanwhile."""
        await put_all(app, tx, list(self._changed.values()), self._known)

    def _take(self, place: Place, draft: Draft) -> None:
        numbers = order_numbers(draft.attributes)
        self.drafts[place], self._numbers[place] = draft, numbers
        for name in (("key", draft.order_key), *((kind, number) for kind, (number, _) in numbers.items())):
            self._places[name][place] = None


def same_order(one: Numbers, other: Numbers) -> bool:
    """Whether these are numbers of one order: the filler's decide where both have them, else the placer's.

    The accession number decides where one of them has nothing else: several orders may share one.
    """
    for kind in ("filler", "placer"):
        if kind in one and kind in other:
            return _is_same(one[kind], other[kind])
    bare = any(not numbers.keys() & {"filler", "placer"} for numbers in (one, other))
    return bare and "accession" in one and "accession" in other and _is_same(one["accession"], other["accession"])


def _is_same(one: tuple[str, str], other: tuple[str, str]) -> bool:
    """An authority that only one of them names is no difference."""
    return one[0] == other[0] and (one[1] == other[1] or not (one[1] and other[1]))


async def _entries(tx: AsyncConnection, orders: Sequence[Order]) -> list[Entry]:
    keys = sorted({order.key for order in orders} - {""})
    numbers = [sorted({one.numbers[kind][0] for one in orders if kind in one.numbers}) for kind in _KINDS]
    found = await (await driver_of(tx)).fetch(_ENTRIES, keys, *numbers)
    return [of_record(one) for one in found]


_KINDS = ("filler", "placer", "accession")
# An OR of the one and the other would have all entries looked through: as one array they are looked up by the index.
_ENTRIES = f"""
SELECT {", ".join(column.name for column in COLUMNS)} FROM charrua_hl7.entry
WHERE order_key = ANY(ARRAY(
    SELECT unnest($1::text[])
    UNION SELECT order_key FROM charrua_hl7.entry WHERE filler_order = ANY($2)
    UNION SELECT order_key FROM charrua_hl7.entry WHERE placer_order = ANY($3)
    UNION SELECT order_key FROM charrua_hl7.entry WHERE accession_number = ANY($4)
))
ORDER BY id FOR UPDATE
"""  # noqa: S608 -- names of our own columns
