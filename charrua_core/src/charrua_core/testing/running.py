"""A running `charrua serve` in processes of its own, as a test starts, drives, stops and kills it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from charrua_core.testing.measured import Measured
from charrua_core.testing.preloaded import AVAILABLE, Forked, fork
from charrua_core.types import Peer

READY_WITHIN = 60.0
STOP_WITHIN = 30.0
_LISTENER = re.compile(r"\bdicom(?P<tls>\+tls)? (?P<aet>\S+) (?P<host>\S+):(?P<port>\d+)")
_HL7 = re.compile(r"\bhl7(?:\+tls)? (?P<host>\S+):(?P<port>\d+)")
_PAGES = re.compile(r"\bhttps?://\S+")


class Archive:
    """An archive under test. `environment` is what it is started with, `log` the file that takes its standard error."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self.environment = {**_outer(), **environment}
        self.log = log
        self.ready = ""
        self.process: asyncio.subprocess.Process | Forked | None = None
        self._users = 0

    # -- its life --------------------------------------------------------------------------------------------------------
    async def start(self, *, preloaded: bool = AVAILABLE) -> float:
        """Start it; return, with the seconds that it took, once it is ready. AssertionError shows its log otherwise.

        `preloaded` False starts a new interpreter, as an operator does.
        """
        began = time.monotonic()
        with self.log.open("ab") as log, TemporaryFile() as nothing:
            if preloaded:
                self.process = await fork(["serve"], self.environment, stdin=nothing.fileno(), stderr=log.fileno())
            else:
                self.process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "charrua_core.cli", "serve"),
                    env=self.environment,
                    stdin=nothing,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=log,
                    start_new_session=True,
                )
        assert self.process.stdout is not None  # noqa: S101 -- asked for above
        async with asyncio.timeout(READY_WITHIN):
            self.ready = (await self.process.stdout.readline()).decode().strip()
        if not self.ready.startswith("ready"):
            raise AssertionError(f"the archive did not start:\n{self.told()}")
        # The ports that it found are those that it keeps when it is started again.
        self.environment["CHARRUA_DICOM_PORT"] = str(self.port)
        if self.url:
            self.environment["CHARRUA_WEB_PORT"] = self.url.rpartition(":")[2]
        if found := _HL7.search(self.ready):
            self.environment["CHARRUA_HL7_PORT"] = found["port"]
        return time.monotonic() - began

    async def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to end, give its status; TimeoutError if it does not."""
        if self.process is None:
            return 0
        with suppress(ProcessLookupError):
            self.process.send_signal(number)
        async with asyncio.timeout(STOP_WITHIN):
            return await self.process.wait()

    async def kill(self) -> None:
        """Kill every process of it at once, as a power cut would."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            await self.process.wait()

    @property
    def runs(self) -> bool:
        """Whether its first process is there."""
        return self.process is not None and self.process.returncode is None

    def told(self) -> str:
        """Give what it wrote to standard error."""
        return self.log.read_text(errors="replace")

    # -- where it is -----------------------------------------------------------------------------------------------------
    @property
    def peer(self) -> Peer:
        """The archive, as a modality knows it."""
        found = _LISTENER.search(self.ready)
        if found is None:
            raise AssertionError(f"no DICOM listener in: {self.ready}")
        return Peer(found["aet"], found["host"], int(found["port"]), tls_mode="encrypt" if found["tls"] else "off")

    @property
    def port(self) -> int:
        """The port of its DICOM listener."""
        return self.peer.port

    @property
    def hl7(self) -> tuple[str, int]:
        """Host and port of its HL7 listener."""
        found = _HL7.search(self.ready)
        if found is None:
            raise AssertionError(f"no HL7 listener in: {self.ready}")
        return found["host"], int(found["port"])

    @property
    def url(self) -> str:
        """The address of its pages, "" where no plugin serves any."""
        found = _PAGES.search(self.ready)
        return found[0] if found else ""

    @property
    def data_dir(self) -> Path:
        """Its data folder."""
        return Path(self.environment["CHARRUA_DATA_DIR"])

    # -- its commands ----------------------------------------------------------------------------------------------------
    async def charrua(self, *arguments: str, given: str = "") -> tuple[int, str, str]:
        """Run a command of `charrua` beside it; gives status, standard output, standard error."""
        command = _forked if AVAILABLE else _executed
        return await command(arguments, self.environment, given.encode())

    async def run(self, *arguments: str, given: str = "") -> str:
        """Run a command that must succeed; gives its standard output."""
        status, out, err = await self.charrua(*arguments, given=given)
        if status:
            raise AssertionError(f"charrua {' '.join(arguments)} ended with status {status}: {err or out}")
        return out

    async def settled(self, timeout_s: float = 30) -> None:
        """Wait until its change feed is read to the end and no job is due."""
        await self.run("settled", "--timeout", str(timeout_s))

    async def user(self, role: str = "Admin", row_filter: Mapping[str, list[str]] | None = None) -> str:
        """Give the name of a new user of this role, whose password is `an unlikely password`."""
        from charrua_core.app import App, Start

        self._users += 1
        name = f"{role.lower()}{self._users}"
        async with App.opened(Start(self.environment)) as app:
            await app.accounts.add(name, role, "an unlikely password", by="test", row_filter=row_filter)
        return name

    async def token(self, role: str = "Admin", row_filter: Mapping[str, list[str]] | None = None) -> str:
        """Give a bearer token of a new user of this role, who sees what the filter admits."""
        from charrua_core.app import App, Start

        name = await self.user(role, row_filter)
        async with App.opened(Start(self.environment)) as app:
            return await app.accounts.create_token(name, by="test")

    async def measured(self) -> Measured:
        """Give what its processes have measured, each up to two seconds ago."""
        return Measured(await self.run("metrics"))

    async def add_peer(self, peer: Peer) -> None:
        """Have it know a remote AE."""
        from charrua_core.app import App, Start

        async with App.opened(Start(self.environment)) as app:
            await app.peers.add(peer, by="test")


async def _forked(arguments: Sequence[str], env: Mapping[str, str], given: bytes) -> tuple[int, str, str]:
    with TemporaryFile() as stdin, TemporaryFile() as stderr:
        stdin.write(given)
        stdin.seek(0)
        process = await fork(arguments, env, stdin=stdin.fileno(), stderr=stderr.fileno())
        assert process.stdout is not None  # noqa: S101 -- asked for above
        out = await process.stdout.read()
        status = await process.wait()
        stderr.seek(0)
        return status, out.decode(), stderr.read().decode()


async def _executed(arguments: Sequence[str], env: Mapping[str, str], given: bytes) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "charrua_core.cli", *arguments),
        env=dict(env),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate(given)
    return process.returncode or 0, out.decode(), err.decode()


def _outer() -> dict[str, str]:
    """Give the test's own environment without what would configure the archive."""
    kept = {"CHARRUA_TEST_DATA", "CHARRUA_TEST_DATABASE_URL"}
    return {name: value for name, value in os.environ.items() if not name.startswith("CHARRUA_") or name in kept}


def as_variables(settings: Mapping[str, Any]) -> dict[str, str]:
    """Give settings as the environment has them."""
    return {f"CHARRUA_{name.upper()}": str(value) for name, value in settings.items()}
