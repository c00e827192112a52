"""The parties of a worklist around a running archive."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from charrua_core.testing.worklist import Listening, Party


@pytest.fixture
def listening(archive: Any) -> Iterator[Listening]:
    """A function that has a party of this AE title listen, known to the archive as a peer."""
    listening = Listening(archive)
    yield listening
    listening.stop()


@pytest.fixture
async def performer(listening: Listening) -> Party:
    """Who performs."""
    return await listening("PERFORMER")


@pytest.fixture
async def orderer(listening: Listening) -> Party:
    """Who orders."""
    return await listening("ORDERER")
