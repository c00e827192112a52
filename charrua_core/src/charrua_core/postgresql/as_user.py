"""Run a command as another OS user: PostgreSQL refuses to run as root, who may have started the archive.

`python -I as_user.py UID GID COMMAND…` as root on Linux. The other user may be unable to enter the folders on the way to
the database or to the programs (`/root`, a private temporary folder); instead of opening those folders to everybody, the
command keeps root's right to pass them (`CAP_DAC_OVERRIDE`). Nothing of ours is imported here: it has to start fast.
"""

from __future__ import annotations

import ctypes
import os
import sys

PR_SET_KEEPCAPS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 8, 47, 2
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2
CAPABILITY_VERSION = 0x20080522


def main() -> None:
    """Become the user, then the command."""
    uid, gid, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    if os.access(command[0], os.X_OK, effective_ids=True) and _reaches(uid, command):
        os.setresuid(uid, uid, uid)
    else:
        _become_keeping_passage(uid)
    os.umask(0o077)
    os.execv(command[0], command)  # noqa: S606


def _reaches(uid: int, command: list[str]) -> bool:
    """Whether the user can enter the program's folder and the folders that the command names."""
    os.seteuid(uid)
    try:
        folders = [os.path.dirname(command[0]), *(word for word in command if os.path.isabs(word))]
        return all(os.access(folder, os.R_OK | os.X_OK, effective_ids=True) for folder in folders)
    finally:
        os.seteuid(0)


def _become_keeping_passage(uid: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    mask = 1 << CAP_DAC_OVERRIDE | 1 << CAP_DAC_READ_SEARCH
    permitted = _capabilities(libc) & mask
    _check(libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0))
    os.setresuid(uid, uid, uid)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
    _check(libc.capset(header, (ctypes.c_uint32 * 6)(permitted, permitted, permitted, 0, 0, 0)))
    for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
        if permitted & 1 << capability:
            _check(libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0))


def _capabilities(libc: ctypes.CDLL) -> int:
    """Give the permitted capabilities 0 to 31."""
    header, sets = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0), (ctypes.c_uint32 * 6)()
    _check(libc.capget(header, sets))
    return sets[1]


def _check(result: int) -> None:
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"cannot keep the right to pass closed folders: {os.strerror(error)}")


if __name__ == "__main__":
    main()
