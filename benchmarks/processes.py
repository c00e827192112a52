"""A server's processes as the kernel sees them: which they are, their processor time, their memory, their end."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Usage:
    """What a server's processes used: processor milliseconds and peak resident MiB, PostgreSQL's own part beside them.

    Resident memory of PostgreSQL counts its shared buffers once per process, so it is an upper bound.
    """

    cpu_ms: float
    database_cpu_ms: float
    peak_mib: float
    database_peak_mib: float

    @property
    def whole_cpu_ms(self) -> float:
        """Processor time of server and database together."""
        return self.cpu_ms + self.database_cpu_ms


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from `state` on; empty when the process is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return text.rpartition(")")[2].split()


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _works_below(pid: int, folder: Path) -> bool:
    try:
        where = os.readlink(f"/proc/{pid}/cwd")
    except OSError:
        return False
    return Path(where).is_relative_to(folder)


def family(root: int, data_dir: Path) -> list[int]:
    """The processes of a server: `root`, its descendants, and whatever works below its data folder.

    Ended ones that their parent has not yet waited for are among them, so that their processor time is counted.
    The last finds an embedded PostgreSQL, which leaves the family and is adopted by process 1.
    """
    found = {pid for pid in _pids() if pid == root or _works_below(pid, data_dir)} - {os.getpid()}
    return _with_descendants(found)


def own_cpu_ms() -> float:
    """Processor milliseconds that this process and all below it, ended ones too, have used."""
    return sum(map(_cpu_ms, _with_descendants({os.getpid()})))


def _with_descendants(found: set[int]) -> list[int]:
    parents = {pid: int(fields[1]) for pid in _pids() if (fields := _stat(pid))}
    while children := {pid for pid, parent in parents.items() if parent in found and pid not in found}:
        found |= children
    return sorted(found & parents.keys())


def _is_postgres(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().startswith("postgres")
    return False


def _cpu_ms(pid: int) -> float:
    """User and system time of a process and of its children that ended."""
    fields = _stat(pid)
    return sum(int(value) for value in fields[11:15]) * _TICK_MS if fields else 0.0


def _status_mib(pid: int, field: str) -> float:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) / 1024
    return 0.0


def usage(pids: list[int]) -> Usage:
    """What these processes used since their start, or since `forget_peaks` for the memory."""
    database = [pid for pid in pids if _is_postgres(pid)]
    server = [pid for pid in pids if pid not in database]
    return Usage(
        cpu_ms=sum(map(_cpu_ms, server)),
        database_cpu_ms=sum(map(_cpu_ms, database)),
        peak_mib=sum(_status_mib(pid, "VmHWM") for pid in server),
        database_peak_mib=sum(_status_mib(pid, "VmHWM") for pid in database),
    )


def resident_mib(pids: list[int]) -> float:
    """What these processes hold now, shared pages counted in parts so that the sum is true."""
    total_kib = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
            total_kib += next((int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")), 0)
    return total_kib / 1024


def forget_peaks(pids: list[int]) -> None:
    """Let the peak resident memory of each process count from now."""
    for pid in pids:
        with contextlib.suppress(OSError):
            Path(f"/proc/{pid}/clear_refs").write_text("5")


def kill(pids: list[int]) -> None:
    """SIGKILL to each of these processes and wait until none of them lives."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for _ in wait_until(10.0):
        if not any((fields := _stat(pid)) and fields[0] != "Z" for pid in pids):
            return
    raise TimeoutError(f"processes {pids} outlive SIGKILL")


def wait_until(timeout_s: float, step_s: float = 0.01) -> Iterator[float]:
    """Yield the seconds waited so far, every `step_s`, until `timeout_s` has passed."""
    start = time.monotonic()
    while (waited := time.monotonic() - start) < timeout_s:
        yield waited
        time.sleep(step_s)
