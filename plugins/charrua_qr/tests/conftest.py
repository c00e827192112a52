"""A destination of retrievals."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from charrua_core.dicom import Acceptor, Association, CommandField, Dispatcher, Limits, Message, ServiceClass
from charrua_core.types import Peer

Take = Callable[[Association, Message], Awaitable[None]]


@pytest.fixture
def listening(archive):
    """A function that has a peer listen whose C-STOREs `take` answers: `async with listening(take, "SINK") as acceptor`."""

    @asynccontextmanager
    async def listening(take: Take, aet: str) -> AsyncIterator[Acceptor]:
        service = ServiceClass("storage", lambda _: True, take, frozenset({CommandField.C_STORE}))
        acceptor = Acceptor(Limits(), Dispatcher([service]))
        await acceptor.start("127.0.0.1", 0)
        await archive.add_peer(Peer(aet, "127.0.0.1", acceptor.port))
        yield acceptor
        await acceptor.stop(grace_s=0.1)

    return listening
