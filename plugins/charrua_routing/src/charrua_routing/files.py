"""Rules as files: TOML or JSON, one rule or a list of them; and a condition as it is typed on the command line."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import orjson

from charrua_routing.errors import RuleInvalid

MOST_BYTES = 4 << 20

_CONDITION = re.compile(r"\s*(\w+)\s*(!=|<=|>=|=|<|>)(.*)")


def documents(path: Path) -> list[Any]:
    """Give the rules of a file, each as it is written; raises RuleInvalid."""
    read = _read(path)
    if isinstance(read, dict) and "rule" in read:
        read = read["rule"]
    return read if isinstance(read, list) else [read]


def one_document(path: Path) -> Any:
    """Give the one rule of a file; raises RuleInvalid."""
    found = documents(path)
    if len(found) != 1:
        raise RuleInvalid(f"{path.name} has {len(found)} rules, and one is expected")
    return found[0]


def _read(path: Path) -> Any:
    if path.stat().st_size > MOST_BYTES:
        raise RuleInvalid(f"{path.name} is larger than {MOST_BYTES} bytes")
    content = path.read_bytes()
    try:
        return orjson.loads(content) if path.suffix == ".json" else tomllib.loads(content.decode())
    except (ValueError, UnicodeDecodeError) as error:  # both libraries' errors are ValueErrors
        raise RuleInvalid(f"{path.name} cannot be read: {error}") from error


def condition_of(text: str) -> dict[str, Any]:
    """Read `BodyPartExamined=HEAD*` or `Rows>=512`; raises RuleInvalid."""
    found = _CONDITION.fullmatch(text)
    if found is None:
        raise RuleInvalid(f"{text[:80]!r} is no condition such as BodyPartExamined=HEAD* or Rows>=512")
    return {"attribute": found[1], "is": found[2], "value": found[3].strip()}
