"""Pages in Spanish and Portuguese: every word that a page shows is translated, with the same values in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

ROOT = Path(__file__).parents[1]
PLUGINS = ("charrua_web", "charrua_routing", "charrua_hl7")
LANGUAGES = ("es", "pt")
METHODS = [
    ("**/src/**.py", "python"),
    ("**/templates/**.html", "jinja2"),
    ("**/frontend/src/**.ts", "javascript"),
    ("**/src/**/static/*.js", "javascript"),
]
OPTIONS = {"**/templates/**.html": {"trimmed": "true"}, "**/frontend/src/**.ts": {"parse_template_string": True}}
KEYWORDS = {
    "_": None, "N_": None, "gettext": None, "ngettext": (1, 2), "t": None, "Page": (5,), "Navigation": (2,), "StudyAction": (1,)
}  # fmt: skip
NOT_OURS = {"node_modules", "built", ".venv"}
VALUE = re.compile(r"%\((\w+)\)s|(?<![%{])\{(\w+)\}")
Message = str | tuple[str, ...]


@cache
def said(plugin: str) -> set[Message]:
    """What the pages of a plugin say, in English."""
    found = extract_from_dir(
        ROOT / "plugins" / plugin,
        METHODS,
        OPTIONS,
        KEYWORDS,
        directory_filter=lambda path: Path(path).name not in NOT_OURS,
    )
    return {message if isinstance(message, str) else tuple(message) for _, _, message, _, _ in found if message}


def translated(plugin: str, language: str) -> dict[Message, Message]:
    path = ROOT / "plugins" / plugin / "src" / plugin / "translations" / f"{language}.po"
    with path.open("rb") as file:
        return {one.id: one.string for one in read_po(file, locale=language) if one.id and not one.fuzzy}


def texts(message: Message) -> tuple[str, ...]:
    return (message,) if isinstance(message, str) else tuple(message)


def values(message: Message) -> set[str]:
    return {one or other for text in texts(message) for one, other in VALUE.findall(text)}


def faults(plugin: str, language: str) -> Iterator[str]:
    known = translated(plugin, language)
    for message in sorted(said(plugin), key=str):
        translation = known.get(message, "")
        if not translation or not all(texts(translation)):
            yield f"not translated: {message!r}"
        elif values(translation) != values(message):
            yield f"other values: {message!r}: {translation!r}"


@pytest.mark.parametrize("plugin", PLUGINS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_of_the_pages_is_translated(plugin: str, language: str) -> None:
    assert len(said(plugin)) > 50
    found = list(faults(plugin, language))
    assert not found, f"{len(found)} (`just words` writes new ones into the catalogues): " + "\n".join(found[:20])
