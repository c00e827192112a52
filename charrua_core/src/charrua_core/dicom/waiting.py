"""Connections that are not associations yet: counted, and bounded by ending the oldest.

Ending the oldest rather than refusing the newest keeps the port usable for a peer that speaks at once, while one that
opens connections and stays silent only pushes out its own.
"""

from __future__ import annotations

from collections.abc import Callable

Cut = Callable[[], None]


class WaitingRoom:
    """Those who wait, in the order of their coming. Each is represented by the call that cuts it."""

    def __init__(self, max_per_ip: int, max_in_all: int) -> None:
        self._max_per_ip = max_per_ip
        self._max_in_all = max_in_all
        self._all: dict[Cut, str] = {}
        self._by_ip: dict[str, dict[Cut, None]] = {}

    def __len__(self) -> int:
        return len(self._all)

    def enter(self, ip: str, cut: Cut) -> int:
        """Let one in; gives how many were cut for it."""
        excess = []
        if len(self._by_ip.get(ip, ())) >= self._max_per_ip:
            excess.append(next(iter(self._by_ip[ip])))
        elif len(self._all) >= self._max_in_all:
            excess.append(next(iter(self._all)))
        for oldest in excess:
            self.leave(oldest)
            oldest()
        self._all[cut] = ip
        self._by_ip.setdefault(ip, {})[cut] = None
        return len(excess)

    def leave(self, cut: Cut) -> None:
        """It waits no more, if it still did."""
        ip = self._all.pop(cut, None)
        if ip is not None:
            del self._by_ip[ip][cut]
            if not self._by_ip[ip]:
                del self._by_ip[ip]

    def cut_all(self) -> None:
        """End them all."""
        for cut in list(self._all):
            self.leave(cut)
            cut()
