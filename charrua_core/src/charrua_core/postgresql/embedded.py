"""The archive's own PostgreSQL, for a site without one: made at the first start, shared by all our processes.

`serve`, its workers and every command hold a shared lock on `<folder>.users` while they use it. Who comes and finds no
server starts it, who leaves and finds no other user stops it; both under the lock `<folder>.lock`. The kernel frees the locks
of a killed process, so nothing needs tidying: a server that was left running is used by the next comer, and one that was
killed too is started again and recovers.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from charrua_core.errors import DatabaseUnavailable
from charrua_core.postgresql import postmaster
from charrua_core.postgresql.locks import FileLock
from charrua_core.postgresql.postmaster import Postmaster

START_TIMEOUT_S = 300.0  # PostgreSQL may have to replay its log first
STOP_TIMEOUT_S = 30.0
POLL_S = 0.01

logger = logging.getLogger(__name__)

# What the promise "success means on disk" rests on; nothing in postgresql.conf overrides these.
DURABLE = ("fsync=on", "full_page_writes=on", "synchronous_commit=on")

# After a crash PostgreSQL flushes its folder; file by file that takes more than a second.
RECOVERY = ("recovery_init_sync_method=syncfs",) if postmaster.LINUX else ()

# Written to postgresql.conf when the folder is made; an administrator may change them there.
CONFIGURATION = (
    "max_connections=200",
    "max_wal_size=1GB",
    "random_page_cost=1.1",
    "jit=off",
    "timezone=UTC",
    "log_timezone=UTC",
    # No values of rows in the log: they may be a patient's.
    "log_min_error_statement=panic",
    "log_error_verbosity=terse",
    "log_checkpoints=off",
)


class EmbeddedServer:
    """A PostgreSQL server in a folder, running for as long as somebody of ours uses it."""

    def __init__(self, folder: Path, options: tuple[str, ...] = ()) -> None:
        """Describe the server in `folder`; `options` are further `name=value` settings of PostgreSQL."""
        self.folder = folder.resolve()
        self._options = (*RECOVERY, *options, *DURABLE)
        self._turn = asyncio.Lock()
        self._change = FileLock(self.folder.with_name(f"{folder.name}.lock"))
        self._users = FileLock(self.folder.with_name(f"{folder.name}.users"))

    @classmethod
    def of(cls, data_dir: Path) -> EmbeddedServer:
        """Describe the one of a data folder."""
        return cls(data_dir / "postgresql")

    async def join(self) -> None:
        """Use the server, and start or make it if need be.

        Raises DatabaseUnavailable with the last lines of its log when it does not start.
        """
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        async with self._changing():
            await self._users.share(STOP_TIMEOUT_S)
            try:
                await self._make()
                await self._run()
            except BaseException:
                self._users.release()
                raise

    async def revive(self) -> None:
        """Start the server again if it has died under its users, and wait until it lets them in."""
        async with self._changing():
            await self._run()

    async def leave(self) -> None:
        """Stop using the server; the last one to leave stops it."""
        async with self._changing():
            self._users.release()
            if self._users.take_at_once():
                await self._stop()
            self._users.release()

    @asynccontextmanager
    async def _changing(self) -> AsyncIterator[None]:
        """Be the only one of all processes, and in this one, who starts or stops the server."""
        async with self._turn:
            await self._change.take(START_TIMEOUT_S)
            try:
                yield
            finally:
                self._change.release()

    def url(self, database: str) -> str:
        """Give the address of a database on the running server."""
        running = Postmaster.read(self.folder)
        if running is None:
            raise DatabaseUnavailable(f"the PostgreSQL in {self.folder} is not running")
        return running.url(database, self._password())

    def _password(self) -> str:
        file = self.folder / "password"
        return file.read_text() if file.exists() else ""

    async def _make(self) -> None:
        """Make the folder under another name first, so that a crash leaves no half of it."""
        if (self.folder / "PG_VERSION").exists():
            return
        unfinished = self.folder.with_name(f"{self.folder.name}.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        postmaster.make_private_folder(unfinished)
        await self._initialise(unfinished)
        unfinished.rename(self.folder)
        _sync_folder(self.folder.parent)

    async def _initialise(self, folder: Path) -> None:
        command = [postmaster.program("initdb"), "-D", str(folder), "-U", postmaster.SUPERUSER, "-E", "UTF8"]
        command += ["--sync-method=syncfs"] if postmaster.LINUX else []
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--no-instructions"]
        command += [word for line in (*CONFIGURATION, *_memory(), *_compression()) for word in ("--set", line)]
        secret = folder.with_suffix(".password")
        if postmaster.WINDOWS:
            secret.write_text(secrets.token_hex(16))
            command += ["--auth=scram-sha-256", f"--pwfile={secret}"]
        else:
            command += ["--auth=trust"]  # the folder of the socket lets nobody else pass
        await _check(postmaster.as_owner(command, folder))
        if postmaster.WINDOWS:
            secret.rename(folder / "password")

    async def _run(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        process: subprocess.Popen[bytes] | None = None
        while not await self._ready():
            if time.monotonic() > deadline:
                raise DatabaseUnavailable(f"PostgreSQL did not start:\n{self._last_words()}")
            if not self._answers() and (process is None or process.poll() is not None):
                if process is not None:
                    await self._consider(process, deadline)
                process = self._start()
            await asyncio.sleep(POLL_S)

    async def _ready(self) -> bool:
        """Whether it lets us in: one that was just killed may look alive for a moment."""
        found = Postmaster.read(self.folder)
        if found is None or found.status != "ready":
            return False
        import asyncpg  # takes long, so not before there is somebody to talk to

        try:
            connection = await asyncpg.connect(found.url("postgres", self._password()), timeout=10)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        await connection.close()
        return True

    def _answers(self) -> bool:
        found = Postmaster.read(self.folder)
        return found is not None and found.answers()

    def _start(self) -> subprocess.Popen[bytes]:
        postmaster.reap()
        postmaster.make_private_folder(self.folder)
        postmaster.forget_dead(self.folder)
        options = [word for line in self._options for word in ("-c", line)]
        return postmaster.spawn([*options, *postmaster.listening_options(self.folder)], self.folder, self._log)

    @property
    def _log(self) -> Path:
        return self.folder / "server.log"

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines() if self._log.exists() else []
        return "\n".join(lines[-5:])

    async def _consider(self, process: subprocess.Popen[bytes], deadline: float) -> None:
        """Decide whether a server that ended at once is worth another try: its killed predecessor may still be dying."""
        words = self._last_words()
        if "lock file" not in words and "shared memory block" not in words:
            raise DatabaseUnavailable(f"PostgreSQL ended with status {process.returncode}:\n{words}")
        await asyncio.sleep(min(0.2, max(0.0, deadline - time.monotonic())))

    async def _stop(self) -> None:
        found = Postmaster.read(self.folder)
        if found is None:
            return
        for at_once in (False, True):
            found.stop(self.folder, at_once)
            deadline = time.monotonic() + STOP_TIMEOUT_S
            while time.monotonic() < deadline:
                if not (self.folder / "postmaster.pid").exists() or not found.lives(self.folder):
                    postmaster.reap()
                    return
                await asyncio.sleep(POLL_S)
            logger.warning("PostgreSQL did not stop in time")


def _memory() -> tuple[str, ...]:
    """Give the settings that go by the machine's memory: the index of a million studies fits into 512 MB and the rest."""
    machine = (os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 2**32) >> 20
    return f"shared_buffers={min(max(machine // 8, 64), 512)}MB", f"effective_cache_size={machine // 2}MB"


def _compression() -> tuple[str, ...]:
    """Give the settings for a PostgreSQL that was built with LZ4."""
    built = subprocess.run([postmaster.program("pg_config"), "--configure"], capture_output=True, check=True)  # noqa: S603
    return ("wal_compression=lz4", "default_toast_compression=lz4") if b"--with-lz4" in built.stdout else ()


async def _check(command: list[str]) -> None:
    process = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    output, _ = await process.communicate()
    if process.returncode != 0:
        raise DatabaseUnavailable(f"{Path(command[0]).name} failed:\n{output.decode(errors='replace')}")


def _sync_folder(folder: Path) -> None:
    if postmaster.WINDOWS:
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
