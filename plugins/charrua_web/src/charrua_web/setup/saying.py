"""Sentences that are put into the reader's language only when they are shown: a page or an answer knows which that is."""

from __future__ import annotations

from typing import Any

from charrua_core.web import Request
from charrua_web.rendering import words


class Said:
    """A sentence with values in it; `str()` gives it in the language of the page that is being made."""

    def __init__(self, english: str, **values: Any) -> None:
        self.english = english
        self.values = values

    def __str__(self) -> str:
        return words.gettext(self.english) % self.values

    def __bool__(self) -> bool:
        return bool(self.english)

    def for_reader(self, request: Request) -> str:
        """Give it in the language of who asks."""
        known = words.words_of(words.language_of(request.headers), ("charrua_web",))
        return known.gettext(self.english) % self.values


def N_(english: str, **values: Any) -> Said:  # noqa: N802 -- the mark by which Babel finds what is to be translated
    """Give a sentence; its `%(name)s` are the values."""
    return Said(english, **values)
