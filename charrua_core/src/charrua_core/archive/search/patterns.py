"""Wildcards: `*` is any text, also none, `?` one character (PS3.4 C.2.2.2.4).

A pattern is matched run by run from left to right, so that no pattern, however many stars it has, takes longer than the
text times the pattern.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

GRAM = 3
"""Length of the pieces by which `core.grams` indexes a text."""
_OWN_WORD = "\u2e80"
"""From here on a character is a word (ideographs, kana, hangul): `core.grams` indexes it alone."""

_STARS = re.compile(r"\*+")
_LIKE_SPECIALS = str.maketrans({"\\": r"\\", "%": r"\%", "_": r"\_", "*": "%", "?": "_"})


def has_wildcard(text: str) -> bool:
    """Whether the text holds `*` or `?`."""
    return "*" in text or "?" in text


def like(pattern: str) -> str:
    r"""Give the pattern as SQL's LIKE … ESCAPE '\' reads it."""
    return _STARS.sub("*", pattern).translate(_LIKE_SPECIALS)


def matcher(pattern: str) -> Callable[[str], bool]:
    """Give a function that says whether a text matches the whole pattern."""
    if not has_wildcard(pattern):
        return pattern.__eq__
    first, *others = (_Run.of(run) for run in _STARS.split(pattern))
    if not others:
        return lambda text: first.regex.fullmatch(text) is not None
    return lambda text: _matches(text, first, others[:-1], others[-1])


class _Run(NamedTuple):
    """What stands between two stars: text of a fixed length."""

    regex: re.Pattern[str]
    length: int

    @classmethod
    def of(cls, run: str) -> _Run:
        expression = "".join("." if character == "?" else re.escape(character) for character in run)
        return cls(re.compile(expression, re.DOTALL), len(run))


def _matches(text: str, first: _Run, middle: list[_Run], last: _Run) -> bool:
    found = first.regex.match(text)
    for run in middle:
        if found is None:
            return False
        found = run.regex.search(text, found.end())
    if found is None:
        return False
    rest = len(text) - last.length
    return rest >= found.end() and last.regex.fullmatch(text, rest) is not None


def prefix(pattern: str) -> str:
    """Give the text before the first wildcard."""
    return re.split(r"[*?]", pattern, maxsplit=1)[0]


def grams(pattern: str) -> list[str]:
    """Give the pieces that every text has that matches the pattern, as `core.grams` makes them; none: no index helps."""
    pieces: set[str] = set()
    for run in re.split(r"[*?]+", pattern):
        pieces.update(run[start : start + GRAM] for start in range(len(run) - GRAM + 1))
        pieces.update(character for character in run if character >= _OWN_WORD)
    return sorted(pieces)
