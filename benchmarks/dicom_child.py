"""A DICOM listener without database or archive, in a process of its own: what the upper layer alone costs and endures.

Run as `python -m benchmarks.dicom_child LIMITS-AS-JSON`. It prints its port, then one line of JSON for each line that it
reads, and ends with its standard input.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from charrua_core.dicom import Acceptor, Association, CommandField, Dispatcher, Limits, Message, Roles, ServiceClass

VERIFICATION = "1.2.840.10008.1.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
FIND = "1.2.840.10008.5.1.4.1.2.2.1"
SUCCESS, PENDING, CANCELLED = 0x0000, 0xFF00, 0xFE00


class _Nowhere:
    def write(self, view: memoryview) -> None:
        """Forget the fragment."""


async def _echo(association: Association, message: Message) -> None:
    await association.respond(message, SUCCESS)


async def _store(association: Association, message: Message) -> None:
    await message.receive_into(_Nowhere())
    await association.respond(message, SUCCESS)


async def _find(association: Association, message: Message) -> None:
    identifier = await message.read(65536)
    for _ in range(10):
        await association.respond(message, PENDING, identifier)
    await association.respond(message, CANCELLED if message.cancelled else SUCCESS)


def services() -> list[ServiceClass]:
    """Verification, storage to nowhere, a query that finds its own identifier ten times, and C-GET's roles."""
    return [
        ServiceClass("Verification", {VERIFICATION}, _echo, frozenset({CommandField.C_ECHO})),
        ServiceClass("Storage", {CT}, _store, frozenset({CommandField.C_STORE})),
        ServiceClass("Query", {FIND}, _find, frozenset({CommandField.C_FIND})),
        ServiceClass("Retrieval", {CT}, _store, frozenset(), roles=Roles(scu=False, scp=True)),
    ]


def _state(acceptor: Acceptor, unhandled: list[str]) -> dict[str, Any]:
    gc.collect()
    return {
        "tasks": len(asyncio.all_tasks()),
        "associations": len(acceptor.established),
        "pending": acceptor.pending,
        "descriptors": len(os.listdir("/proc/self/fd")),
        "unhandled": unhandled,
    }


async def _serve(limits: Limits) -> None:
    unhandled: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: unhandled.append(repr(context)))
    acceptor = Acceptor(limits, Dispatcher(services()))
    await acceptor.start()
    print(acceptor.port, flush=True)
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(_state(acceptor, unhandled)), flush=True)
    await acceptor.stop(0)


@dataclass
class Child:
    """The listener as its parent sees it."""

    process: subprocess.Popen[str]
    port: int

    @property
    def pid(self) -> int:
        """Its process."""
        return self.process.pid

    def state(self) -> dict[str, Any]:
        """Numbers of tasks, associations, connections and descriptors, and exceptions that nobody handled."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("?\n")
        self.process.stdin.flush()
        state: dict[str, Any] = json.loads(self.process.stdout.readline())
        return state


@contextlib.contextmanager
def running_child(**limits: float) -> Iterator[Child]:
    """A listener with these limits, ended at the end of the block."""
    command = [sys.executable, "-m", "benchmarks.dicom_child", json.dumps(limits)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Child(process, int(process.stdout.readline()))
    finally:
        process.stdin.close()
        process.wait(10)


def main() -> None:
    """Serve until standard input ends."""
    limits = Limits(**json.loads(sys.argv[1]))
    try:
        import uvloop
    except ImportError:
        asyncio.run(_serve(limits))
    else:
        uvloop.run(_serve(limits))


if __name__ == "__main__":
    main()
