"""Reading the JSON of a request, field by field, within limits: what will not do is answered with 400, naming the field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from charrua_core.types import is_valid_uid
from charrua_core.web import HttpError, Request

MOST_BYTES = 1 << 20
MOST_VALUES = 1000
LONGEST_TEXT = 10_240


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

    def uid(self, name: str) -> str:
        """Give a UID, empty where it is not there."""
        given = self.text(name, 64)
        if given and not is_valid_uid(given):
            raise self.wrong(name, f"{given!r} is no UID")
        return given

    def texts(self, name: str, longest: int = 64) -> list[str]:
        """Give a list of texts that are not empty, each once."""
        given = self.anything(name)
        given = [] if given is None else given
        if not isinstance(given, list) or len(given) > MOST_VALUES:
            raise self.wrong(name, f"a list of {MOST_VALUES} texts at most is expected")
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

    def table(self, name: str) -> Fields:
        """Give an object within this one, an empty one where it is not there."""
        given = self.anything(name)
        return Fields({} if given is None else given, f"{self._place}{name}")

    def tables(self, name: str) -> list[Fields]:
        """Give a list of objects."""
        given = self.anything(name)
        given = [] if given is None else given
        if not isinstance(given, list) or len(given) > MOST_VALUES:
            raise self.wrong(name, f"a list of {MOST_VALUES} objects at most is expected")
        return [Fields(one, f"{self._place}{name}[{number}]") for number, one in enumerate(given)]

    def names(self) -> list[str]:
        """Give the names of all fields."""
        return [str(name) for name in self._given]

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
