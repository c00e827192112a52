"""A worker process of imaging: `python -m charrua_core.imaging.worker`, with messages on standard input and output.

It is the one place where code streams are decoded. It holds no secret and no connection, may use so much memory and no
more, and ends with its standard input. Errors go back as data: those of codecs do not unpickle elsewhere.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any, BinaryIO

from charrua_core import errors
from charrua_core.imaging import wire
from charrua_core.imaging.codecs import install
from charrua_core.imaging.messages import Failure, Reply, Request, Setup

GRACE_S = 5.0
"""How much longer than its time a call may run before the process ends itself, should the server be gone."""


def main() -> None:
    """Answer calls until standard input ends."""
    for number in (signal.SIGINT, signal.SIGTERM):  # meant for the server, which then closes our input
        signal.signal(number, signal.SIG_IGN)
    source = os.fdopen(os.dup(0), "rb")
    target = os.fdopen(os.dup(1), "wb")
    first = wire.read(source)
    if first is None:
        return
    _prepare(wire.unpack(first))
    _silence(0, 1, 2)
    wire.write(target, wire.pack("ready"))
    while (parts := wire.read(source)) is not None:
        _answer(wire.unpack(parts), target)


def _prepare(setup: Setup) -> None:
    sys.path[:] = setup.path
    import imagecodecs  # noqa: F401 -- loaded before the first frame waits for it
    import numpy  # noqa: F401

    install(setup.codecs)
    _limit_memory(setup.memory_bytes)


def _limit_memory(size: int) -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    # macOS has the call and refuses the limit.
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core would hold pixels of a patient


def _silence(*descriptors: int) -> None:
    """Codecs print to where the messages went, and to the server's log."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in descriptors:
        os.dup2(nothing, descriptor)


def _answer(request: Request, target: BinaryIO) -> None:
    _alarm(request.timeout_s + GRACE_S)
    try:
        parts = wire.pack(Reply(_function(request.function)(*request.arguments)))
    except BaseException as error:  # a panic in a library that is written in Rust is no Exception
        parts = wire.pack(Reply(failure=_flattened(error)))
    _alarm(0)
    wire.write(target, parts)


def _alarm(seconds: float) -> None:
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _function(name: str) -> Callable[..., Any]:
    module, _, attribute = name.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
    return found


def _flattened(error: BaseException) -> Failure:
    if isinstance(error, errors.CharruaError):
        return Failure(type(error).__name__, str(error))
    if isinstance(error, MemoryError):
        return Failure(errors.FrameTooLarge.__name__, "")
    told = "".join(traceback.format_exception(error))
    return Failure(errors.ImagingFailed.__name__, f"{type(error).__name__}: {error}"[:500], told[-4000:])


if __name__ == "__main__":
    main()
