"""Networks that settings name, and whether an address is in one of them."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import TYPE_CHECKING

from charrua_core.errors import SettingInvalid

if TYPE_CHECKING:
    from charrua_core.settings import Settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
LOOPBACK = ("127.0.0.0/8", "::1/128")


class Networks:
    """Some networks; a single address is a network of one."""

    def __init__(self, words: Iterable[str]) -> None:
        self._networks = tuple(ipaddress.ip_network(word) for word in words)

    @classmethod
    def of(cls, settings: Settings, name: str) -> Networks:
        """Give those of a setting. SettingInvalid where a word of it is neither address nor network."""
        try:
            return cls(settings[name])
        except ValueError as error:
            raise SettingInvalid(f"{name}: {error}: write an address or a network, as 10.0.0.0/8") from error

    def __contains__(self, address: str) -> bool:
        parsed = parsed_address(address)
        return parsed is not None and any(parsed in network for network in self._networks)

    def __bool__(self) -> bool:
        return bool(self._networks)


def parsed_address(text: str) -> Address | None:
    """Give the address, IPv4 where it is one in the form of IPv6 and without the zone of a link; None where it is none."""
    try:
        parsed = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed
