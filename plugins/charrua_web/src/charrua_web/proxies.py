"""Who is behind a reverse proxy: its header fields are believed only from the addresses that the site named."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from charrua_core.web import Headers, HttpError
from charrua_web.asgi import Scope
from charrua_web.networks import LOOPBACK, Networks, parsed_address

_HOST = re.compile(r"[A-Za-z0-9_.-]+(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](?::[0-9]{1,5})?")
_HERE = Networks(LOOPBACK)
_TOLD = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
BEHIND_SOMETHING = "0.0.0.0"  # noqa: S104 -- no address of a sender
"""The address of who comes through a proxy on this machine that the site did not name: not this machine's own."""
_PAIR = re.compile(r'\s*([A-Za-z]+)=(?:"([^"]*)"|([^;,"\s]*))\s*')
_SECURE: Mapping[str, str] = {"ws": "http", "wss": "https"}


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as its sender made it: from which address, by which scheme, to which host."""

    address: str
    scheme: str
    host: str

    @property
    def root(self) -> str:
        """The origin that the sender addressed: `https://pacs.example`."""
        return f"{self.scheme}://{self.host}"

    @property
    def secure(self) -> bool:
        """Whether the sender's connection is encrypted."""
        return self.scheme == "https"


def seen(scope: Scope, headers: Headers, trusted: Networks) -> Seen:
    """Tell it, looking through trusted proxies. HttpError 400 where the host that the request names cannot be one."""
    address = scope["client"][0] if scope.get("client") else ""
    scheme = _SECURE.get(scope["scheme"], str(scope["scheme"]))
    host = headers.get("host") or "localhost"
    if trusted and address in trusted:
        chain, proto, named = _forwarded(headers)
        address = _first_untrusted(chain, address, trusted)
        scheme = proto if proto in ("http", "https") else scheme
        host = named or host
    elif any(name in headers for name in _TOLD) and address in _HERE:
        address = BEHIND_SOMETHING
    if not _HOST.fullmatch(host):
        raise HttpError(400, "the header Host names no host")
    return Seen(address, scheme, host)


def _forwarded(headers: Headers) -> tuple[list[str], str, str]:
    """The addresses that a request went through, the scheme and the host that its sender knows (RFC 7239)."""
    if "forwarded" in headers:
        hops = [dict(_pairs(hop)) for hop in headers.get("forwarded").split(",")]
        chain = [_address(hop.get("for", "")) for hop in hops]
        return chain, hops[-1].get("proto", "").lower(), hops[-1].get("host", "")
    chain = [_address(one.strip()) for one in headers.get("x-forwarded-for").split(",") if one.strip()]
    proto, host = (headers.get(f"x-forwarded-{name}").rpartition(",")[2].strip() for name in ("proto", "host"))
    return chain, proto.lower(), host


def _pairs(hop: str) -> list[tuple[str, str]]:
    return [(name.lower(), quoted or plain) for name, quoted, plain in _PAIR.findall(hop)]


def _address(text: str) -> str:
    """The address of `for`, without port and brackets."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


def _first_untrusted(chain: list[str], address: str, trusted: Networks) -> str:
    """The last address of the chain that is no proxy of ours: what stands before it anybody may have written."""
    for hop in reversed(chain):
        if parsed_address(hop) is None:
            return address
        address = hop
        if hop not in trusted:
            break
    return address
