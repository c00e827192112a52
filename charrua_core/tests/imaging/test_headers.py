"""A header that was parsed once is taken again as long as the index has that very one, and not too many are kept."""

from __future__ import annotations

import orjson
import pytest
from sqlalchemy import text

from charrua_core.archive.datasets.header import pack_json
from charrua_core.archive.search import Query, instances
from charrua_core.errors import ImageInvalid, StudyNotFound
from charrua_core.imaging.headers import ParsedHeader, ParsedHeaders
from charrua_core.imaging.stored import stored_image
from charrua_core.testing.objects import an_object
from charrua_core.types import SYSTEM, Level


def parsed(size: int, **row) -> ParsedHeader:
    known = {"version": "1", "transfer_syntax_uid": "1.2.840.10008.1.2.1", "unparsed": False, "pixel_data_offset": None}
    header = pack_json(orjson.dumps({"00100010": "x" * (size - 15)}))
    return ParsedHeader.of({**known, "header": header, "frame_offsets": None, **row})


@pytest.fixture
async def image(intake):
    await intake(an_object())
    [record] = [one async for one in instances(intake.app, Query(Level.IMAGE, relational=True), SYSTEM)]
    return intake.app, record


async def change(app, statement: str, **values) -> None:
    async with app.db.transaction() as tx:
        await tx.execute(text(f"UPDATE core.instance SET {statement}"), values)


async def test_a_header_is_parsed_once(image):
    app, record = image
    first = await stored_image(app, record)
    assert (await stored_image(app, record)).attributes.elements is first.attributes.elements


async def test_a_header_that_changed_in_the_index_is_read_anew(image):
    app, record = image
    before = await stored_image(app, record)
    changed = {**before.attributes.elements, "00280010": {"vr": "US", "Value": [4]}}
    await change(app, "header = :header", header=pack_json(orjson.dumps(changed)))
    after = await stored_image(app, record)
    assert (after.pixel_format.rows, after.attributes.integer("00280010")) == (4, 4) != (before.pixel_format.rows,) * 2


async def test_an_object_that_was_deleted_is_not_found_though_its_header_is_kept(image):
    app, record = image
    await stored_image(app, record)
    await change(app, "deleted_by = gen_random_uuid()")
    with pytest.raises(StudyNotFound):
        await stored_image(app, record)


def test_the_least_recently_used_headers_are_given_up():
    headers = ParsedHeaders(most_bytes=1000)
    for number in (1, 2):
        headers.keep(number, parsed(400))
    headers.get(1)
    headers.keep(3, parsed(400))
    assert [headers.get(number) is not None for number in (1, 2, 3)] == [True, False, True]
    assert headers.size_bytes == 800


def test_a_header_of_another_version_takes_the_place_of_the_former():
    headers = ParsedHeaders(most_bytes=1000)
    for size in (100, 300, 200):
        headers.keep(1, parsed(size))
    assert headers.size_bytes == 200


def test_a_header_larger_than_all_that_is_kept_is_not_kept():
    headers = ParsedHeaders(most_bytes=1000)
    headers.keep(1, parsed(500))
    headers.keep(2, parsed(2000))
    assert headers.get(1) is not None and headers.get(2) is None and headers.size_bytes == 500


@pytest.mark.parametrize(
    ("row", "told"),
    [({}, "no pixels"), ({"unparsed": True, "pixel_data_offset": 9}, "too large"), ({"unparsed": True}, "no pixels")],
)
def test_a_header_without_pixels_says_why(row, told):
    with pytest.raises(ImageInvalid, match=told):
        _ = parsed(100, **row).pixels
