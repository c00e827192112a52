"""A receiver: where messages go, how they are written for it, and which of them it is sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from charrua_hl7.outgoing.errors import ReceiverInvalid

TLS_MODES = ("off", "encrypt", "verify")
"""Without TLS; with it, whoever the receiver is; with it, and a certificate that the archive's authorities have signed."""
VERSIONS = ("2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6")
SENDS = ("results", "orders")
"""Reports that are final (ORU^R01); the state of orders (ORM^O01)."""
WIDEST = "UNICODE UTF-8"
CHARACTER_SETS: Mapping[str, str] = {
    WIDEST: "utf-8",
    "ASCII": "ascii",
    **{f"8859/{part}": f"iso8859-{part}" for part in (*range(1, 10), 15)},
}
"""Of table 0211 those that are one set of 8 bits or less, and Unicode; with Python's names."""
_NAME = re.compile(r"[\w][\w .-]{0,63}")
_NAMED = re.compile(r"[^|^~\\&\r\n]{0,180}")  # HD of MSH-5 and MSH-6: without delimiters
_TEXTS = ("host", "tls", "application", "facility", "version", "character_set")


@dataclass(frozen=True, slots=True)
class Receiver:
    """A system that this archive sends messages to."""

    name: str
    host: str
    port: int
    tls: str = "off"
    application: str = ""
    """Receiving Application (MSH-5)."""
    facility: str = ""
    """Receiving Facility (MSH-6)."""
    version: str = "2.5"
    character_set: str = WIDEST
    """As MSH-18 names it; what it has no character for is sent as `?`."""
    sends: tuple[str, ...] = ("results",)
    enabled: bool = True
    """Else what is for it waits."""

    def shown(self) -> dict[str, Any]:
        """Give it as it is answered."""
        return asdict(self) | {"sends": list(self.sends)}


FIELDS = tuple(one.name for one in fields(Receiver) if one.name != "name")


def described(name: str, given: Mapping[str, Any], known: Receiver | None = None) -> Receiver:
    """Give the receiver that this describes; of one that is known, what is left out is as it was. Raises ReceiverInvalid."""
    if strange := sorted(map(str, given.keys() - set(FIELDS))):
        raise ReceiverInvalid(f"{strange[0][:80]}: a receiver has no such field")
    if known is None and not {"host", "port"} <= given.keys():
        raise ReceiverInvalid("host and port: a new receiver needs both")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ReceiverInvalid(
            "name: it is 1 to 64 letters, digits, blanks and . _ -, and begins with a letter or digit"
        )
    read: dict[str, Any] = {field: value.strip() if isinstance(value, str) else value for field, value in given.items()}
    if isinstance(read.get("sends"), list):
        read["sends"] = tuple(one for one in SENDS if one in read["sends"]) + _strange(read["sends"])
    return _checked(replace(known or Receiver(name, "", 0), **read))


def _strange(sends: list[Any]) -> tuple[Any, ...]:
    return tuple(one for one in sends if one not in SENDS)


def _checked(one: Receiver) -> Receiver:
    for field in _TEXTS:
        if not isinstance(getattr(one, field), str):
            raise ReceiverInvalid(f"{field}: a text is expected")
    if not one.host or len(one.host) > 253 or not one.host.isprintable() or " " in one.host:
        raise ReceiverInvalid("host: it is a host name or an address")
    if isinstance(one.port, bool) or not isinstance(one.port, int) or not 1 <= one.port <= 65535:
        raise ReceiverInvalid("port: a whole number from 1 to 65535 is expected")
    for field, choices in (("tls", TLS_MODES), ("version", VERSIONS), ("character_set", tuple(CHARACTER_SETS))):
        if getattr(one, field) not in choices:
            raise ReceiverInvalid(f"{field}: it is one of {', '.join(choices)}")
    for field in ("application", "facility"):
        if not _NAMED.fullmatch(getattr(one, field)):
            raise ReceiverInvalid(f"{field}: a text of up to 180 characters without delimiters of HL7 is expected")
    if not isinstance(one.sends, tuple) or _strange(list(one.sends)):
        raise ReceiverInvalid(f"sends: a list of {' and '.join(SENDS)} is expected")
    if not isinstance(one.enabled, bool):
        raise ReceiverInvalid("enabled: true or false is expected")
    return one
