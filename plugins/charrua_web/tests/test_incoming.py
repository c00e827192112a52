"""Multipart bodies are taken apart however they arrive, and those that do not hold together are refused."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charrua_core.web import HttpError
from charrua_web.dicomweb.incoming import MultipartReader, PartCutOff

DICOM = b"Content-Type: application/dicom\r\n"


async def in_pieces(body: bytes, size: int) -> AsyncIterator[bytes]:
    for at in range(0, len(body), size):
        yield body[at : at + size]


async def parts_of(body: bytes, size: int = 1 << 16, boundary: str = "B") -> list[tuple[str, bytes]]:
    return [
        (part.content_type, b"".join([bytes(piece) async for piece in part.pieces]))
        async for part in MultipartReader(in_pieces(body, size), boundary).parts()
    ]


ONE_TWO = [("application/dicom", b"one"), ("application/dicom", b"two")]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize(
    ("body", "parts"),
    [
        (b"--B\r\n%b\r\none\r\n--B\r\n%b\r\ntwo\r\n--B--\r\n" % (DICOM, DICOM), ONE_TWO),
        (b"\r\n--B\r\n%b\r\none\r\n--B\r\n%b\r\ntwo\r\n--B--" % (DICOM, DICOM), ONE_TWO),
        (b"a preamble\r\nof two lines\r\n--B\r\n\r\none\r\n--B--\r\nan epilogue\r\n--B\r\n", [("", b"one")]),
        (b"--B \t\r\n\r\none\r\n--B  \r\n\r\ntwo\r\n--B-- \r\n", [("", b"one"), ("", b"two")]),
        (
            b"--B\nCONTENT-TYPE:application/dicom\n\none\n--B\nContent-Type: \n application/dicom\n\ntwo\n--B--\n",
            ONE_TWO,
        ),
        (b"--B\r\n\r\none\n--B\r\ntwo\r\n--B--", [("", b"one\n--B\r\ntwo")]),
        (b"--B\r\n\r\none\r\n--Bar\r\n--B-x\r\n-\r\n--\r\n--B--", [("", b"one\r\n--Bar\r\n--B-x\r\n-\r\n--")]),
        (b"--B\r\n\r\n\r\n--B\r\n\r\n\r\n\r\n--B--", [("", b""), ("", b"\r\n")]),
        (b"--B--\r\n", []),
        (b"preamble\r\n--B--", []),
    ],
)
async def test_parts_come_out_as_they_were_put_in(body: bytes, parts: list[tuple[str, bytes]], size: int) -> None:
    assert await parts_of(body, size) == parts


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.binary(max_size=40) | st.text("\r\n-B", max_size=12).map(str.encode), max_size=4), st.integers(1, 50)
)
async def test_any_bytes_are_carried(contents: list[bytes], size: int) -> None:
    boundary = "-B-unlikely"
    body = b"".join(b"--%b\r\n\r\n%b\r\n" % (boundary.encode(), content) for content in contents)
    body += b"--%b--" % boundary.encode()
    assert [content for _, content in await parts_of(body, size, boundary)] == contents


async def test_what_a_taker_leaves_of_a_part_is_passed_over() -> None:
    body = b"--B\r\n\r\n" + b"x" * 100_000 + b"\r\n--B\r\n\r\ntwo\r\n--B--"
    parts = MultipartReader(in_pieces(body, 1000), "B").parts()
    seen = [bytes(await anext(part.pieces))[:3] async for part in parts]
    assert seen == [b"xxx", b"two"]


@pytest.mark.parametrize("size", [1, 1000])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--B\r\n",
        b"--B\r\nContent-Type",
        b"--B\r\n\r\none",
        b"--B\r\n\r\none\r\n--",
        b"--B\r\n\r\none\r\n--B",
        b"\r\n--B-",
    ],
)
async def test_a_body_that_ends_too_early_is_cut_off(body: bytes, size: int) -> None:
    with pytest.raises(PartCutOff):
        await parts_of(body, size)


@pytest.mark.parametrize(
    "body",
    [
        b"--B\r\nno colon\r\n\r\none\r\n--B--",
        b"--B\r\nA: " + b"x" * 100_000 + b"\r\n\r\none\r\n--B--",
        b"--B\r\n" + b"A: x\r\n" * 100 + b"\r\none\r\n--B--",
        b"line\r\n" * 20_000 + b"--B--",
        b"x" * 100_000,
    ],
)
async def test_a_body_that_does_not_hold_together_is_refused(body: bytes) -> None:
    with pytest.raises(HttpError) as refused:
        await parts_of(body)
    assert refused.value.http_status == 400


@pytest.mark.parametrize("boundary", ["", "x" * 71, "a b ", "ä", "a\r\nb", 'a"b'])
def test_a_boundary_is_what_rfc_2046_says(boundary: str) -> None:
    with pytest.raises(HttpError):
        MultipartReader(in_pieces(b"", 1), boundary)
