"""The JSON of a call on the worklist, field by field: what will not do is answered with 400, naming the field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from charrua_core.types import is_valid_uid
from charrua_core.web import HttpError, Request

MOST_BYTES = 1 << 18
MOST_VALUES = 200
LONGEST_TEXT = 10_240
_MOST_DIGITS = 18


class Fields:
    """The fields of one JSON object; `end` refuses those that nobody has read: they may be misspelt."""

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

    def text(self, name: str, longest: int = LONGEST_TEXT) -> str:
        """Give a text without blanks around it, empty where it is not there."""
        self._read.add(name)
        given = self._given.get(name)
        given = "" if given is None else given
        if not isinstance(given, str) or len(given) > longest or "\0" in given:
            raise self.wrong(name, f"a text of {longest} characters at most is expected")
        return given.strip()

    def uid(self, name: str) -> str:
        """Give a UID. HttpError 400 where it is none, or not there."""
        given = self.text(name, 64)
        if not is_valid_uid(given):
            raise self.wrong(name, f"{given!r} is no UID" if given else "it is missing")
        return given

    def uids(self, name: str) -> list[str]:
        """Give a list of UIDs, each once; none where it is not there."""
        self._read.add(name)
        given = self._given.get(name) or []
        if not isinstance(given, list) or len(given) > MOST_VALUES:
            raise self.wrong(name, f"a list of {MOST_VALUES} UIDs at most is expected")
        if wrong := [one for one in given if not isinstance(one, str) or not is_valid_uid(one)]:
            raise self.wrong(name, f"{str(wrong[0])[:80]!r} is no UID")
        return list(dict.fromkeys(given))

    def version(self) -> int:
        """Give the version of the entry that a change is meant for; 0 where none is named."""
        self._read.add("version")
        given = self._given.get("version") or 0
        if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given < 1 << 31:
            raise self.wrong("version", "the number of the version that you looked at is expected")
        return given

    def table(self, name: str) -> Fields:
        """Give an object within this one, an empty one where it is not there."""
        self._read.add(name)
        given = self._given.get(name)
        return Fields({} if given is None else given, f"{self._place}{name}")

    def end(self) -> None:
        """Refuse what was not read."""
        if strange := sorted(str(name) for name in self._given if name not in self._read):
            raise HttpError(400, f"{self._place}{strange[0][:80]}: there is no such field")


async def fields_of(request: Request) -> Fields:
    """Give the fields of the body, a JSON object. HttpError 400 where it is none."""
    try:
        return Fields(orjson.loads(await request.body(MOST_BYTES)))
    except orjson.JSONDecodeError as error:
        raise HttpError(400, f"the body is no JSON: {error}") from None


def number_of(request: Request, name: str = "entry") -> int:
    """Give a number of the path; HttpError 404 where it is none, as nothing has such a one."""
    given = request.parameters[name]
    if not given.isascii() or not given.isdigit() or len(given) > _MOST_DIGITS:
        raise HttpError(404, "there is no such entry")
    return int(given)
