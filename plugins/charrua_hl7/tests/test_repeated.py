"""Messages that come again: what was done is done once, what failed is tried again; all of them are in the audit trail."""

from __future__ import annotations

import asyncio
from typing import Any

from sqlalchemy import select

from charrua_core import tables
from charrua_hl7.intake.arrival import Arrival
from charrua_hl7.intake.keeping import keep
from charrua_hl7.testing import code, order


async def test_a_message_that_failed_is_tried_again_under_its_number(listen: Any) -> None:
    listening = await listen()
    async with listening.sender() as his:
        change = order("7", "CA")
        assert code(await his.send(change)) == "AE"
        await his.send(order("7"))
        assert code(await his.send(change)) == "AA"
    first, second = await listening.rows()
    assert (first.control_id, first.state, first.attempts) == ("C7CA", "done", 2)
    assert second.attempts == 1
    assert [entry.status for entry in await listening.entries()] == ["DISCONTINUED"]


async def test_messages_without_a_control_id_are_never_taken_for_the_same(listen: Any) -> None:
    listening = await listen()
    text = order("7", control_id="X").replace("|X|", "||").encode()
    await keep(listening.app, [await Arrival.read(text, "127.0.0.1") for _ in range(2)])
    assert len(await listening.rows()) == 2


async def test_the_same_control_id_of_another_sender_or_content_is_another_message(listen: Any) -> None:
    listening = await listen()
    async with listening.sender() as his:
        for text in (order("7"), order("7").replace("|HIS|", "|RIS|"), order("7", "XO", control_id="C7NW")):
            assert code(await his.send(text)) == "AA"
    assert len(await listening.rows()) == 3


async def test_the_same_message_on_two_connections_at_the_same_moment_is_done_once(listen: Any) -> None:
    app = (listening := await listen()).app
    for number in range(5):
        pair = [await Arrival.read(order(str(number)).encode(), "127.0.0.1") for _ in range(2)]
        await asyncio.gather(*(keep(app, [one]) for one in pair))
        assert pair[0].answer == pair[1].answer
    assert len(await listening.rows()) == 5
    assert [entry.version for entry in await listening.entries()] == [1] * 5


async def test_every_message_is_in_the_audit_trail_with_what_came_of_it(listen: Any) -> None:
    listening = await listen()
    async with listening.sender() as his:
        await his.send(order("7"))
        await his.send(order("8", "CA"))
    async with listening.app.db.reading() as connection:
        rows = (await connection.execute(select(tables.audit).order_by(tables.audit.c.id))).all()
    told = [
        (row.who, row.succeeded, row.detail["answer"]) for row in rows if row.who == "HL7 HIS" and row.action == "E"
    ]
    assert told == [("HL7 HIS", True, "AA"), ("HL7 HIS", False, "AE")]


async def test_a_message_that_is_refused_is_among_the_troubles(listen: Any) -> None:
    listening = await listen()
    async with listening.sender() as his:
        await his.send(order("8", "CA"))
    await listening.app.troubles.flush()
    [trouble] = await listening.app.troubles.all()
    assert (trouble.kind, trouble.who, trouble.facts["answer"]) == ("message", "HIS", "AE")
    assert trouble.facts["reason"] == "no order of this number is known here"
