"""What the index keeps of an object, as it is delivered (PS3.18 10.4.1.1.2): edits laid over it, bulk data by their URIs."""

from __future__ import annotations

import re
from collections.abc import Sequence

import orjson

from charrua_core.archive.datasets.elements import DEFLATED, Memo, layout_of
from charrua_core.archive.datasets.header import inflated_json
from charrua_core.archive.datasets.overlay import Modification, Overlay, apply_overlay_json
from charrua_core.archive.datasets.source import Clock, InflatedSource, SegmentSource, Source
from charrua_core.archive.datasets.walk import Walk
from charrua_core.archive.datasets.walk_state import Budgets
from charrua_core.types import FileRange

_BUDGETS = Budgets(elements=2_000_000, json_bytes=256 << 20, seconds=30.0)

# Within a value the quotation marks would be escaped: nothing but an element's own BulkDataURI matches.
_PLACE = re.compile(rb'"BulkDataURI":"([0-9A-F/]+)\?[^"]*"')


def metadata_json(
    stored: bytes, bulk_data: str, overlay: Overlay | None = None, modification: Modification | None = None
) -> bytes:
    """Give the header that `core.instance.header` holds as DICOM JSON, compact, tags in order.

    Each BulkDataURI is `bulk_data`, a slash, and the element's path, as `bulk.find_bulk_data` takes it. Without an overlay
    nothing is parsed, which takes some ten microseconds.
    """
    json = inflated_json(stored)
    if overlay:
        json = orjson.dumps(apply_overlay_json(orjson.loads(json), overlay, modification))
    return _with_uris(json, bulk_data)


def read_metadata_json(segments: Sequence[bytes | FileRange], transfer_syntax_uid: str, bulk_data: str) -> bytes:
    """Give the same of a data set that was too large for the index, as far as these budgets reach; blocks.

    Raises HeaderDamaged, StorageFailed.
    """
    clock = Clock(_BUDGETS.seconds)
    with SegmentSource(segments) as opened:
        source: Source = opened
        if transfer_syntax_uid in DEFLATED:
            source = InflatedSource(opened, _BUDGETS.header_bytes, clock)
        walk = Walk(source, layout_of(transfer_syntax_uid), 0, _BUDGETS, clock, Memo())
        walk.run()
        return _with_uris(walk.json(), bulk_data)


def _with_uris(json: bytes, bulk_data: str) -> bytes:
    pieces = _PLACE.split(json)
    if len(pieces) == 1:
        return json
    uri = b'"BulkDataURI":%s/' % orjson.dumps(bulk_data)[:-1]
    for number in range(1, len(pieces), 2):
        pieces[number] = b'%s%s"' % (uri, pieces[number])
    return b"".join(pieces)
