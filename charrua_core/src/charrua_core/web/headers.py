"""The fields of a request: its headers, and the pairs of its query."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from urllib.parse import parse_qsl

from charrua_core.errors import QueryInvalid

MOST_PAIRS = 1000


class Headers:
    """Header fields by name, in small or capital letters; values are as received, decoded as Latin-1 (RFC 9110 5.5)."""

    def __init__(self, fields: Iterable[tuple[bytes, bytes]]) -> None:
        self._fields: dict[str, list[str]] = {}
        for name, value in fields:
            self._fields.setdefault(name.decode("latin_1").lower(), []).append(value.decode("latin_1"))

    def get(self, name: str, default: str = "") -> str:
        """Give the field; where it came more than once, its values joined by commas (RFC 9110 5.3)."""
        values = self._fields.get(name.lower())
        return ", ".join(values) if values else default

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._fields


class Query:
    """The name-value pairs of a URL's query, in their order; names are told apart by case."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._pairs = tuple(pairs)

    @classmethod
    def parsed(cls, text: bytes) -> Query:
        """Read `a=1&b=2`, percent-encoded UTF-8. QueryInvalid where it is none, has too many pairs, or a NUL."""
        try:
            pairs = parse_qsl(
                text.decode("ascii"),
                keep_blank_values=True,
                encoding="utf-8",
                errors="strict",
                max_num_fields=MOST_PAIRS,
            )
        except ValueError as error:
            raise QueryInvalid(f"the query of the URL cannot be read: {error}") from error
        if any("\0" in name or "\0" in value for name, value in pairs):
            # No text of DICOM has one (PS3.5 6.1.3), and PostgreSQL takes none.
            raise QueryInvalid("the query of the URL has a NUL in it")
        return cls(pairs)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._pairs)

    def __contains__(self, name: str) -> bool:
        return any(one == name for one, _ in self._pairs)

    def first(self, name: str, default: str = "") -> str:
        """Give the first value of this name."""
        return next((value for one, value in self._pairs if one == name), default)

    def all(self, name: str) -> list[str]:
        """Give all values of this name, in their order."""
        return [value for one, value in self._pairs if one == name]
