"""What a setting is, and how its value is read from text, TOML or JSON."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from charrua_core.errors import SettingInvalid

SettingType = type[bool] | type[int] | type[float] | type[str] | type[Path] | type[timedelta] | type[tuple[str, ...]]

_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
_TRUTH = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
_SECONDS = {"": 1.0, "ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min|h|d|)")
MASK = "••••••"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Details:
    """What a setting may say beside its name, type and default."""

    help: str
    since: str
    unit: str = ""
    effect: Literal["now", "restart"] = "restart"
    choices: tuple[str, ...] | None = None
    minimum: float | None = None
    maximum: float | None = None
    pattern: str = ""
    """A regular expression that the whole text must match; `unit` says in words what that is."""
    secret: bool = False
    local: bool = False
    """Needed before the database can be read, or different from machine to machine: not kept in the database."""


@dataclass(frozen=True, slots=True)
class Setting(_Details):
    """One setting of core or of a plugin; its name is unique over all of them, its variable `CHARRUA_<NAME>`.

    `type` is bool, int, float, str, Path, timedelta ("30 s", "5 min"; a bare number is seconds) or tuple (words with
    blanks between them). `minimum` and `maximum` are inclusive, of a timedelta in seconds. `choices` limits a str, or each
    word of a tuple. `help` is what the administrator reads.
    """

    name: str
    type: SettingType
    default: Any

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise SettingInvalid(f"a setting cannot be named {self.name!r}: use small letters, digits and single _")
        if self.type not in _READERS:
            raise SettingInvalid(f"{self.name}: settings cannot be of type {self.type!r}")
        if self.default is not None:
            self.parse(self.default, "its declaration")

    @property
    def variable(self) -> str:
        """The environment variable of this setting."""
        return f"CHARRUA_{self.name.upper()}"

    def parse(self, given: Any, source: str) -> Any:
        """Give the value that text, TOML or JSON stands for.

        Raises SettingInvalid, which names the setting and the source, and never shows a secret.
        """
        try:
            value = _READERS[self.type](given)
            self._check(value)
        except (ValueError, TypeError) as error:
            shown = "the value given" if self.secret else repr(given)
            raise SettingInvalid(f"{self.name} from {source}: {shown} does not do: {error}") from error
        return value

    def _check(self, value: Any) -> None:
        if self.pattern and not re.fullmatch(self.pattern, str(value)):
            raise ValueError(f"it is {self.unit}")
        for word in value if isinstance(value, tuple) else (value,):
            if self.choices is not None and word not in self.choices:
                raise ValueError(f"it is one of {', '.join(self.choices)}")
        number = value.total_seconds() if isinstance(value, timedelta) else value
        unit = "s" if isinstance(value, timedelta) else self.unit
        if self.minimum is not None and number < self.minimum:
            raise ValueError(f"it is at least {self.minimum:g} {unit}".rstrip())
        if self.maximum is not None and number > self.maximum:
            raise ValueError(f"it is at most {self.maximum:g} {unit}".rstrip())

    def plain(self, value: Any) -> str | int | float | bool | None:
        """Give the value as JSON, TOML and `parse` know it."""
        if isinstance(value, timedelta):
            return show_duration(value)
        if isinstance(value, tuple):
            return " ".join(value)
        if isinstance(value, Path):
            return str(value)
        return value  # type: ignore[no-any-return]

    def show(self, value: Any) -> str:
        """Give the value for a person to read; a secret stays hidden."""
        if value is None:
            return ""
        if self.secret:
            return MASK if value else ""
        if isinstance(value, bool):
            return "on" if value else "off"
        return str(self.plain(value))


def show_duration(value: timedelta) -> str:
    """Give a duration in the largest unit in which it is whole: `90 s`, `2 d`."""
    seconds = value.total_seconds()
    for unit in ("d", "h", "min", "s"):
        if seconds and seconds % _SECONDS[unit] == 0:
            return f"{seconds / _SECONDS[unit]:.0f} {unit}"
    return f"{seconds:g} s"


def _read_bool(given: Any) -> bool:
    if isinstance(given, bool):
        return given
    try:
        return _TRUTH[str(given).strip().lower()]
    except KeyError:
        raise ValueError("it is on or off") from None


def _read_int(given: Any) -> int:
    if isinstance(given, bool | float):
        raise TypeError("it is a whole number")
    try:
        return int(given)
    except ValueError:
        raise ValueError("it is a whole number") from None


def _read_float(given: Any) -> float:
    try:
        value = float(given)
    except ValueError:
        raise ValueError("it is a number") from None
    if value != value or value in (float("inf"), float("-inf")):
        raise ValueError("it is a number")
    return value


def _read_str(given: Any) -> str:
    if not isinstance(given, str):
        raise TypeError("it is text")
    if "\0" in given:
        raise ValueError("it holds a null character")
    return given.strip()


def _read_path(given: Any) -> Path:
    text = _read_str(str(given))
    if not text:
        raise ValueError("it is a path")
    return Path(text).expanduser()


def _read_duration(given: Any) -> timedelta:
    if isinstance(given, timedelta):
        return given
    match = _DURATION.fullmatch(str(given).strip())
    if not match:
        raise ValueError('it is a duration such as "30 s", "5 min", "1 h" or "2 d"')
    return timedelta(seconds=float(match[1]) * _SECONDS[match[2]])


def _read_words(given: Any) -> tuple[str, ...]:
    words = given.replace(",", " ").split() if isinstance(given, str) else given
    return tuple(_read_str(word) for word in words)


_READERS: Mapping[SettingType, Callable[[Any], Any]] = {
    bool: _read_bool,
    int: _read_int,
    float: _read_float,
    str: _read_str,
    Path: _read_path,
    timedelta: _read_duration,
    tuple: _read_words,
}
