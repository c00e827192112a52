"""Listening sockets: bound once, handed on to worker processes by their descriptors."""

from __future__ import annotations

import socket
from collections.abc import Mapping

from charrua_core.errors import CharruaError

Sockets = dict[str, socket.socket]

PLAIN, TLS = "dicom", "dicom_tls"
"""Names of the DICOM listener's."""


class AddressTaken(CharruaError):
    """The address cannot be listened at."""


def bind(host: str, port: int, name: str, backlog: int = 1024) -> socket.socket:
    """Give a listening socket; AddressTaken says who wanted it and why it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(backlog)
    except OSError as error:
        listening.close()
        raise AddressTaken(f"{name} cannot listen at {host} port {port}: {error.strerror or error}") from error
    listening.setblocking(False)
    return listening


def to_variable(sockets: Mapping[str, socket.socket]) -> str:
    """Give the descriptors as `name=5 name=6`, for a worker's environment."""
    return " ".join(f"{name}={listening.fileno()}" for name, listening in sockets.items())


def from_variable(text: str) -> Sockets:
    """Give the sockets whose descriptors this process has inherited."""
    pairs = (pair.split("=") for pair in text.split())
    return {name: socket.socket(fileno=int(number)) for name, number in pairs}
