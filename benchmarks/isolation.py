"""A private loopback: several peers bind every interface, so the benchmarks cut themselves off from the network first."""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import sys
from pathlib import Path

_CLONE_NEWNET = 0x40000000
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 0x1


def isolate() -> None:
    """Move this process and its later children into a network of their own that holds the loopback only.

    DCMTK's programs are found before pynetdicom's of the same names, which lie beside Python. Raises PermissionError where
    that is not allowed (it takes root): then no peer that binds everywhere may be started.
    """
    ours = Path(sys.executable).parent
    os.environ["PATH"] = os.pathsep.join(folder for folder in os.get_exec_path() if Path(folder) != ours)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET) != 0:
        code = ctypes.get_errno()
        raise PermissionError(code, f"no network of our own: {os.strerror(code)}; run as root")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        flags = struct.unpack("16sh", fcntl.ioctl(control, _SIOCGIFFLAGS, struct.pack("16sh", b"lo", 0)))[1]
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sh", b"lo", flags | _IFF_UP))


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
