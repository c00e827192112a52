"""No request makes the web server fail: a sample of `benchmarks.fuzz_http`, which may run for hours."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


async def test_every_request_is_answered_in_the_server_s_own_words(archive) -> None:
    asked = ("--seconds", "12", "--seed", "1", "--url", archive.url, "--token", await archive.token("Admin"))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.fuzz_http", *asked),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told, _ = await process.communicate()
    assert process.returncode == 0, told.decode()
    assert "Traceback" not in archive.told()
