"""Answers of data sets: JSON, XML and CSV of the same rows, made as they are taken."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import orjson
import pytest

from charrua_core.web import Form, Response
from charrua_core.web.datasets import PIECE

ROWS = [
    {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "Núñez^Ana", "Ideographic": "山田"}]}},
    {"00100010": {"vr": "PN"}, "00080061": {"vr": "CS", "Value": ["CT", "MR"]}},
]


async def given(rows: Sequence[Any]) -> AsyncGenerator[bytes, None]:
    for row in rows:
        yield orjson.dumps(row)


async def body(response: Response) -> bytes:
    if isinstance(response.body, bytes):
        return response.body
    return b"".join([piece async for piece in response.body])  # type: ignore[misc, union-attr]


@pytest.mark.parametrize("rows", [[], ROWS[:1], ROWS])
async def test_json_is_one_array(rows: list[Any]) -> None:
    form = Form("application/dicom+json")
    assert orjson.loads(await body(form.response(given(rows)))) == rows
    whole = form.whole([orjson.dumps(row) for row in rows])
    assert orjson.loads(await body(whole)) == rows
    assert whole.length


async def test_xml_is_a_part_for_each() -> None:
    response = Form("multipart/related").response(given(ROWS))
    assert response.content_type.startswith('multipart/related; type="application/dicom+xml"; boundary=')
    assert (await body(response)).count(b"</NativeDicomModel>") == 2


async def test_a_table_has_the_columns_that_were_named() -> None:
    response = Form("text/csv", ("00100010", "00080061")).response(given(ROWS))
    lines = list(csv.reader(io.StringIO((await body(response)).decode())))
    assert lines == [["PatientName", "ModalitiesInStudy"], ["Núñez^Ana=山田", ""], ["", "CT\\MR"]]


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("+a", "'+a"),
        ("-cmd", "'-cmd"),
        ("\t=1", "'\t=1"),
        ("-5.5", "-5.5"),
        ('say "a, b"\nc', 'say "a, b"\nc'),
    ],
)
async def test_no_cell_is_a_formula(value: str, cell: str) -> None:
    response = Form("text/csv", ("00081030",)).response(given([{"00081030": {"vr": "LO", "Value": [value]}}]))
    text = (await body(response)).decode()
    assert list(csv.reader(io.StringIO(text, newline="")))[1] == [cell]


async def test_data_sets_are_made_as_they_are_taken_and_closed_when_nobody_takes_them() -> None:
    made = []

    async def endless() -> AsyncGenerator[bytes, None]:
        try:
            while True:
                made.append(1)
                yield b'{"00100020":{"vr":"LO","Value":["%s"]}}' % (b"x" * 1000)
        finally:
            made.append(-1)

    stream = Form("application/dicom+json").response(endless()).body
    assert isinstance(stream, AsyncGenerator)
    first = await anext(stream)
    assert PIECE <= len(first) < PIECE + 2000
    assert len(made) < 80
    await stream.aclose()
    assert made[-1] == -1
