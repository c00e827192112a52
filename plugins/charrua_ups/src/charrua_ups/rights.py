"""What a caller may do with the worklist, and which workitems it may see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from charrua_core.archive.index.levels import tag_of
from charrua_core.archive.search.columns import MODALITY
from charrua_core.archive.search.sight import Sight, stated_in
from charrua_core.archive.search.sight import sight as sight_of
from charrua_core.errors import NotPermitted
from charrua_core.types import DicomJson, Identity, RowFilter
from charrua_ups.model import INPUT, REQUESTS, STATION_CLASS, values

_SCHEME, _CODE = tag_of("CodingSchemeDesignator"), tag_of("CodeValue")

Kept = Mapping[str, Sequence[str]]
"""A filter as a row keeps it: keyword → admitted values."""


def may_search(identity: Identity) -> None:
    """Raise NotPermitted unless it may look at workitems."""
    if not identity.may("query"):
        raise NotPermitted("no permission to query")


def may_work(identity: Identity) -> None:
    """Raise NotPermitted unless it may create, change and watch workitems.

    Users have a permission for it. Peers have none of that name: those may that both query and store here.
    """
    as_peer = identity.kind == "peer" and identity.may("query") and identity.may("store")
    if not (identity.may("worklist") or as_peer):
        raise NotPermitted("no permission to work with the worklist")


def sight(filters: Sequence[RowFilter]) -> Sight:
    """Give a function that says whether a workitem is proven to be one that passes all filters, as of `search.sight`.

    It states attributes at its top or in its Referenced Request and Input Information Sequences; Modality also by Scheduled
    Station Class Code Sequence.
    """
    return sight_of(filters, _stated)


def _stated(attributes: DicomJson, tag: str) -> Iterator[str]:
    yield from stated_in((attributes, *values(attributes, REQUESTS), *values(attributes, INPUT)), tag)
    if tag == MODALITY:
        yield from (code for item in values(attributes, STATION_CLASS) if (code := _dicom_code(item)))


def _dicom_code(item: Mapping[str, Any]) -> str:
    """The code of an acquisition modality (PS3.16 CID 29), "" of another scheme."""
    return str(values(item, _CODE)[0]) if values(item, _SCHEME) == ["DCM"] and values(item, _CODE) else ""


def kept(filters: Sequence[RowFilter]) -> list[dict[str, list[str]]]:
    """Give filters as a row keeps them."""
    return [{keyword: list(admitted) for keyword, admitted in one.admits.items()} for one in filters]


def passes(rows: Sequence[Kept], attributes: DicomJson) -> bool:
    """Whether a workitem passes the filters that a row keeps; one that cannot be applied lets nothing through."""
    filters = [RowFilter({keyword: tuple(admitted) for keyword, admitted in one.items()}) for one in rows]
    try:
        return sight(filters)(attributes)
    except NotPermitted:
        return False
