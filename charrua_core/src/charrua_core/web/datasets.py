"""Answers that are many data sets: as JSON, XML or CSV, whichever the request wants (PS3.18 8.7.3), made while they are sent.

Handlers give each data set as the bytes of its DICOM JSON, so that what is stored as JSON goes out unread.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from pydicom.datadict import keyword_for_tag

from charrua_core.archive.datasets.xmlmodel import to_xml
from charrua_core.types import DicomJson
from charrua_core.web.media import choose
from charrua_core.web.multipart import Part, multipart_response
from charrua_core.web.response import Piece, Response

if TYPE_CHECKING:
    from charrua_core.web.request import Request

DICOM_JSON = "application/dicom+json"
DICOM_XML = "application/dicom+xml"
DATASETS = (DICOM_JSON, "application/json", f'multipart/related; type="{DICOM_XML}"')
"""The forms that every answer of data sets can have, the one that is given unasked first."""
CSV = "text/csv"
PIECE = 64 * 1024
"""Bytes that are gathered before they are sent."""

_FORMULA = re.compile(r"[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")

DataSets = AsyncGenerator[bytes, None]


@dataclass(frozen=True, slots=True)
class Form:
    """The form that a request has chosen for its data sets."""

    media_type: str
    columns: Sequence[str] = ()
    """Of a table: the tags that its columns hold."""

    def response(self, datasets: DataSets, headers: Sequence[tuple[str, str]] = (), status: int = 200) -> Response:
        """Give the data sets, each as the bytes of its DICOM JSON, one after another as the client takes them."""
        if self.media_type == CSV:
            return Response(
                status, gathered(_table(datasets, self.columns)), f"{CSV}; charset=utf-8; header=present", headers
            )
        if self.media_type in (DICOM_JSON, "application/json"):
            return Response(status, gathered(_array(datasets)), self.media_type, headers)
        return multipart_response(_parts(datasets), DICOM_XML, status=status, headers=headers)

    def whole(self, datasets: Iterable[bytes], headers: Sequence[tuple[str, str]] = ()) -> Response:
        """Give a few data sets that are at hand, with the length of the answer where the form can tell it."""
        if self.media_type in (DICOM_JSON, "application/json"):
            return Response(200, b"[" + b",".join(datasets) + b"]", self.media_type, headers)
        return self.response(_each(datasets), headers)


def form_of(request: Request, columns: Sequence[str] = ()) -> Form:
    """Give the form that the request wants most; a table of `columns` (tags) is among them where there are any.

    HttpError 406 where it wants none that there is.
    """
    offer, _ = choose(request, [*DATASETS, CSV] if columns else DATASETS)
    return Form(offer.type, columns)


def datasets_response(request: Request, datasets: DataSets, headers: Sequence[tuple[str, str]] = ()) -> Response:
    """Give data sets, each as the bytes of its DICOM JSON, in the form that the request wants."""
    return form_of(request).response(datasets, headers)


async def gathered(pieces: AsyncGenerator[bytes, None], size: int = PIECE) -> AsyncGenerator[Piece, None]:
    """Give small pieces joined to pieces of about `size` bytes."""
    waiting: list[bytes] = []
    length = 0
    async with aclosing(pieces) as several:
        async for piece in several:
            waiting.append(piece)
            length += len(piece)
            if length >= size:
                yield b"".join(waiting)
                waiting, length = [], 0
    if waiting:
        yield b"".join(waiting)


async def _each(datasets: Iterable[bytes]) -> DataSets:
    for dataset in datasets:
        yield dataset


async def _array(datasets: DataSets) -> AsyncGenerator[bytes, None]:
    before = b"["
    async with aclosing(datasets) as several:
        async for dataset in several:
            yield before + dataset
            before = b","
    yield b"]" if before == b"," else b"[]"


async def _parts(datasets: DataSets) -> AsyncGenerator[Part, None]:
    async with aclosing(datasets) as several:
        async for dataset in several:
            yield Part(DICOM_XML, [to_xml(orjson.loads(dataset))])


async def _table(datasets: DataSets, columns: Sequence[str]) -> AsyncGenerator[bytes, None]:
    """RFC 4180, the columns named by keyword."""
    yield _line([keyword_for_tag(int(tag, 16)) or tag for tag in columns])
    async with aclosing(datasets) as several:
        async for dataset in several:
            attributes: DicomJson = orjson.loads(dataset)
            yield _line([_cell(attributes.get(tag)) for tag in columns])


def _line(cells: Sequence[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue().encode()


def _cell(element: Mapping[str, Any] | None) -> str:
    """Give the values as DICOM writes them, items as JSON; no spreadsheet takes what comes out for a formula."""
    values = (element or {}).get("Value", ())
    text = "\\".join(map(_text, values))
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def _text(value: Any) -> str:
    if not isinstance(value, Mapping):
        return "" if value is None else str(value)
    if value.keys() <= set(_GROUPS):
        return "=".join(value.get(group, "") for group in _GROUPS).rstrip("=")
    return orjson.dumps(value).decode()
