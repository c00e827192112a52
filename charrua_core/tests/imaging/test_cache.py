"""What imaging made is made once for all who ask, kept within its budget, and never wrong."""

from __future__ import annotations

import asyncio

import pytest

from charrua_core.errors import FrameUndecodable
from charrua_core.imaging.cache import ImageCache


class Maker:
    """Makes values of a size when it is let, and counts."""

    def __init__(self, size: int = 1000, failure: Exception | None = None) -> None:
        self.calls, self.size, self.failure = 0, size, failure
        self.let = asyncio.Event()
        self.let.set()

    async def __call__(self) -> bytes:
        self.calls += 1
        await self.let.wait()
        if self.failure:
            raise self.failure
        return b"%d" % self.calls * self.size


@pytest.fixture
async def cache():
    cache = ImageCache({"image_cache_bytes": 5000})
    yield cache
    await cache.close()


async def test_many_who_ask_at_once_wait_for_one_making(cache):
    make = Maker()
    make.let.clear()
    waiting = [asyncio.create_task(cache.get("key", make)) for _ in range(20)]
    await asyncio.sleep(0)
    make.let.set()
    assert set(await asyncio.gather(*waiting)) == {b"1" * 1000}
    assert make.calls == 1 and await cache.get("key", make) == b"1" * 1000


@pytest.mark.parametrize("cancelled", [0, 1], ids=["the first", "another"])
async def test_who_is_cancelled_leaves_the_others_waiting(cache, cancelled):
    make = Maker()
    make.let.clear()
    waiting = [asyncio.create_task(cache.get("key", make)) for _ in range(2)]
    await asyncio.sleep(0)
    waiting[cancelled].cancel()
    await asyncio.sleep(0)
    make.let.set()
    assert await waiting[1 - cancelled] == b"1" * 1000
    assert waiting[cancelled].cancelled() and make.calls == 1


async def test_a_failure_goes_to_all_who_wait_and_is_not_kept(cache):
    make = Maker(failure=FrameUndecodable())
    make.let.clear()
    waiting = [asyncio.create_task(cache.get("key", make)) for _ in range(3)]
    await asyncio.sleep(0)
    make.let.set()
    assert {type(one) for one in await asyncio.gather(*waiting, return_exceptions=True)} == {FrameUndecodable}
    make.failure = None
    assert await cache.get("key", make) == b"2" * 1000


async def test_the_least_recently_used_are_given_up_first(cache):
    makers = {key: Maker() for key in "abcd"}
    for key in "abcad":
        await cache.get(key, makers[key])
    assert cache.size_bytes <= 5000
    for key in "acdb":
        await cache.get(key, makers[key])
    assert {key: make.calls for key, make in makers.items()} == {"a": 1, "b": 2, "c": 1, "d": 1}


async def test_what_is_larger_than_the_budget_is_made_each_time(cache):
    make = Maker(size=6000)
    assert [len(await cache.get("key", make)) for _ in range(2)] == [6000, 6000]
    assert (make.calls, cache.size_bytes) == (2, 0)


async def test_closing_gives_up_what_is_being_made(cache):
    make = Maker()
    make.let.clear()
    waiting = asyncio.create_task(cache.get("key", make))
    await asyncio.sleep(0)
    await cache.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
