"""Frames of MLLP, as bytes come."""

from __future__ import annotations

import pytest

from charrua_hl7.intake.framing import Framer, NotFramed


def contents(*chunks: bytes, most: int = 1000) -> list[bytes]:
    framer = Framer(most)
    return [content for chunk in chunks for content in framer.feed(chunk)]


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        (b"\x0bMSH|a\x1c\r", [b"MSH|a"]),
        (b"\x0bMSH|a\x1c\r\x0bMSH|b\x1c\r", [b"MSH|a", b"MSH|b"]),
        (b"\x0bMSH|a\x1c\x0bMSH|b\x1c", [b"MSH|a", b"MSH|b"]),
        (b"\x0bMSH|a\x1c\n\r\n\x0bMSH|b\x1c\r\n", [b"MSH|a", b"MSH|b"]),
        (b"\x0b\x0b\x0bMSH|a\x1c\x1c\r", [b"MSH|a"]),
        (b"\r\n\x00\x0bMSH|a\x1c\r", [b"MSH|a"]),
        (b"\x0bMSH|half\rPI\x0bMSH|whole\x1c\r", [b"MSH|whole"]),
        (b"\x0b\x1c\r", [b""]),
        (b"\x0bOBX|x\x0by\x1c\r", [b"OBX|x\x0by"]),
        (b"", []),
    ],
)
def test_frames_are_found_however_they_are_cut(sent: bytes, found: list[bytes]) -> None:
    assert contents(sent) == found
    assert contents(*(sent[n : n + 1] for n in range(len(sent)))) == found


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (b"GET / HTTP/1.1\r\n", "it speaks HTTP"),
        (b"\x16\x03\x01\x02\x00", "it speaks TLS"),
        (b"MSH|^~\\&|", "it sends HL7 without the frames of MLLP"),
        (b"x" * 5000, "it is not framed as MLLP"),
    ],
)
def test_another_protocol_is_named(sent: bytes, why: str) -> None:
    with pytest.raises(NotFramed, match=why):
        contents(sent)


def test_a_frame_that_is_never_closed_is_given_up_once_it_is_too_long() -> None:
    framer = Framer(100)
    assert framer.feed(b"\x0bMSH|" + b"a" * 90) == []
    assert framer.too_long is None
    assert framer.feed(b"a" * 10) == []
    assert (framer.too_long or b"").startswith(b"MSH|a")


@pytest.mark.parametrize("end", [b"", b"\x1c\r"])
def test_what_came_whole_before_a_long_frame_is_given(end: bytes) -> None:
    framer = Framer(100)
    assert framer.feed(b"\x0bMSH|a\x1c\r\x0b" + b"b" * 200 + end) == [b"MSH|a"]
    assert (framer.too_long or b"").startswith(b"bbb")
