"""The search engine of the archive (DESIGN §7): for C-FIND, QIDO-RS, the pages and the selection of every retrieval."""

from __future__ import annotations

from charrua_core.archive.search.answers import Facts, Found, unsupported
from charrua_core.archive.search.engine import SETTINGS, about, count, search
from charrua_core.archive.search.identifier import read_keys, read_query
from charrua_core.archive.search.model import AnyItem, Between, Match, NoValue, OneOf, Query, Root, Words
from charrua_core.archive.search.objects import (
    Described,
    InstanceRecord,
    Listing,
    Run,
    headers,
    instances,
    listing,
    records,
    runs,
    sop_instance_uids,
)
from charrua_core.archive.search.orders import ORDERS
from charrua_core.archive.search.scope import check_filter, filterable

__all__ = [
    "ORDERS",
    "SETTINGS",
    "AnyItem",
    "Between",
    "Described",
    "Facts",
    "Found",
    "InstanceRecord",
    "Listing",
    "Match",
    "NoValue",
    "OneOf",
    "Query",
    "Root",
    "Run",
    "Words",
    "about",
    "check_filter",
    "count",
    "filterable",
    "headers",
    "instances",
    "listing",
    "read_keys",
    "read_query",
    "records",
    "runs",
    "search",
    "sop_instance_uids",
    "unsupported",
]
