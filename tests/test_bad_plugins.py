"""A plugin that does the worst that it can: what was acknowledged stays, the others go on, and its name is told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

from charrua_core.errors import CharruaError
from charrua_core.testing.devices import Modality
from charrua_core.testing.objects import a_study
from charrua_core.testing.running import Archive

Start = Callable[..., Any]
Write = Callable[[str, str], str]

HANGS_IN_A_THREAD = """
import time

@hookimpl
def on_object_stored(stored):
    time.sleep(1000)
"""
HANGS_ON_THE_LOOP = """
import asyncio

@hookimpl
async def on_object_stored(stored):
    while True:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            pass
"""
RAISES = """
@hookimpl
def on_object_stored(stored):
    raise RuntimeError("always")

@hookimpl
def health():
    return [("half a finding",)]
"""
SLOW = """
import time

@hookimpl
def accept_object(candidate):
    if candidate.header.value("00200013") == "1":
        time.sleep(0.1)
"""
ENDS_THE_PROCESS = """
import os

@hookimpl
def accept_object(candidate):
    if candidate.header.value("00200013") == "4":
        os._exit(7)
"""


async def objects_in_the_index(archive: Archive) -> int:
    connection = await asyncpg.connect(archive.environment["CHARRUA_DATABASE_URL"])
    try:
        found: int = await connection.fetchval("SELECT count(*) FROM core.instance")
        return found
    finally:
        await connection.close()


async def test_plugins_that_hang_raise_and_dawdle_keep_nobody_from_storing_and_the_archive_from_ending(
    start_archive: Start, write_plugin: Write
) -> None:
    sources = {"in_thread": HANGS_IN_A_THREAD, "on_loop": HANGS_ON_THE_LOOP, "raises": RAISES, "slow": SLOW}
    archive: Archive = await start_archive(plugins=[write_plugin(name, source) for name, source in sources.items()])
    assert await Modality(archive.peer).store(a_study(images=20)) == [0x0000] * 20
    told = await archive.run("plugins")
    row = next(
        line for line in told.splitlines() if "accept_object" in line and line.split()[0] == "slow" and "0." in line
    )
    assert row.split()[1:4] == ["accept_object", "1", "0"]
    status, out, _ = await archive.charrua("status")
    assert status == 1
    assert "plugin slow ok: accept_object took too long 1 times" in out
    assert "raises    FAILS" in out
    began = time.monotonic()
    assert await archive.stop() == 0
    assert time.monotonic() - began < 15
    assert await objects_in_the_index(archive) == 20


async def test_a_plugin_that_ends_the_process_takes_nothing_along_that_was_acknowledged(
    start_archive: Start, write_plugin: Write
) -> None:
    archive: Archive = await start_archive(plugins=[write_plugin("ends", ENDS_THE_PROCESS)])
    with pytest.raises(CharruaError):
        await Modality(archive.peer).give(a_study(images=6))
    assert archive.process is not None
    async with asyncio.timeout(10):
        assert await archive.process.wait() == 7
    archive.environment["CHARRUA_PLUGINS"] = ""
    await archive.start()
    assert await objects_in_the_index(archive) == 3
    assert await Modality(archive.peer).store(a_study(images=6)) == [0x0000] * 6
