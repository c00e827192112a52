"""Transactions of the intake beside one another: none waits for another that has nothing to do with it, none fails by one."""

from __future__ import annotations

import asyncio
from typing import Any

from sqlalchemy import text

from charrua_hl7.intake import keeping
from charrua_hl7.intake.arrival import Arrival
from charrua_hl7.intake.keeping import keep
from charrua_hl7.testing import code, order


def renamed(patient: str, name: str, control_id: str) -> str:
    """A message by which a patient has another name."""
    head = f"MSH|^~\\&|HIS|CLINIC|||20270101||ADT^A31|{control_id}|P|2.5.1"
    return f"{head}\rEVN|A31|20270101\rPID|1||{patient}^^^CLINIC||{name}\r"


async def arrivals(*messages: str) -> list[Arrival]:
    return [await Arrival.read(message.encode(), "127.0.0.1") for message in messages]


async def test_messages_on_the_same_patients_in_another_order_never_wait_for_one_another(
    listen: Any, monkeypatch: Any
) -> None:
    app = (listening := await listen()).app
    await keep(app, await arrivals(order("1", patient="P1"), order("2", patient="P2")))
    monkeypatch.setattr(keeping, "TRIES", 1)  # a deadlock is an error then
    for turn in range(5):
        one = await arrivals(renamed("P1", f"One^{turn}", f"a{turn}"), renamed("P2", f"One^{turn}", f"b{turn}"))
        other = await arrivals(renamed("P2", f"Other^{turn}", f"c{turn}"), renamed("P1", f"Other^{turn}", f"d{turn}"))
        await asyncio.gather(keep(app, one), keep(app, other))
        assert {arrival.acknowledgement for arrival in [*one, *other]} == {"AA"}
    assert len(await listening.rows()) == 22


async def test_a_message_that_has_to_wait_holds_up_none_of_another_sender(listen: Any) -> None:
    listening = await listen()
    async with listening.sender() as waits, listening.sender() as other:
        await waits.send(order("1", patient="P1"))
        async with listening.app.db.transaction() as tx:
            await tx.execute(text("SELECT FROM charrua_hl7.entry FOR UPDATE"))
            await waits.raw(b"\x0b" + renamed("P1", "New^Name", "r1").encode() + b"\x1c\r")
            await asyncio.sleep(0.2)
            async with asyncio.timeout(5):
                assert code(await other.send(order("2", patient="P2"))) == "AA"
        assert b"MSA|AA|r1" in await waits.answer()
