"""Media types: what a request accepts, and which of the forms that can be given it gets (PS3.18 8.7)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from charrua_core.web.errors import HttpError

if TYPE_CHECKING:
    from charrua_core.web.request import Request

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # noqa: S105 -- RFC 9110 5.6.2
_TYPE = re.compile(rf"\s*({_TOKEN}/{_TOKEN})\s*")
_PARAMETER = re.compile(rf"\s*;\s*(?:({_TOKEN})\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s;,\"]+)))?\s*")
_MOST_CHARACTERS = 4000


@dataclass(frozen=True, slots=True)
class MediaType:
    """A media type or range, in small letters, with its parameters; `q` is how much it is wanted, 0 to 1."""

    type: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    q: float = 1.0

    @property
    def part(self) -> str:
        """The type of the parts of a multipart type, "" where none is said."""
        return self.parameters.get("type", "").lower()

    def admits(self, offer: MediaType) -> bool:
        """Whether what is offered is within this range: `*/*`, `image/*`, and of a multipart the type of its parts."""
        return _fits(self.type, offer.type) and (not self.part or _fits(self.part, offer.part))

    @property
    def _specific(self) -> tuple[int, int]:
        return (3 - self.type.count("*"), 3 - self.part.count("*") if self.part else 0)


def _fits(wanted: str, offered: str) -> bool:
    return wanted in ("*/*", "*", offered) or (wanted.endswith("/*") and offered.startswith(wanted[:-1]))


def media_type(text: str) -> MediaType:
    """Read one media type, as of Content-Type. HttpError 400 where it is none."""
    found = list(media_types(text))
    if len(found) != 1:
        raise HttpError(400, f"{text[:200]!r} is no media type")
    return found[0]


def media_types(text: str) -> Iterator[MediaType]:
    """Read the media ranges of an Accept header (RFC 9110 12.5.1). HttpError 400 where it is none."""
    text = text[:_MOST_CHARACTERS]
    at = 0
    while at < len(text):
        found = _TYPE.match(text, at)
        if not found:
            raise HttpError(400, f"{text[:200]!r} names no media types")
        at, parameters = found.end(), {}
        while parameter := _PARAMETER.match(text, at):
            at = parameter.end()
            if parameter[1]:
                quoted = parameter[2]
                value = parameter[3] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
                parameters[parameter[1].lower()] = value
        yield MediaType(found[1].lower(), parameters, _quality(parameters.pop("q", "1")))
        if at < len(text) and text[at] != ",":
            raise HttpError(400, f"{text[:200]!r} names no media types")
        at += 1


def _quality(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 0.0


def accepted(request: Request) -> Sequence[MediaType]:
    """Give what the request accepts, the most wanted first; the query parameter `accept` counts before the header.

    Everything, where nothing is said (PS3.18 8.7.5).
    """
    return ranges_of(said_of(request))


def said_of(request: Request) -> str:
    """Give the text of the request that names the media types it accepts."""
    return ",".join(request.query.all("accept")) or request.headers.get("accept")


@lru_cache(maxsize=256)
def ranges_of(said: str) -> tuple[MediaType, ...]:
    """Give the media ranges of a text, the most wanted first: everything, where it is empty."""
    if not said.strip():
        return (MediaType("*/*"),)
    return tuple(sorted(media_types(said), key=lambda one: (-one.q, tuple(-n for n in one._specific))))


def choose(request: Request, offers: Sequence[str]) -> tuple[MediaType, MediaType]:
    """Give the offer that is wanted most, and the range that admits it; the first offers count more where all is alike.

    HttpError 406 names the offers where none is wanted.
    """
    return chosen_of(said_of(request), offers)


def chosen_of(said: str, offers: Sequence[str]) -> tuple[MediaType, MediaType]:
    """As `choose`, of a text that names media types."""
    ranges = ranges_of(said)
    read = [media_type(offer) for offer in offers]
    refused = [one for one in ranges if one.q == 0]
    for wanted in ranges:
        for offer in read:
            if wanted.q and wanted.admits(offer) and not any(no.admits(offer) and no != wanted for no in refused):
                return offer, wanted
    raise HttpError(406, f"this can be had as {' or '.join(offers)}")
