"""HL7 against a whole archive in processes of its own: workers, crashes, mutated messages."""

from __future__ import annotations

import asyncio
import importlib.util
import random
import sys
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from charrua_core.testing import outside
from charrua_hl7.intake.framing import framed
from charrua_hl7.intake.splitting import split
from charrua_hl7.message import Message
from charrua_hl7.testing import Sender, code, order

FOLDER = outside.DATA / "hl7"


async def column(archive: Any, statement: str) -> list[Any]:
    connection = await asyncpg.connect(archive.environment["CHARRUA_DATABASE_URL"])
    try:
        return [row[0] for row in await connection.fetch(statement)]
    finally:
        await connection.close()


@pytest.mark.settings(workers=2)
async def test_two_worker_processes_share_the_port_and_nothing_acknowledged_is_lost_when_they_are_killed(
    archive: Any,
) -> None:
    acknowledged: list[str] = []
    enough = asyncio.Event()

    async def send(name: str) -> None:
        async with Sender(*archive.hl7) as his:
            for number in range(10_000):
                answer = await his.send(order(f"{name}{number}"))
                assert code(answer) == "AA"
                acknowledged.append(answer.text("MSA-2"))
                if len(acknowledged) == 60:
                    enough.set()

    senders = [asyncio.create_task(send(name)) for name in "ABCDEF"]
    async with asyncio.timeout(30):
        await enough.wait()
    await archive.kill()
    await asyncio.gather(*senders, return_exceptions=True)
    kept = await column(archive, "SELECT control_id FROM charrua_hl7.message WHERE state = 'done'")
    entered = await column(archive, "SELECT accession_number FROM charrua_hl7.entry")
    assert set(acknowledged) <= set(kept)
    assert len(set(kept)) == len(kept)
    assert sorted(f"C{number.removeprefix('A')}NW" for number in entered) == sorted(kept)
    await archive.start()
    async with Sender(*archive.hl7) as his:
        assert code(await his.send(order("after"))) == "AA"


def mutated() -> Any:
    """The mutations of `benchmarks.hl7`, of which this test takes a sample."""
    path = Path(__file__).parents[3] / "benchmarks" / "hl7_mutations.py"
    spec = importlib.util.spec_from_file_location("hl7_mutations", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["hl7_mutations"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Mutations


@outside.with_data
async def test_mutated_messages_are_all_answered_and_what_is_acknowledged_is_there(listen: Any) -> None:
    mutations = mutated().of_folder(FOLDER, random.Random(7))
    listening = await listen()
    accepted = set()
    async with listening.sender() as his:
        for turn in range(20):
            frames = [mutations.frame() for _ in range(20)]
            await his.raw(b"".join(frames) + framed(order(f"ping{turn}").encode()))
            while (answer := await his.answer()) and f"Cping{turn}NW".encode() not in answer:
                told = [Message.parse(part) for part in split(answer).messages]
                accepted |= {int(one.text("MSH-10")[1:]) for one in told if code(one) == "AA"}
    kept = await listening.rows()
    assert accepted <= {row.id for row in kept if row.state == "done"}
    assert len(accepted) > 50
    assert not [row.sentence for row in kept if row.sentence.startswith("An error in this archive")]
