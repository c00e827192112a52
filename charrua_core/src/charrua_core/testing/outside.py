"""What stories need from outside: DCMTK's programs and the folder of real files; and how many were left out without them."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from charrua_core.types import Peer

if TYPE_CHECKING:
    from charrua_core.testing.running import Archive

DATA = Path(os.environ.get("CHARRUA_TEST_DATA", "../shared/data")).absolute()
"""Real files of public projects, with a MANIFEST.csv that says what each is."""

with_data = pytest.mark.skipif(not (DATA / "MANIFEST.csv").exists(), reason="CHARRUA_TEST_DATA has no real files")


def program(name: str) -> str | None:
    """The path of a program of the operating system, None where it is not installed.

    pynetdicom installs programs of the same names as DCMTK's beside Python: they are passed over.
    """
    ours = Path(sys.executable).parent
    folders = [folder for folder in os.get_exec_path() if folder and Path(folder).absolute() != ours]
    return shutil.which(name, path=os.pathsep.join(folders))


with_dcmtk = pytest.mark.skipif(program("storescu") is None, reason="DCMTK is not installed")


async def dcmtk(name: str, *arguments: object, timeout_s: float = 120) -> tuple[int, str]:
    """Run a program of DCMTK; gives its exit status and what it said. FileNotFoundError where it is not installed."""
    path = program(name)
    if path is None:
        raise FileNotFoundError(name)
    process = await asyncio.create_subprocess_exec(
        path, *map(str, arguments), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        async with asyncio.timeout(timeout_s):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        raise
    return process.returncode or 0, output.decode(errors="replace")


@asynccontextmanager
async def storescp(archive: Archive, folder: Path, *options: str) -> AsyncIterator[None]:
    """Run DCMTK's receiver as the peer DCMTK, writing into the folder: it takes uncompressed images alone without options."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    await archive.add_peer(Peer("DCMTK", "127.0.0.1", port))
    command = (str(program("storescp")), *options, "-pm", "-aet", "DCMTK", "-od", str(folder), str(port))
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
    try:
        await until_listening(port)
        yield
    finally:
        process.terminate()
        await process.wait()


async def until_listening(port: int) -> None:
    """Return as soon as somebody listens at the port; TimeoutError if nobody does."""
    async with asyncio.timeout(20):
        while True:
            with suppress(ConnectionRefusedError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.02)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say how many stories were left out, and for want of what."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(str(report.longrepr[2]).removeprefix("Skipped: ") for report in skipped)
    for reason, count in reasons.most_common():
        terminalreporter.write_line(f"{count} stories left out: {reason}")
