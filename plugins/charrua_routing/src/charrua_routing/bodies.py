"""What HTTP requests of routing hold: JSON within limits, parameters, and how rules are answered."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from charrua_core.web import HttpError, Request, object_of
from charrua_routing.errors import RuleInvalid
from charrua_routing.reading import Fields
from charrua_routing.rules import Kept, Who

MOST_BYTES = 4 << 20


def who(request: Request) -> Who:
    """Give who asks."""
    return Who(request.identity, request.origin)


async def json_of(request: Request, what: str) -> Fields:
    """Read the body, a JSON object; HttpError 400 where it is none."""
    return Fields(await object_of(request, MOST_BYTES), what)


def number_of(request: Request, name: str) -> int:
    """Give a number of the path; HttpError 404 where it is none, as nothing has such a one."""
    given = request.parameters[name]
    if not given.isascii() or not given.isdigit() or len(given) > 18:
        raise HttpError(404, f"{name} {given[:80]!r} is no number that anything has here")
    return int(given)


def moment(fields: Fields, name: str, default: datetime | None = None) -> datetime:
    """Give a moment with its zone, as `2026-03-06T17:30:00Z`; raises RuleInvalid."""
    given = fields.text(name)
    if not given and default is not None:
        return default
    try:
        read = datetime.fromisoformat(given)
    except ValueError as error:
        raise fields.wrong(name, "a moment such as 2026-03-06T17:30:00Z is expected") from error
    if read.tzinfo is None:
        raise fields.wrong(name, "the moment has no zone: Z, or an offset such as -03:00")
    return read


def as_json(kept: Kept) -> dict[str, Any]:
    """Give a rule, or a version of one, as it is answered."""
    return {
        "number": kept.number,
        "version": kept.version,
        "changed_by": kept.changed_by,
        "changed_at": kept.changed_at.isoformat(),
        "removed": kept.removed,
        "rule": dict(kept.document),
    }


def version_in(fields: Fields) -> int:
    """Give the version that a change is meant for; raises RuleInvalid where none is named."""
    if "version" not in fields:
        raise RuleInvalid("version: the version that you looked at is missing")
    return fields.whole("version", 0, 1, 1 << 31)
