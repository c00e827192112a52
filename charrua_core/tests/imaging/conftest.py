"""Worker processes of imaging without an archive around them, and functions that do them harm."""

from __future__ import annotations

import importlib
import sys
import textwrap
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import pytest_asyncio

from charrua_core.imaging.codecs import DECODERS, ENCODERS, Codecs
from charrua_core.imaging.workers import Imaging

_FUNCTIONS = """
    import ctypes, os, time
    from pathlib import Path


    class Odd(Exception):
        def __init__(self, one, two):
            super().__init__("odd")


    class Thing:
        pass


    def same(value):
        return value

    def pid(*_):
        return os.getpid()

    def environment():
        return dict(os.environ)

    def hang(data):
        time.sleep(60)

    def crash(data):
        ctypes.string_at(0)

    def leave(data):
        os._exit(3)

    def eat(data):
        return len(bytearray(16 << 30))

    def fail(data):
        raise Odd(1, 2)

    def thing():
        return Thing()

    def touch(path, seconds):
        Path(path).touch()
        time.sleep(seconds)
        return os.getpid()
"""


@pytest.fixture
def functions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module of functions for worker processes to call."""
    (tmp_path / "misbehaving.py").write_text(textwrap.dedent(_FUNCTIONS))
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("misbehaving", None)
    return importlib.import_module("misbehaving")


@pytest_asyncio.fixture
async def imaging_of() -> AsyncIterator[Callable[..., Imaging]]:
    """A function that makes a pool: `imaging_of(workers=2, timeout_s=1.0)`."""
    made: list[Imaging] = []

    def imaging_of(workers: int = 1, timeout_s: float = 30, memory_bytes: int = 2 << 30, **codecs: Any) -> Imaging:
        decoders = (*codecs.get("decoders", ()), *DECODERS)
        settings = {
            "imaging_workers": workers,
            "imaging_timeout": timedelta(seconds=timeout_s),
            "imaging_memory_bytes": memory_bytes,
        }
        made.append(Imaging(settings, Codecs.of(decoders, (*codecs.get("encoders", ()), *ENCODERS))))
        return made[-1]

    yield imaging_of
    for imaging in made:
        await imaging.close()


@pytest.fixture
def imaging(imaging_of: Callable[..., Imaging]) -> Imaging:
    """A pool of one process."""
    return imaging_of()
