"""What is kept of an account beside its name and password, and within which bounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from charrua_core.accounts.roles import ROLES
from charrua_core.errors import EditInvalid
from charrua_core.types import is_valid_aet

VIEWING_SYNTAXES: Mapping[str, str] = {
    "": "as stored",
    "1.2.840.10008.1.2.1": "Explicit VR Little Endian",
    "1.2.840.10008.1.2": "Implicit VR Little Endian",
    "1.2.840.10008.1.2.4.70": "JPEG Lossless",
    "1.2.840.10008.1.2.4.50": "JPEG Lossy",
    "1.2.840.10008.1.2.4.90": "JPEG 2000 Lossless",
    "1.2.840.10008.1.2.4.91": "JPEG 2000 Lossy",
}
"""The transfer syntaxes that a person's viewing client may be given (manual 7.2), by UID."""

MOST_KEYWORDS, MOST_VALUES, LONGEST_VALUE = 20, 100, 64
"""Of a filter: attributes, values of each, characters of a value."""
_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class Account:
    """A person's account."""

    name: str
    role: str
    must_change_password: bool
    disabled: bool
    row_filter: Mapping[str, list[str]] | None
    created_at: datetime
    full_name: str = ""
    transfer_syntax: str = ""
    """Of their viewing client: one of VIEWING_SYNTAXES."""
    printer: str = ""
    """AE title of the printer that they print to."""
    logged_in_at: datetime | None = None
    """When they last logged in by name and password."""


def checked(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Give what an account is to be told, as it is kept; EditInvalid says what will not do."""
    if strange := sorted(columns.keys() - _CHECKS.keys()):
        raise EditInvalid(f"an account has no {', '.join(strange)[:80]}")
    return {name: _CHECKS[name](value) for name, value in columns.items()}


def check_name(name: str) -> str:
    """Give the name of an account; EditInvalid if it will not do."""
    if not name or len(name) > 64 or not name.isprintable() or name != name.strip():
        raise EditInvalid("a user's name has 1 to 64 printable characters, and no blanks around it")
    if "/" in name or set(name) == {"."}:  # it is a part of paths
        raise EditInvalid("a user's name has no slash in it, and does not consist of dots")
    return name


def line(text: Any, what: str, longest: int) -> str:
    """Give one line of text, without blanks around it; EditInvalid if it is none."""
    if not isinstance(text, str) or len(text) > longest or not text.isprintable():
        raise EditInvalid(f"{what} is a text of {longest} printable characters at most")
    return text.strip()


def _role(role: Any) -> str:
    if role not in ROLES:
        raise EditInvalid(f"there is no role {str(role)[:80]}; there are {', '.join(ROLES)}")
    return str(role)


def _flag(given: Any) -> bool:
    if not isinstance(given, bool):
        raise EditInvalid("disabled and must_change_password are true or false")
    return given


def _syntax(uid: Any) -> str:
    if uid not in VIEWING_SYNTAXES:
        names = ", ".join(one for one in VIEWING_SYNTAXES if one)
        raise EditInvalid(f"a viewing client gets images as stored (an empty text) or in one of {names}")
    return str(uid)


def _printer(aet: Any) -> str:
    title = line(aet, "a printer", 64)
    if title and not is_valid_aet(title):
        raise EditInvalid(f"{title!r} is no AE title: 1 to 16 ASCII characters without backslash")
    return title


def check_row_filter(given: Any) -> dict[str, list[str]] | None:
    """Give a filter as it is kept, None for one that admits all; EditInvalid where it has another shape or no bounds."""
    if given is None:
        return None
    if not isinstance(given, Mapping) or len(given) > MOST_KEYWORDS:
        raise EditInvalid(f"a filter is an object of {MOST_KEYWORDS} attributes at most, each with a list of values")
    return {_keyword(keyword): _values(keyword, values) for keyword, values in given.items()} or None


def _keyword(keyword: Any) -> str:
    if not isinstance(keyword, str) or len(keyword) > 64 or not keyword.isidentifier():
        raise EditInvalid(f"{str(keyword)[:80]!r} is no keyword of an attribute")
    return keyword


def _values(keyword: str, values: Any) -> list[str]:
    if not isinstance(values, list | tuple) or not 0 < len(values) <= MOST_VALUES:
        raise EditInvalid(f"the filter of {keyword} has 1 to {MOST_VALUES} values")
    read = [line(value, f"a value of {keyword}", LONGEST_VALUE) for value in values]
    if not all(read):
        raise EditInvalid(f"the filter of {keyword} has an empty value: leave it out, or write * for any")
    return list(dict.fromkeys(read))


_CHECKS: Mapping[str, Callable[[Any], Any]] = {
    "role": _role,
    "disabled": _flag,
    "must_change_password": _flag,
    "row_filter": check_row_filter,
    "full_name": lambda name: line(name, "a person's name", _LONGEST_NAME),
    "transfer_syntax": _syntax,
    "printer": _printer,
}
