"""Reading what a request says, within limits: the JSON of its body, and the numbers of its path and query.

What will not do is answered with 400, naming the field.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import orjson

from charrua_core.types import is_valid_uid
from charrua_core.web.errors import HttpError
from charrua_core.web.headers import Query
from charrua_core.web.request import WHOLE_BODY, Request

SMALL_BODY = 1 << 16
"""Bytes of a body that has a few fields."""
MOST_VALUES = 1000
LONGEST_TEXT = 10_240
_MOST_DIGITS = 18
_LONGEST_NAME = 80
"""Characters of a name that is not known, in the sentence that says so."""


def json_object(body: bytes) -> dict[str, Any]:
    """Give a body that is a JSON object. HttpError 400 where it is none."""
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise HttpError(400, f"the body is no JSON: {error}") from None
    if not isinstance(given, dict):
        raise HttpError(400, "the body is a JSON object")
    return given


async def object_of(request: Request, at_most: int = WHOLE_BODY) -> dict[str, Any]:
    """Give the JSON object in the body. HttpError 400 where it is none, 413 past so many bytes."""
    return json_object(await request.body(at_most))


async def typed_object_of(
    request: Request, kinds: Mapping[str, Any], needed: Collection[str] = (), at_most: int = SMALL_BODY
) -> dict[str, Any]:
    """Give the JSON object in the body, whose fields are of these types; what is `needed` is there.

    `kinds` is a field's name → type, or types; `object` is anything. HttpError 400 names the field that will not do.
    """
    given = await object_of(request, at_most)
    for name, value in given.items():
        if name not in kinds:
            raise HttpError(400, f"{name[:_LONGEST_NAME]}: there is no such field")
        if not _is_of(value, kinds[name]):
            raise HttpError(400, f"{name}: its value is of another type")
        if isinstance(value, str) and "\0" in value:
            raise HttpError(400, f"{name}: it has a NUL in it")
    if missing := sorted(set(needed) - given.keys()):
        raise HttpError(400, f"{missing[0]}: it is missing")
    return given


def _is_of(value: Any, kind: Any) -> bool:
    """As isinstance, but true and false are no numbers."""
    if isinstance(value, bool):
        return kind in (bool, object) or (isinstance(kind, tuple) and bool in kind)
    return isinstance(value, kind)


class Fields:
    """The fields of one JSON object, read one by one; `end` refuses those that nobody has read: they may be misspelt."""

    def __init__(self, given: Any, place: str = "") -> None:
        if not isinstance(given, Mapping):
            raise HttpError(400, f"{place or 'the body'}: a JSON object is expected")
        self._given = given
        self._place = f"{place}." if place else ""
        self._read: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return self._given.get(name) is not None

    def wrong(self, name: str, why: str) -> HttpError:
        """Give the error that says what is wrong with a field."""
        return HttpError(400, f"{self._place}{name}: {why}")

    def anything(self, name: str) -> Any:
        """Give a field as it is, None where it is not there."""
        self._read.add(name)
        return self._given.get(name)

    def text(self, name: str, longest: int = LONGEST_TEXT) -> str:
        """Give a text without blanks around it, empty where it is not there."""
        given = self.anything(name)
        given = "" if given is None else given
        if not isinstance(given, str) or len(given) > longest or "\0" in given:
            raise self.wrong(name, f"a text of {longest} characters at most is expected")
        return given.strip()

    def uid(self, name: str, *, needed: bool = False) -> str:
        """Give a UID, empty where it is not there and not `needed`."""
        given = self.text(name, 64)
        if needed and not given:
            raise self.wrong(name, "it is missing")
        if given and not is_valid_uid(given):
            raise self.wrong(name, f"{given!r} is no UID")
        return given

    def texts(self, name: str, longest: int = 64) -> list[str]:
        """Give a list of texts that are not empty, each once."""
        given = self._list(name, "texts")
        if not all(isinstance(one, str) and 0 < len(one) <= longest and "\0" not in one for one in given):
            raise self.wrong(name, f"each is a text of 1 to {longest} characters")
        return list(dict.fromkeys(given))

    def uids(self, name: str) -> list[str]:
        """Give a list of UIDs, each once."""
        given = self.texts(name)
        for one in given:
            if not is_valid_uid(one):
                raise self.wrong(name, f"{one!r} is no UID")
        return given

    def truth(self, name: str) -> bool:
        """Give true or false, false where it is not there."""
        given = self.anything(name)
        if given is not None and not isinstance(given, bool):
            raise self.wrong(name, "true or false is expected")
        return bool(given)

    def version(self) -> int:
        """Give the version of the thing that a change is meant for; 0 where none is named."""
        given = self.anything("version") or 0
        if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given < 1 << 31:
            raise self.wrong("version", "the number of the version that you looked at is expected")
        return given

    def table(self, name: str) -> Fields:
        """Give an object within this one, an empty one where it is not there."""
        given = self.anything(name)
        return Fields({} if given is None else given, f"{self._place}{name}")

    def tables(self, name: str) -> list[Fields]:
        """Give a list of objects."""
        given = self._list(name, "objects")
        return [Fields(one, f"{self._place}{name}[{number}]") for number, one in enumerate(given)]

    def names(self) -> list[str]:
        """Give the names of all fields."""
        return [str(name) for name in self._given]

    def end(self) -> None:
        """Refuse what was not read."""
        if strange := sorted(str(name) for name in self._given if name not in self._read):
            raise self.wrong(strange[0][:_LONGEST_NAME], "there is no such field")

    def _list(self, name: str, of: str) -> list[Any]:
        given = self.anything(name)
        given = [] if given is None else given
        if not isinstance(given, list) or len(given) > MOST_VALUES:
            raise self.wrong(name, f"a list of {MOST_VALUES} {of} at most is expected")
        return given


async def fields_of(request: Request, at_most: int = WHOLE_BODY) -> Fields:
    """Give the fields of the JSON object in the body, to be read one by one. HttpError 400 where it is none."""
    return Fields(await object_of(request, at_most))


def number_in_path(request: Request, name: str) -> int:
    """Give the number that the path names; HttpError 404 where it is none, as nothing has such a one."""
    given = request.parameters[name]
    if not _is_number(given):
        raise HttpError(404, f"there is no such {name}")
    return int(given)


def number_in_query(query: Query, name: str, default: int, least: int, most: int) -> int:
    """Give a number of the query; HttpError 400 where it is none within bounds."""
    given = query.first(name) or str(default)
    if not _is_number(given) or not least <= int(given) <= most:
        raise HttpError(400, f"{name}: a whole number from {least} to {most} is expected")
    return int(given)


def _is_number(given: str) -> bool:
    return given.isascii() and given.isdigit() and len(given) <= _MOST_DIGITS
