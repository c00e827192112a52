"""Frames that wait: whose is done next."""

from __future__ import annotations

import asyncio

import pytest

from charrua_hl7.intake.waiting import Frame, Sender, Waiting

ALL = 1 << 20


@pytest.fixture
async def waiting() -> Waiting:
    return Waiting()


def send(waiting: Waiting, sender: Sender, *contents: bytes) -> None:
    for content in contents:
        waiting.add(Frame(content, "127.0.0.1", sender, asyncio.get_running_loop().create_future()))


def taken(waiting: Waiting, most: int, size: int = ALL) -> list[bytes]:
    """Take frames and have them done at once."""
    frames = waiting.take(most, size)
    waiting.done(frames)
    return [frame.content for frame in frames]


async def test_what_one_sender_sends_is_done_in_its_order(waiting: Waiting) -> None:
    send(waiting, Sender(), b"1", b"2", b"3")
    assert taken(waiting, 2) + taken(waiting, 2) == [b"1", b"2", b"3"]


async def test_while_one_is_being_done_those_behind_it_are_not_and_those_of_others_are(waiting: Waiting) -> None:
    one, other = Sender(), Sender()
    send(waiting, one, b"1")
    done = waiting.take(1, ALL)
    send(waiting, one, b"2")
    assert not waiting.some.is_set()
    send(waiting, other, b"other")
    assert taken(waiting, 10) == [b"other"]
    waiting.done(done)
    assert taken(waiting, 10) == [b"2"]


async def test_who_waits_for_each_answer_does_not_wait_for_all_that_others_have_sent_ahead(waiting: Waiting) -> None:
    for _ in range(16):
        send(waiting, Sender(), *[b"ahead"] * 20)
    send(waiting, Sender(), b"one")
    assert taken(waiting, 1) == [b"one"]


async def test_who_has_sent_much_ahead_is_not_kept_waiting_for_ever(waiting: Waiting) -> None:
    send(waiting, Sender(), *[b"ahead"] * 20)
    left = 20
    for _ in range(20):
        send(waiting, Sender(), b"one")
        send(waiting, Sender(), b"one")
        left -= taken(waiting, 2).count(b"ahead")
    assert left == 0


async def test_no_more_bytes_are_taken_together_than_one_transaction_should_have(waiting: Waiting) -> None:
    send(waiting, Sender(), b"a" * 60, b"b" * 60, b"c")
    assert len(taken(waiting, 10, 100)) == 2


async def test_nothing_is_there_to_be_taken_once_all_is(waiting: Waiting) -> None:
    send(waiting, Sender(), b"1")
    assert waiting.some.is_set()
    assert taken(waiting, 10) == [b"1"]
    assert not waiting.some.is_set()


async def test_what_is_given_up_waits_no_longer(waiting: Waiting) -> None:
    sender = Sender()
    send(waiting, sender, b"1", b"2")
    assert [frame.content for frame in waiting.give_up()] == [b"1", b"2"]
    send(waiting, sender, b"3")
    assert taken(waiting, 10) == [b"3"]
