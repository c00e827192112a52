"""What the server and a worker process of imaging say to each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from charrua_core.imaging.codecs import Codecs


@dataclass(frozen=True, slots=True)
class Setup:
    """What a worker process is told first."""

    path: tuple[str, ...]
    codecs: Codecs
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Request:
    """A call."""

    function: str
    """`module:name`"""
    arguments: tuple[Any, ...]
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Failure:
    """How a call failed: the name of a class of `charrua_core.errors`, what it says, and for the log where it was."""

    error: str
    message: str
    traceback: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of a call."""

    result: Any = None
    failure: Failure | None = None
