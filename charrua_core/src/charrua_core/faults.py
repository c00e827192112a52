"""Faults on demand, for the crash stories: `CHARRUA_FAULT=point:nth:action` strikes at the nth passing of a point.

Actions: `kill` ends the process as a power cut would, `eio` and `enospc` fail the step with that error. Several faults are
separated by blanks. Without the variable a point costs one look into an empty dictionary.
"""

from __future__ import annotations

import errno
import os
import signal
from typing import Literal

Point = Literal[
    "after_write",
    "after_fsync",
    "after_rename",
    "after_dirsync",
    "before_commit",
    "after_commit",
    "before_reply",
    "event_dispatch",
]

_ERRORS = {"eio": errno.EIO, "enospc": errno.ENOSPC}
_waiting: dict[str, list[tuple[int, str]]] = {}
_passed: dict[str, int] = {}


def arm(faults: str) -> None:
    """Set the faults to strike, in the words of `CHARRUA_FAULT`; "" disarms all."""
    _waiting.clear()
    _passed.clear()
    for fault in faults.split():
        point, nth, action = fault.split(":")
        _waiting.setdefault(point, []).append((int(nth), action))


def passing(point: Point) -> None:
    """Pass a point of the store protocol; raises OSError, or ends the process, where a fault was set for this passing."""
    if point not in _waiting:
        return
    _passed[point] = _passed.get(point, 0) + 1
    for nth, action in _waiting[point]:
        if nth == _passed[point]:
            _strike(point, action)


def _strike(point: str, action: str) -> None:
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    raise OSError(_ERRORS[action], f"fault injected at {point}")


arm(os.environ.get("CHARRUA_FAULT", ""))
