"""Whether an address is that of a host: names are looked up, and this machine is one host, by whatever address."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import time

ANYWHERE = "*"
"""The host of a peer that may come from any address, and is called nowhere."""
_BELIEVED_S = 60.0
_ANY_PORT = 9


class Addresses:
    """The addresses of hosts, each looked up anew after a minute."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, frozenset[str]]] = {}

    def forget(self) -> None:
        """Look all hosts up anew."""
        self._known.clear()

    async def is_at(self, address: str, host: str) -> bool:
        """Whether who comes from the address comes from the host; of one that cannot be looked up nobody comes."""
        if host == ANYWHERE:
            return True
        came, known = plain(address), await self._of(host)
        return came in known or (is_here(came) and any(map(is_here, known)))

    async def _of(self, host: str) -> frozenset[str]:
        until, known = self._known.get(host, (0.0, frozenset()))
        if until < time.monotonic():
            known = await _look_up(host)
            self._known[host] = (time.monotonic() + _BELIEVED_S, known)
        return known


async def _look_up(host: str) -> frozenset[str]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return frozenset()
    return frozenset(plain(str(address[0])) for *_, address in found)


def plain(address: str) -> str:
    """The address in its one spelling: IPv4 as IPv4, without the zone of a link."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)


def is_here(address: str) -> bool:
    """Whether the address is one of this machine's: what it would send there would come from that address itself."""
    try:
        parsed = ipaddress.ip_address(address)
        if parsed.is_loopback:
            return True
        with socket.socket(socket.AF_INET6 if parsed.version == 6 else socket.AF_INET, socket.SOCK_DGRAM) as unsent:
            unsent.connect((address, _ANY_PORT))
            return plain(str(unsent.getsockname()[0])) == address
    except (ValueError, OSError):
        return False
