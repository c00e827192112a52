"""System calls of a running server and its database, in the order in which they happened, by strace."""

from __future__ import annotations

import contextlib
import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

WRITES = ("write", "writev", "pwrite64", "pwritev", "pwritev2", "sendto", "sendmsg", "sendfile")
FLUSHES = ("fdatasync", "fsync")
RENAMES = ("rename", "renameat", "renameat2", "link", "linkat")
_TRACED = ",".join((*WRITES, *FLUSHES, *RENAMES, "mkdir", "mkdirat"))

_LINE = re.compile(r"(?P<pid>\d+) +(?P<at>\d+\.\d+) (?P<rest>.*)")
_CALL = re.compile(r"(?P<name>\w+)\((?P<arguments>.*)\) += (?P<result>-?\d+|\?).*?(?:<(?P<took>\d+\.\d+)>)?$")
_RESUMED = re.compile(r"<\.\.\. \w+ resumed>(?P<rest>.*)")
_DESCRIPTOR = re.compile(r"\d+<(?P<path>(?:[^>]|(?<=-)>)*)>")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Call:
    """One system call that succeeded: when it began and ended, and its arguments as strace prints them."""

    pid: int
    name: str
    arguments: str
    began: float
    ended: float

    @property
    def path(self) -> str:
        """What its descriptor stands for: a path, or a socket with both its ends."""
        found = _DESCRIPTOR.match(self.arguments)
        return found["path"] if found else ""

    @property
    def paths(self) -> list[str]:
        """The paths it names in quotes."""
        return _QUOTED.findall(self.arguments)


@contextlib.contextmanager
def traced(pids: Sequence[int], output: Path) -> Iterator[None]:
    """While inside, every traced call of these processes, and of those they start, goes to `output`."""
    command = ["strace", "-f", "-ttt", "-T", "-yy", "-s", "400000", "-qq", "-o", str(output), "-e", f"trace={_TRACED}"]
    attach = [part for pid in pids for part in ("-p", str(pid))]
    process = subprocess.Popen([*command, *attach], stderr=subprocess.DEVNULL)
    try:
        time.sleep(1.5)  # strace does not say when it has attached to all
        if process.poll() is not None:
            raise RuntimeError("strace could not attach; run as root")
        yield
        time.sleep(0.5)
    finally:
        process.terminate()
        process.wait()


def calls(output: Path) -> Iterator[Call]:
    """The successful calls of a trace in the order in which they began."""
    found = []
    begun: dict[str, tuple[float, str]] = {}
    with output.open(errors="replace") as lines:
        for line in lines:
            if (match := _LINE.match(line)) is None:
                continue
            pid, at, rest = match["pid"], float(match["at"]), match["rest"]
            if rest.endswith("<unfinished ...>"):
                begun[pid] = (at, rest.removesuffix("<unfinished ...>"))
                continue
            if (resumed := _RESUMED.match(rest)) is not None and pid in begun:
                at, first = begun.pop(pid)
                rest = first + resumed["rest"]
            if (call := _call(int(pid), at, rest)) is not None:
                found.append(call)
    return iter(sorted(found, key=lambda call: call.began))


def _call(pid: int, at: float, text: str) -> Call | None:
    match = _CALL.match(text)
    if match is None or match["result"] in ("?", "-1"):
        return None
    return Call(pid, match["name"], match["arguments"], at, at + float(match["took"] or 0))
