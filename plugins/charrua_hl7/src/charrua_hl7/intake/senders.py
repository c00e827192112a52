"""Who may send: the addresses and networks of `hl7_senders`, and how many connections there may be."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from charrua_core.addresses import plain
from charrua_core.settings import Settings

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Senders:
    """The connections that are open, by address."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._open: Counter[str] = Counter()

    def refusal(self, address: str) -> tuple[str, str]:
        """Give why another connection from this address is not taken, and the setting that says so; "" where it is."""
        allowed = self._settings["hl7_senders"]
        if allowed and not is_among(address, allowed):
            return "its address is not among those from which messages are taken", "hl7_senders"
        if self._open.total() >= self._settings["hl7_max_connections"]:
            return "there are too many connections", "hl7_max_connections"
        if self._open[address] >= self._settings["hl7_max_connections_per_address"]:
            return "there are too many connections from its address", "hl7_max_connections_per_address"
        return "", ""

    def enter(self, address: str) -> None:
        """Count a connection."""
        self._open[address] += 1

    def leave(self, address: str) -> None:
        """Count it no more."""
        self._open[address] -= 1
        if self._open[address] <= 0:
            del self._open[address]


def is_among(address: str, networks: Sequence[str]) -> bool:
    """Whether the address is one of these, or in one of these networks."""
    try:
        found = ipaddress.ip_address(plain(address))
    except ValueError:
        return False
    return any(found in network for network in _networks(tuple(networks)) if network.version == found.version)


@lru_cache(maxsize=8)
def _networks(texts: tuple[str, ...]) -> tuple[_Network, ...]:
    """Give the networks; what is none admits nobody."""
    found = []
    for one in texts:
        try:
            found.append(ipaddress.ip_network(one, strict=False))
        except ValueError:
            continue
    return tuple(found)
