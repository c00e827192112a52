"""Connections of senders: the order of their answers, how far they are read ahead, what ends them, and how many there are."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
from sqlalchemy import select

from charrua_core import tables
from charrua_core.testing.waiting import until
from charrua_hl7.intake.connection import MOST_UNANSWERED
from charrua_hl7.intake.framing import framed
from charrua_hl7.testing import code, order


class Held:
    """In the place of the intake: it answers when the test says so, or all at once with `answer`."""

    def __init__(self, answer: bytes | None = None) -> None:
        self.asked: list[asyncio.Future[bytes | None]] = []
        self._answer = answer

    def offer(self, _content: bytes, _address: str, _sender: Any = None) -> asyncio.Future[bytes | None]:
        self.asked.append(asyncio.get_running_loop().create_future())
        if self._answer is not None:
            self.asked[-1].set_result(self._answer)
        return self.asked[-1]


async def noted(listening: Any) -> list[str]:
    """Why senders were refused or cut, as the listener has taken note of it."""
    await listening.app.troubles.flush()
    return [one.facts["reason"] for one in await listening.app.troubles.all() if one.kind == "connection"]


async def until_noted(listening: Any, reason: str) -> None:
    async def is_noted() -> bool:
        return reason in await noted(listening)

    await until(is_noted)


async def is_cut(his: Any) -> bool:
    """Whether a connection ends without an answer, and soon."""
    async with asyncio.timeout(5):
        try:
            return bool(await his.reader.read() == b"")
        except ConnectionError:
            return True


async def test_answers_are_given_in_the_order_of_the_messages_whichever_is_ready_first(listen: Any) -> None:
    listening = await listen()
    held = listening.listener.intake = Held()
    async with listening.sender() as his:
        await his.raw(framed(b"MSH|1") + framed(b"MSH|2") + framed(b"MSH|3"))
        await until(lambda: len(held.asked) == 3)
        held.asked[2].set_result(b"third")
        held.asked[0].set_result(b"first")
        assert await his.answer() == b"first"
        held.asked[1].set_result(b"second")
        assert [await his.answer(), await his.answer()] == [b"second", b"third"]


async def test_no_more_is_read_of_a_sender_that_has_many_messages_unanswered(listen: Any) -> None:
    listening = await listen()
    held = listening.listener.intake = Held()
    frame, count = framed(b"MSH|" + b"x" * 16_000), 12 * MOST_UNANSWERED
    async with listening.sender() as his:
        sending = asyncio.create_task(his.raw(frame * count))
        await until(lambda: len(held.asked) >= MOST_UNANSWERED)
        await asyncio.sleep(0.3)
        assert len(held.asked) < 2 * MOST_UNANSWERED
        for number in range(count):
            await until(lambda: len(held.asked) > number)  # noqa: B023 -- it is awaited here
            held.asked[number].set_result(b"MSA")
            assert await his.answer() == b"MSA"
        await sending


async def test_a_sender_that_takes_no_answers_is_read_no_further_and_cut_in_time(listen: Any) -> None:
    listening = await listen(hl7_frame_timeout="1 s")
    held = listening.listener.intake = Held(b"MSA" * 10_000)
    frame, count = framed(b"MSH|" + b"x" * 16_000), 1000
    async with listening.sender() as his:
        his.writer.transport.pause_reading()  # type: ignore[attr-defined]
        with contextlib.suppress(ConnectionError):
            await his.raw(frame * count)
        await until_noted(listening, "a message did not come whole in time")
        assert len(held.asked) < count


async def test_a_message_that_comes_drop_by_drop_has_its_time_from_its_beginning(listen: Any) -> None:
    listening = await listen(hl7_frame_timeout="1 s")
    async with listening.sender() as his:

        async def drip() -> None:
            with contextlib.suppress(ConnectionError):
                await his.raw(b"\x0bMSH")
                while True:
                    await asyncio.sleep(0.1)
                    await his.raw(b"|")

        dripping = asyncio.create_task(drip())
        assert await is_cut(his)
        dripping.cancel()


async def test_a_sender_that_says_no_more_has_its_answer(listen: Any) -> None:
    listening = await listen()
    async with listening.sender() as his:
        await his.raw(framed(order().encode()))
        his.writer.write_eof()
        assert b"MSA|AA" in await his.answer()
        assert await his.reader.read() == b""


@pytest.mark.parametrize(
    ("sent", "settings", "reason"),
    [
        (b"\x0bMSH|never closed", {"hl7_frame_timeout": "1 s"}, "a message did not come whole in time"),
        (b"GET / HTTP/1.1\r\n\r\n", {}, "it speaks HTTP"),
        (b"\x0bMSH|" + b"x" * 5000, {"hl7_max_message_bytes": 4096}, "it has more than 4096 bytes"),
    ],
)
async def test_why_a_sender_was_cut_is_noted(listen: Any, sent: bytes, settings: dict[str, Any], reason: str) -> None:
    listening = await listen(**settings)
    async with listening.sender() as his:
        await his.raw(sent)
        await until_noted(listening, reason)


async def test_a_sender_that_may_not_send_is_in_the_audit_trail(listen: Any) -> None:
    listening = await listen(hl7_senders="192.0.2.7")
    async with listening.sender() as his:
        assert await is_cut(his)
    await listening.app.audit.flush()
    async with listening.app.db.reading() as connection:
        rows = (await connection.execute(select(tables.audit))).all()
    [kept] = [row for row in rows if row.detail.get("listener") == "HL7"]
    assert (kept.event, kept.succeeded, kept.who) == ("110113", False, "127.0.0.1")


async def test_a_listener_that_ends_lets_what_has_come_be_answered(listen: Any) -> None:
    listening = await listen()
    held = listening.listener.intake = Held()
    async with listening.sender() as his:
        await his.raw(framed(b"MSH|"))
        await until(lambda: bool(held.asked))
        stopping = asyncio.create_task(listening.listener.stop())
        await asyncio.sleep(0.2)
        assert not stopping.done()
        held.asked[0].set_result(b"MSA|AA")
        assert await his.answer() == b"MSA|AA"
        await stopping


async def test_a_failed_tls_handshake_is_noted_and_takes_no_place(listen: Any) -> None:
    listening = await listen(hl7_tls="encrypt", hl7_max_connections=1)
    for _ in range(2):
        async with listening.sender() as his:
            await his.raw(framed(order().encode()))
            with contextlib.suppress(ConnectionError):
                async with asyncio.timeout(5):
                    assert b"MSA" not in await his.reader.read()
        await asyncio.sleep(0.05)
    assert {reason.partition(":")[0] for reason in await noted(listening)} == {"TLS failed"}


async def test_a_listener_ends_while_a_sender_is_in_its_tls_handshake(listen: Any) -> None:
    listening = await listen(hl7_tls="encrypt")
    async with listening.sender():
        await asyncio.sleep(0.05)
        await listening.listener.stop()


@pytest.mark.parametrize("limit", ["hl7_max_connections", "hl7_max_connections_per_address"])
async def test_there_are_no_more_connections_than_may_be_also_when_many_come_at_once(listen: Any, limit: str) -> None:
    listening = await listen(**{limit: 2})
    async with contextlib.AsyncExitStack() as stack:
        senders = [listening.sender() for _ in range(8)]
        await asyncio.gather(*(stack.enter_async_context(one) for one in senders))
        taken = [one for one in senders if not await soon_cut(one)]
        assert len(taken) == 2
        for one in taken:
            assert code(await one.send(order())) == "AA"
    assert [reason.partition(" from")[0] for reason in await noted(listening)] == ["there are too many connections"]


async def soon_cut(his: Any) -> bool:
    try:
        async with asyncio.timeout(0.5):
            return await is_cut(his)
    except TimeoutError:
        return False
