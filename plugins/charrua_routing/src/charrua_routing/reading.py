"""Reading what people write: each field by name, typed, within limits; what is wrong is said with the field's place."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from charrua_routing.errors import RuleInvalid

MOST_VALUES = 200
LONGEST_TEXT = 1000


class Fields:
    """The fields of one table of a document; `end` refuses those that nobody has read."""

    def __init__(self, table: Any, place: str = "") -> None:
        if not isinstance(table, Mapping):
            raise RuleInvalid(f"{place or 'the rule'}: a table of fields is expected")
        self._table = table
        self.place = place
        self._place = f"{place}." if place else ""
        self._read: set[str] = set()

    def _take(self, name: str, default: Any) -> Any:
        self._read.add(name)
        value = self._table.get(name)
        return default if value is None else value

    def __contains__(self, name: str) -> bool:
        return self._table.get(name) is not None

    @property
    def names(self) -> list[str]:
        """The names of all fields, MOST_VALUES at most; RuleInvalid where there are more, or one is no text."""
        if len(self._table) > MOST_VALUES or not all(isinstance(name, str) for name in self._table):
            raise RuleInvalid(f"{self.place}: {MOST_VALUES} fields at most are expected")
        return list(self._table)

    def wrong(self, name: str, why: str) -> RuleInvalid:
        """Give the error that says what is wrong with a field."""
        return RuleInvalid(f"{self._place}{name}: {why}")

    def text(self, name: str, default: str = "", *, longest: int = LONGEST_TEXT) -> str:
        """Give a text without blanks around it."""
        return self._text(name, self._take(name, default), longest)

    def texts(self, name: str) -> tuple[str, ...]:
        """Give a list of texts that are not empty; one text stands for a list of one."""
        given = self._take(name, ())
        given = [given] if isinstance(given, str) else given
        if not isinstance(given, Sequence) or len(given) > MOST_VALUES:
            raise self.wrong(name, f"a text or a list of {MOST_VALUES} texts at most is expected")
        read = tuple(self._text(f"{name}[{number}]", one, LONGEST_TEXT) for number, one in enumerate(given))
        if not all(read):
            raise self.wrong(name, "an empty text matches nothing; leave it out")
        return read

    def _text(self, name: str, given: Any, longest: int) -> str:
        if not isinstance(given, str):
            raise self.wrong(name, "a text is expected")
        if len(given) > longest or not given.isprintable():
            raise self.wrong(name, f"a text of {longest} printable characters at most is expected")
        return given.strip()

    def one_of(self, name: str, choices: Collection[str], default: str) -> str:
        """Give one of some words."""
        given = self.text(name, default)
        if given not in choices:
            raise self.wrong(name, f"{given!r} is none of {', '.join(choices)}")
        return given

    def whole(self, name: str, default: int, least: int, most: int) -> int:
        """Give a whole number within bounds."""
        given = self._take(name, default)
        if isinstance(given, bool) or not isinstance(given, int) or not least <= given <= most:
            raise self.wrong(name, f"a whole number from {least} to {most} is expected")
        return given

    def truth(self, name: str, default: bool) -> bool:
        """Give true or false."""
        given = self._take(name, default)
        if not isinstance(given, bool):
            raise self.wrong(name, "true or false is expected")
        return given

    def table(self, name: str) -> Fields:
        """Give a table within this one, an empty one where it is not there."""
        return Fields(self._take(name, {}), f"{self._place}{name}")

    def tables(self, name: str) -> list[Fields]:
        """Give a list of tables."""
        given = self._take(name, ())
        if isinstance(given, str | Mapping) or not isinstance(given, Sequence) or len(given) > MOST_VALUES:
            raise self.wrong(name, f"a list of {MOST_VALUES} tables at most is expected")
        return [Fields(one, f"{self._place}{name}[{number}]") for number, one in enumerate(given)]

    def anything(self, name: str, default: Any = None) -> Any:
        """Give a field as it is."""
        return self._take(name, default)

    def end(self) -> None:
        """Refuse what was not read: a misspelt condition would match everything."""
        if strange := sorted(map(str, self._table.keys() - self._read)):
            raise RuleInvalid(f"{self._place}{strange[0][:80]}: there is no such field")
