"""Character sets: decoding never fails, encoding says when it cannot."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.charset import convert_encodings, decode_bytes

from charrua_core.archive.datasets.charsets import DEFAULT, LATIN_1, UTF_8, character_set, choose, encode_text

TERMS = [
    "", "ISO_IR 6", "ISO_IR 13", "ISO_IR 100", "ISO_IR 101", "ISO_IR 109", "ISO_IR 110", "ISO_IR 126", "ISO_IR 127",
    "ISO_IR 138", "ISO_IR 144", "ISO_IR 148", "ISO_IR 166", "ISO_IR 192", "GB18030", "GBK", "\\ISO 2022 IR 87",
    "ISO 2022 IR 13\\ISO 2022 IR 87", "ISO 2022 IR 6\\ISO 2022 IR 159", "\\ISO 2022 IR 149", "\\ISO 2022 IR 58",
    "ISO 2022 IR 6\\ISO 2022 IR 100\\ISO 2022 IR 126", "no such term", "ISO-IR 100", "ISO 2022-IR 87",
]  # fmt: skip


@pytest.mark.parametrize(
    ("term", "raw", "text"),
    [
        ("ISO_IR 100", b"Buc^J\xe9r\xf4me", "Buc^Jérôme"),
        ("ISO_IR 144", b"\xbb\xee\xda", "Люк"),
        ("ISO_IR 192", "山田^太郎".encode(), "山田^太郎"),
        ("GB18030", "王^小东".encode("gb18030"), "王^小东"),
        ("\\ISO 2022 IR 87", b"Yamada=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B", "Yamada=山田^太郎"),
        ("ISO 2022 IR 13\\ISO 2022 IR 87", b"\xd4\xcf\xc0\xde=\x1b$B;3ED\x1b(J", "ﾔﾏﾀﾞ=山田"),
        ("\\ISO 2022 IR 149", b"Hong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7", "Hong=洪^吉洞"),
        ("\\ISO 2022 IR 58", b"Zhang=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab", "Zhang=张^小东"),
        ("\\ISO 2022 IR 126\\ISO 2022 IR 144", b"\x1b-F\xc4\xe9^\x1b-L\xbb\xee", "Δι^Лю"),
        ("no such term", b"J\xe9", "Jé"),
        ("ISO-IR 100", b"J\xe9", "Jé"),
        ("ISO_IR 192", b"a\xffb\0c", "a\ufffdb\ufffdc"),
        ("", b"\x1b(Zunknown", "(Zunknown"),
    ],
)
def test_texts_are_decoded(term: str, raw: bytes, text: str) -> None:
    assert character_set(term).decode(raw) == text


@given(st.sampled_from(TERMS), st.binary(max_size=60))
def test_decoding_never_fails(term: str, raw: bytes) -> None:
    assert "\0" not in character_set(term).decode(raw)


@given(st.sampled_from(TERMS), st.text(max_size=30))
def test_what_can_be_encoded_comes_back(term: str, text: str) -> None:
    charset = character_set(term)
    encoded = charset.encode(text)
    if encoded is not None and "\0" not in text and "\x1b" not in text:
        assert charset.decode(encoded) == text


@pytest.mark.parametrize(
    ("term", "text"),
    [
        ("\\ISO 2022 IR 87", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("ISO 2022 IR 13\\ISO 2022 IR 87", "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"),
        ("\\ISO 2022 IR 149", "Hong^Gildong=洪^吉洞=홍^길동"),
        ("ISO 2022 IR 6\\ISO 2022 IR 100\\ISO 2022 IR 126", "Müller^Διονυσιος"),
    ],
)
def test_pydicom_reads_what_is_encoded_with_code_extensions(term: str, text: str) -> None:
    encoded = character_set(term).encode(text)
    assert encoded is not None
    assert decode_bytes(encoded, convert_encodings(term.split("\\")), {0x5E, 0x3D, 0x5C}) == text


@pytest.mark.parametrize(
    ("term", "text"),
    [("", "é"), ("ISO_IR 6", "é"), ("ISO_IR 100", "山"), ("ISO_IR 144", "é"), ("\\ISO 2022 IR 87", "홍")],
)
def test_what_a_character_set_lacks_it_does_not_encode(term: str, text: str) -> None:
    assert character_set(term).encode(text) is None
    assert encode_text(["a", text], character_set(term)) is None


def test_japanese_begins_and_ends_with_its_own_escape_sequences() -> None:
    assert character_set("\\ISO 2022 IR 87").encode("山田") == b"\x1b$B;3ED\x1b(B"
    assert character_set("ISO 2022 IR 13\\ISO 2022 IR 87").encode("山田") == b"\x1b$B;3ED\x1b(J"


def test_several_values_are_joined() -> None:
    assert encode_text(["é", "b"], LATIN_1) == b"\xe9\\b"


@pytest.mark.parametrize(
    ("requested", "texts", "chosen"),
    [
        ("", ["plain"], DEFAULT),
        ("", ["é"], LATIN_1),
        ("", ["山"], UTF_8),
        ("ISO_IR 100", ["plain", "é"], LATIN_1),
        ("ISO_IR 144", ["é"], UTF_8),
        ("\\ISO 2022 IR 87", ["山"], character_set("\\ISO 2022 IR 87")),
    ],
)
def test_an_answer_is_in_what_its_peer_asked_in_if_that_suffices(
    requested: str, texts: list[str], chosen: object
) -> None:
    assert choose(texts, character_set(requested)) is chosen
