"""One worker process as the server has it: started, called, killed."""

from __future__ import annotations

import asyncio
import os
import struct
import sys
from contextlib import suppress
from typing import Any, Self

from charrua_core.errors import ImagingCrashed, ImagingFailed, ImagingTimeout
from charrua_core.imaging import wire
from charrua_core.imaging.messages import Reply, Request, Setup

_READY_WITHIN = 60.0  # seconds, on a machine that is busy
_END_WITHIN = 2.0
_LARGEST_CHUNK = 1 << 20
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
_KEPT = frozenset(["PATH", "HOME", "LANG", "TZ", "TMPDIR", "TMP", "TEMP", "SYSTEMROOT", "WINDIR"])
_KEPT_PREFIXES = ("LC_", "LD_", "DYLD_", "PYTHON")


class WorkerProcess:
    """A process that answers one call at a time. Get one with `start`."""

    def __init__(self, process: asyncio.subprocess.Process, most_bytes: int) -> None:
        assert process.stdin is not None and process.stdout is not None  # noqa: S101 -- as asked for in start
        self._process = process
        self._writer, self._reader = process.stdin, process.stdout
        self._most_bytes = most_bytes
        self.calls = 0

    @classmethod
    async def start(cls, setup: Setup) -> Self:
        """Start a process and wait until it has its codecs loaded; ImagingFailed where that cannot be."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "charrua_core.imaging.worker"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=_environment(),
            limit=_LARGEST_CHUNK,
        )
        worker = cls(process, setup.memory_bytes)
        try:
            async with asyncio.timeout(_READY_WITHIN):
                await worker._exchange(wire.pack(setup))
        except (OSError, EOFError, TimeoutError, wire.BadMessage) as error:
            await worker.kill()
            raise ImagingFailed("a worker process ended before it was ready; the log says why") from error
        except asyncio.CancelledError:
            await worker.kill()
            raise
        return worker

    @property
    def pid(self) -> int:
        """Its process number."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it can be called."""
        return self._process.returncode is None

    async def call(self, request: Request) -> Reply:
        """Give what came of a call. Whatever it raises (ImagingTimeout, ImagingCrashed, ImagingFailed), the process is dead."""
        self.calls += 1
        try:
            async with asyncio.timeout(request.timeout_s):
                reply = await self._exchange(wire.pack(request))
        except TimeoutError as error:
            await self.kill()
            raise ImagingTimeout(f"not done within {request.timeout_s:g} s") from error
        except wire.BadMessage as error:
            await self.kill()
            raise ImagingFailed(f"what the process answered is no plain data: {error}") from error
        except (OSError, EOFError) as error:
            await self.kill()
            raise ImagingCrashed(f"the process ended with status {self._process.returncode}") from error
        except BaseException:  # cancelled, or arguments that do not pickle: what it would answer next is not known
            await self.kill()
            raise
        assert isinstance(reply, Reply)  # noqa: S101
        return reply

    async def _exchange(self, parts: list[wire.Part]) -> Any:
        self._writer.writelines([wire.head_of(parts), *parts])  # at once, so that the process wakes once
        await self._writer.drain()
        return wire.unpack_plain(await _receive(self._reader, self._most_bytes))

    async def kill(self) -> None:
        """End it at once."""
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    async def end(self) -> None:
        """Let it end by itself, or kill it."""
        self._writer.close()
        try:
            async with asyncio.timeout(_END_WITHIN):
                await self._process.wait()
        except TimeoutError:
            await self.kill()


def _environment() -> dict[str, str]:
    """What a process needs to start, none of the server's secrets among it."""
    kept = {name: value for name, value in os.environ.items() if name in _KEPT or name.startswith(_KEPT_PREFIXES)}
    return {**kept, **_ONE_THREAD}


async def _receive(reader: asyncio.StreamReader, most_bytes: int) -> list[wire.Part]:
    """Read a message's parts on the loop; BadMessage if they were more than that, IncompleteReadError at the end."""
    (count,) = struct.unpack("<I", await reader.readexactly(4))
    if count > wire.MOST_PARTS:
        raise wire.BadMessage(f"{count} parts")
    lengths = struct.unpack(f"<{count}Q", await reader.readexactly(8 * count))
    if sum(lengths) > most_bytes:
        raise wire.BadMessage(f"{sum(lengths)} bytes")
    return [await reader.readexactly(length) for length in lengths]
