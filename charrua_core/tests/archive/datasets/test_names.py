"""The folded forms of names and texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrua_core.archive.index.names import name_key, text_key


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Doe^Jane", "doe^jane"),
        ("DOE^JANE^^^ ", "doe^jane"),
        ("Pérez Núñez ^ José", "perez nunez^jose"),
        ("Doe  van  der^Jane", "doe van der^jane"),
        ("Straße^Jürgen", "strasse^jurgen"),
        ("İpek^Ayşe", "ipek^ayse"),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "yamada^tarou=山田^太郎=やまだ^たろう"),
        ("Yamada^Tarou==", "yamada^tarou"),
        ("=山田^太郎", "=山田^太郎"),
        ("ﾔﾏﾀﾞ^ﾀﾛｳ", "ヤマダ^タロウ"),
        ("김^희중", "김^희중"),
        ("", ""),
        ("^^", ""),
        ("Sm?th^J*", "sm?th^j*"),
        ("*", "*"),
    ],
)
def test_a_name_is_folded(name: str, key: str) -> None:
    assert name_key(name) == key


def test_a_voiced_kana_is_another_letter() -> None:
    assert name_key("たろう") != name_key("だろう")


@pytest.mark.parametrize(("text", "key"), [(" Tórax  PA ", "torax pa"), ("CT*", "ct*"), ("", "")])
def test_a_text_is_folded(text: str, key: str) -> None:
    assert text_key(text) == key


@given(st.text(max_size=40))
def test_folding_twice_is_folding_once(text: str) -> None:
    assert name_key(name_key(text)) == name_key(text)
    assert text_key(text_key(text)) == text_key(text)


@given(st.text(max_size=40))
def test_case_and_composition_make_no_difference(text: str) -> None:
    assert text_key(text.casefold()) == text_key(text)
