"""What a C-MOVE or C-GET asks for: the objects below its unique keys (PS3.4 C.4.2.1.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from charrua_core.archive.datasets.identifier import decode_identifier
from charrua_core.archive.search import OneOf, Query, Run, read_query, runs
from charrua_core.archive.search.columns import UNIQUE_KEYS
from charrua_core.archive.search.patterns import has_wildcard
from charrua_core.dicom import Association, Message
from charrua_core.dicom.finding import IDENTIFIER_LIMIT
from charrua_core.errors import NotPermitted, QueryInvalid
from charrua_core.types import RowFilter
from charrua_qr.models import GET, MOVE, Agreed

if TYPE_CHECKING:
    from charrua_core.app import App


@dataclass(frozen=True, slots=True)
class Selection:
    """The objects to send, settled when the request was read; `cut`: there are more than `retrieve_results`, left out."""

    runs: Sequence[Run]
    cut: bool = False

    @property
    def total(self) -> int:
        """How many objects there are to send."""
        return sum(len(run.ids) for run in self.runs)

    @property
    def study_uids(self) -> tuple[str, ...]:
        """The studies of the objects, once each."""
        return tuple(dict.fromkeys(run.study_uid for run in self.runs))


def require_retrieve(app: App, association: Association) -> None:
    """Raise NotPermitted for an AE that may not retrieve."""
    if not app.identity_of(association).may("retrieve"):
        raise NotPermitted("this AE may not retrieve here")


async def selected(
    app: App, association: Association, message: Message, filters: tuple[RowFilter, ...] = ()
) -> Selection:
    """Read the request's identifier and find its objects, those that the destination may see by its own `filters`.

    Raises QueryInvalid, and HeaderDamaged for an identifier that cannot be read.
    """
    asking = app.identity_of(association)
    identity = replace(asking, row_filters=asking.row_filters + filters)
    query = replace(await _query(association, message), at_most=app.settings["retrieve_results"])
    return Selection(*await runs(app, query, identity))


async def _query(association: Association, message: Message) -> Query:
    context = message.context
    identifier = decode_identifier(await message.read(IDENTIFIER_LIMIT), context.transfer_syntax)
    root = (MOVE | GET)[context.abstract_syntax]
    query = read_query(identifier, root, relational=Agreed.on(association, context.abstract_syntax).relational)
    keys = {tag: match for tag, match in query.keys.items() if tag in UNIQUE_KEYS.values()}
    wanted = keys.get(UNIQUE_KEYS[query.level])
    if not isinstance(wanted, OneOf) or any(map(has_wildcard, wanted.values)):
        raise QueryInvalid(f"a retrieval at {query.level} level names what it wants")
    return replace(query, keys=keys)
