"""Processes of `charrua` for tests, forked from one that has imported everything: a tenth of what a new interpreter takes.

`python -m charrua_core.testing.preloaded` is that one. It takes requests from the test session over the socket that is its
standard input, forks, and tells how each child ended. A child is `python -m charrua_core.cli` with the arguments, the
environment and the standard streams that the request brought, in a session of its own, and ends as an interpreter does.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from importlib.metadata import entry_points
from typing import Any

AVAILABLE = sys.platform == "linux"
_LONGEST = 1 << 20  # bytes of a request


class Preloaded:
    """The test session's end; `start` may be called from any event loop."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LONGEST)
        with theirs:
            command = [sys.executable, "-m", __name__]
            self._process = subprocess.Popen(command, stdin=theirs.fileno(), start_new_session=True)  # noqa: S603
        self._socket = ours
        self._turn = threading.Lock()
        self._begun: Future[int] = Future()
        self._ended: dict[int, Future[int]] = {}
        threading.Thread(target=self._listen, name="preloaded", daemon=True).start()

    async def start(
        self, arguments: Sequence[str], env: Mapping[str, str], *, stdin: int, stdout: int, stderr: int
    ) -> tuple[int, Future[int]]:
        """Start `charrua` with these streams; give its process number, and its exit status when it has one."""
        return await asyncio.to_thread(self._start, arguments, env, [stdin, stdout, stderr])

    def _start(self, arguments: Sequence[str], env: Mapping[str, str], streams: list[int]) -> tuple[int, Future[int]]:
        request = json.dumps([list(arguments), dict(env), os.getcwd()]).encode()
        with self._turn:
            self._begun = Future()
            socket.send_fds(self._socket, [request], streams)
            pid = self._begun.result(timeout=60)
            return pid, self._ended[pid]

    def _listen(self) -> None:
        while answer := self._socket.recv(64):
            what, pid, status = answer.split()
            if what == b"begun":
                self._ended[int(pid)] = Future()
                self._begun.set_result(int(pid))
            else:
                self._ended.pop(int(pid)).set_result(int(status))


@functools.cache
def preloaded() -> Preloaded:
    """Give the one of this test session."""
    return Preloaded()


class Forked:
    """A process as `asyncio.create_subprocess_exec` gives it, as far as tests use that. Get one with `fork`."""

    def __init__(self, pid: int, ended: Future[int], stdout: asyncio.StreamReader | None) -> None:
        self.pid = pid
        self.stdout = stdout
        self._ended = ended

    @property
    def returncode(self) -> int | None:
        """Its exit status, negative for the signal that ended it; None while it runs."""
        return self._ended.result() if self._ended.done() else None

    async def wait(self) -> int:
        """Give its status once it has ended."""
        return await asyncio.shield(asyncio.wrap_future(self._ended))

    def send_signal(self, number: int) -> None:
        """Send it a signal; ProcessLookupError where it has ended."""
        if self._ended.done():
            raise ProcessLookupError
        os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it."""
        self.send_signal(signal.SIGKILL)


async def fork(arguments: Sequence[str], env: Mapping[str, str], *, stdin: int, stderr: int) -> Forked:
    """Start `charrua` with a pipe from its standard output."""
    read, write = os.pipe()
    try:
        pid, ended = await preloaded().start(arguments, env, stdin=stdin, stdout=write, stderr=stderr)
    finally:
        os.close(write)
    reader = asyncio.StreamReader()
    pipe = os.fdopen(read, "rb", 0)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    return Forked(pid, ended, reader)


# -- the process that forks --------------------------------------------------------------------------------------------------
def main() -> None:
    """Serve requests until the session has ended; in a child, run the command."""
    import_all()
    arguments = _serve(socket.socket(fileno=os.dup(0)))
    if arguments is not None:
        from charrua_core.cli import main as charrua

        charrua(arguments)


def import_all() -> None:
    """Import core and the installed plugins, every module."""
    import charrua_core

    plugins = [importlib.import_module(entry.module) for entry in entry_points(group="charrua")]
    for package in (charrua_core, *plugins):
        for module in pkgutil.walk_packages(getattr(package, "__path__", ()), f"{package.__name__}."):
            if not {"testing", "versions", "lineage", "__main__"} & set(module.name.split(".")):
                with contextlib.suppress(ImportError):  # what another system's modules need
                    importlib.import_module(module.name)


def _serve(requests: socket.socket) -> list[str] | None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    while True:
        ready, _, _ = select.select([requests.fileno(), read], [], [])
        if read in ready:
            os.read(read, 1024)
            _tell_ended(requests)
        if requests.fileno() in ready:
            request, streams, _, _ = socket.recv_fds(requests, _LONGEST, 3)
            if not request:
                return None
            arguments = _fork(requests, json.loads(request), streams)
            if arguments is not None:
                os.close(read)
                os.close(write)
                return arguments


def _tell_ended(requests: socket.socket) -> None:
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            requests.send(f"ended {found[0]} {os.waitstatus_to_exitcode(found[1])}".encode())


def _fork(requests: socket.socket, request: list[Any], streams: list[int]) -> list[str] | None:
    """Fork; gives the arguments in the child, None in the parent."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    pid = os.fork()
    if pid:
        for stream in streams:
            os.close(stream)
        requests.send(f"begun {pid} 0".encode())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        return None
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    requests.close()
    return _become(request, streams)


def _become(request: list[Any], streams: list[int]) -> list[str]:
    from charrua_core import faults

    arguments, env, folder = request
    os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    sys.path[:0] = [path for path in env.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.argv = ["charrua", *arguments]
    sys.orig_argv = [sys.executable, "-m", "charrua_core.cli", *arguments]
    faults.arm(env.get("CHARRUA_FAULT", ""))
    return list(arguments)


if __name__ == "__main__":
    main()
