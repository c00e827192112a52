"""Attributes of the index by keyword, and what a worker process loads for them."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pydicom.datadict import tag_for_keyword

from charrua_core.imaging.attributes import Attributes
from charrua_core.imaging.tags import TAGS


def test_the_tags_are_those_of_the_standard():
    assert {keyword: f"{tag_for_keyword(keyword) or 0:08X}" for keyword in TAGS} == TAGS


@pytest.mark.parametrize("module", ["pydicom", "sqlalchemy", "charrua_core.archive"])
def test_a_worker_process_renders_without_what_it_does_not_need(module):
    render = "charrua_core.imaging.render"
    code = f"import sys, {render}.work, {render}.picture; print('{module}' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"


@pytest.mark.parametrize(
    ("element", "number", "numbers", "text"),
    [
        ({"vr": "DS", "Value": [1.5, 2]}, 1.5, [1.5, 2], "1.5"),
        ({"vr": "DS", "Value": ["1,5"]}, None, [], "1,5"),
        ({"vr": "DS", "Value": [None, 2]}, None, [], ""),
        ({"vr": "FD", "Value": ["NaN"]}, None, [], "NaN"),
        ({"vr": "DS"}, None, [], ""),
        ({"vr": "PN", "Value": [{"Ideographic": "山田"}]}, None, [], "山田"),
    ],
)
def test_values_that_make_no_sense_read_as_none(element, number, numbers, text):
    attributes = Attributes({"00281050": element})
    found = (attributes.number("WindowCenter"), attributes.numbers("WindowCenter"), attributes.text("WindowCenter"))
    assert found == (number, numbers, text)


@pytest.mark.parametrize(
    ("element", "expected"),
    [
        ({"vr": "OW", "InlineBinary": "AQID"}, b"\1\2\3"),
        ({"vr": "US", "Value": [1, 0x203]}, b"\1\0\3\2"),
        ({"vr": "SS", "Value": [-1]}, b"\xff\xff"),
        ({"vr": "OW", "Bytes": b"read"}, b"read"),
        ({"vr": "OW", "BulkDataURI": "?offset=1&length=2"}, None),
        ({"vr": "LO", "Value": ["no"]}, None),
    ],
)
def test_binary_values_are_little_endian_bytes(element, expected):
    assert Attributes({"00283006": element}).binary("LUTData") == expected
