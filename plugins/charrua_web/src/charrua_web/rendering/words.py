"""The languages of the pages: catalogues of all plugins, and which one a request is answered in."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib.resources import files

from babel import Locale, negotiate_locale
from babel.messages.pofile import read_po

from charrua_core.web import Headers
from charrua_web.rendering.cookies import cookie

LANGUAGES: Mapping[str, str] = {"en": "English", "es": "Español", "pt": "Português"}
"""What the pages are written in, each by its own name."""
COOKIE = "charrua-language"

current: ContextVar[Words] = ContextVar("words")
"""The words of the page that is being made."""


class Words:
    """Translations from English into one language."""

    def __init__(self, language: str, packages: Iterable[str] = ()) -> None:
        self.language = language
        self.locale = Locale.parse(language)
        self._one: dict[str, str] = {}
        self._many: dict[str, tuple[str, ...]] = {}
        self._scripted: dict[str, str] = {}
        for package in packages:
            self._read(package)

    def gettext(self, english: str) -> str:
        """Give the text in this language, the English one where nobody has translated it."""
        return self._one.get(english, english)

    def ngettext(self, one: str, many: str, number: int) -> str:
        """Give the form of the text that the number takes."""
        if one in self._many:
            return self._many[one][0 if self._is_one(number) else 1]
        return one if number == 1 else many

    @property
    def scripted(self) -> str:
        """What scripts of pages show, as JSON."""
        # `</` would end the element that it stands in.
        return json.dumps(self._scripted, ensure_ascii=False).replace("<", "\\u003c")

    def _is_one(self, number: int) -> bool:
        return bool(self.locale.plural_form(number) == "one")

    def _read(self, package: str) -> None:
        path = files(package) / "translations" / f"{self.language}.po"
        if not path.is_file():
            return
        with path.open("rb") as file:
            catalogue = read_po(file, locale=self.language)
        for message in catalogue:
            if not message.id or message.fuzzy:
                continue
            forms = message.string if isinstance(message.string, tuple | list) else (message.string or "",)
            if not all(forms):
                continue
            if isinstance(message.id, tuple | list):
                self._many[message.id[0]] = tuple(forms)
                continue
            self._one[message.id] = forms[0]
            if any(name.endswith((".ts", ".js")) for name, _ in message.locations):
                self._scripted[message.id] = forms[0]


@cache
def words_of(language: str, packages: tuple[str, ...]) -> Words:
    """Give the words of these packages, read once."""
    return Words(language, packages)


def language_of(headers: Headers) -> str:
    """Give the language that a browser asks for: by its cookie, else by Accept-Language, else English."""
    chosen = cookie(headers, COOKIE)
    if chosen in LANGUAGES:
        return chosen
    wanted = [one.partition(";")[0].strip() for one in headers.get("accept-language").split(",")]
    known = [one.replace("-", "_") for one in wanted if one and one != "*"]
    found = negotiate_locale(known, list(LANGUAGES)) or next(
        (one[:2].lower() for one in known if one[:2].lower() in LANGUAGES), "en"
    )
    return str(found)


@contextmanager
def spoken(words: Words) -> Iterator[None]:
    """Let what is made within be in the language of these words."""
    token = current.set(words)
    try:
        yield
    finally:
        current.reset(token)


def N_(english: str) -> str:  # noqa: N802 -- the mark by which Babel finds what is to be translated
    """Give the text as it is: it is translated where it is shown, by `_(…)` of a template or `gettext` here."""
    return english


def gettext(english: str) -> str:
    """Give a text in the language of the page that is being made."""
    words = current.get(None)
    return words.gettext(english) if words else english


def ngettext(one: str, many: str, number: int) -> str:
    """Give a text that depends on a number, in the language of the page that is being made."""
    words = current.get(None)
    return words.ngettext(one, many, number) if words else one if number == 1 else many
