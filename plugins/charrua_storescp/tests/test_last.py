"""When the last object came is told to who watches over the archive."""

from __future__ import annotations

import time

from charrua_core.testing.devices import Modality
from charrua_core.testing.objects import an_object
from charrua_core.testing.running import Archive

LAST = "charrua_last_object_timestamp_seconds"


async def test_when_the_last_object_came_is_read_for_a_scrape_and_told_by_status(
    archive: Archive, modality: Modality
) -> None:
    assert LAST not in (await archive.measured()).families
    assert "storing   ok: no object has come yet" in await archive.run("status")
    await modality.give(an_object())
    assert abs((await archive.measured()).get(LAST) - time.time()) < 60
    assert "storing   ok: the last object came at 20" in await archive.run("status")
