"""The folded forms in which names and texts are compared: without case, accents and padding.

What is stored and what a query asks for are folded by the same function; `*` and `?` come through as they are.
"""

from __future__ import annotations

import re
from functools import lru_cache
from unicodedata import combining, normalize

_SPACES = re.compile(r"\s+")


@lru_cache(maxsize=4096)
def name_key(person_name: str) -> str:
    """Give the form in which a person name is matched: `Pérez^José^^ =…` becomes `perez^jose=…`.

    Components keep their order and their delimiters `^` and `=`; spaces are collapsed, empty components at the end of a
    group and empty groups at the end of the name are dropped.
    """
    groups = [_group(group) for group in _folded(person_name).split("=")]
    return "=".join(groups).rstrip("=")


@lru_cache(maxsize=4096)
def text_key(text: str) -> str:
    """Give the form in which other text is matched without case: accents stripped, spaces collapsed."""
    return _SPACES.sub(" ", _folded(text)).strip()


def _group(text: str) -> str:
    if " " not in text and not text.endswith("^"):
        return text
    return "^".join([_SPACES.sub(" ", component).strip() for component in text.split("^")]).rstrip("^")


def _folded(text: str) -> str:
    if text.isascii():
        return text.lower()
    stripped = [character for character in normalize("NFKD", text.casefold()) if not _is_mark(character)]
    return normalize("NFC", "".join(stripped).casefold())


def _is_mark(character: str) -> bool:
    """Accents, but not the voicing marks of kana, which make another sound and another name."""
    return combining(character) != 0 and character not in "\u3099\u309a"
