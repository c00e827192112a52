"""When a volume will be full, should it go on as in the last day."""

from __future__ import annotations

from collections import deque
from datetime import timedelta

SAMPLED_EVERY_S = 3600.0
SAMPLES = 25  # a day


class Forecast:
    """How the room on one volume has become less, as far as somebody looked."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque(maxlen=SAMPLES)

    def lasts(self, now_s: float, free_bytes: int) -> timedelta | None:
        """Give for how long the room lasts; None where it does not become less, or was looked at for less than an hour."""
        if not self._samples or now_s - self._samples[-1][0] >= SAMPLED_EVERY_S:
            self._samples.append((now_s, free_bytes))
        began_s, free_then = self._samples[0]
        if now_s - began_s < SAMPLED_EVERY_S or free_bytes >= free_then:
            return None
        return timedelta(seconds=max(free_bytes, 0) * (now_s - began_s) / (free_then - free_bytes))
