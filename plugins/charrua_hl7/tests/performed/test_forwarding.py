"""Steps that are passed on to other peers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydicom.dataset import Dataset
from sqlalchemy import func, select, update

from charrua_core.errors import CharruaError
from charrua_core.jobs import GiveUp
from charrua_core.testing.performed import Information, Performer, a_step, an_end, with_values
from charrua_core.types import Peer
from charrua_hl7.performed.forwarding import KEEP_TRYING, NotTaken, empty_line
from charrua_hl7.tables import performed, performed_forward


@pytest.fixture
def ris() -> Iterator[Information]:
    """An information system that listens."""
    information = Information()
    information.start()
    yield information
    information.stop()


@pytest.fixture
async def served(serve: Callable[..., Any], ris: Information) -> Any:
    """An archive that passes steps on to it."""
    archive = await serve({"mpps_forward_to": "RIS"})
    await archive.app.peers.add(ris.peer, by="test")
    return archive


def described(text: str) -> Dataset:
    """A change that ends nothing."""
    return with_values(Dataset(), {"PerformedProcedureStepDescription": text})


async def left(served: Any) -> int:
    """How much is still to be passed on."""
    async with served.app.db.reading() as connection:
        return int(await connection.scalar(select(func.count()).select_from(performed_forward)))


async def notes(served: Any, uid: str) -> list[Any]:
    """The notes of a step."""
    async with served.app.db.reading() as connection:
        return list(await connection.scalar(select(performed.c.notes).where(performed.c.sop_instance_uid == uid)))


async def test_all_operations_are_passed_on_in_order(served: Any, ct: Performer, ris: Information) -> None:
    _, uid = await ct.create(a_step())
    await ct.set(uid, described("Thorax"))
    await ct.set(uid, described("Thorax"))  # nothing new
    await ct.set(uid, an_end(PatientName="Other^One"))
    await empty_line(served.app, "RIS")
    assert [(operation, told) for operation, told, _ in ris.heard] == [
        ("N-CREATE", uid),
        ("N-SET", uid),
        ("N-SET", uid),
    ]
    created, _, ended = (attributes for _, _, attributes in ris.heard)
    assert (created.PatientName, created.PerformedProcedureStepStatus) == ("Núñez^José", "IN PROGRESS")
    assert (ended.PerformedProcedureStepStatus, "PatientName" in ended) == ("COMPLETED", False)
    assert (await left(served), await served.app.jobs.due()) == (0, True)
    await empty_line(served.app, "RIS")
    assert len(ris.heard) == 3


async def test_a_peer_that_is_down_is_told_when_it_is_back(served: Any, ct: Performer, ris: Information) -> None:
    ris.stop()
    _, uid = await ct.create(a_step())
    with pytest.raises(CharruaError):
        await empty_line(served.app, "RIS")
    await ct.set(uid, an_end())
    ris.start()
    await empty_line(served.app, "RIS")
    assert [operation for operation, _, _ in ris.heard] == ["N-CREATE", "N-SET"]


ANSWERS: list[tuple[list[int], int, bool]] = [
    # What the peer answers N-CREATE and N-SET, how much is left, whether the step has a note of it
    ([0x0000, 0x0000], 0, False),
    ([0x0111, 0x0000], 0, False),
    ([0x0107, 0xB000], 0, False),
    ([0x0106, 0x0112], 0, True),
    ([0x0110], 2, False),
    ([0xA700], 2, False),
    ([0x0000, 0x0124], 1, False),
]


async def test_a_peer_has_it_refuses_it_or_gets_it_again(served: Any, ct: Performer, ris: Information) -> None:
    for answers, waiting, noted in ANSWERS:
        _, uid = await ct.create(a_step())
        await ct.set(uid, an_end())
        ris.answers = list(answers)
        if waiting:
            with pytest.raises(NotTaken):
                await empty_line(served.app, "RIS")
        else:
            await empty_line(served.app, "RIS")
        assert await left(served) == waiting, answers
        assert bool(await notes(served, uid)) == noted, answers
        await empty_line(served.app, "RIS")
        assert await left(served) == 0


async def test_a_step_that_is_not_taken_holds_up_no_other(served: Any, ct: Performer, ris: Information) -> None:
    (_, first), (_, second) = await ct.create(a_step()), await ct.create(a_step())
    await ct.set(first, an_end())
    await ct.set(second, an_end())
    ris.answers = [0xA700]
    with pytest.raises(NotTaken):
        await empty_line(served.app, "RIS")
    assert [uid for _, uid, _ in ris.heard] == [first, second, second]
    await empty_line(served.app, "RIS")
    assert [uid for _, uid, _ in ris.heard[3:]] == [first, first]


async def test_what_is_not_taken_for_a_week_is_given_up(served: Any, ct: Performer, ris: Information) -> None:
    _, uid = await ct.create(a_step())
    async with served.app.db.transaction() as tx:
        await tx.execute(update(performed_forward).values(created_at=func.now() - KEEP_TRYING))
    ris.answers = [0xA700]
    await empty_line(served.app, "RIS")
    assert await notes(served, uid) == [{"note": "forward_refused", "of": ["RIS", "N-CREATE", "A700"]}]


async def test_a_peer_is_not_told_what_it_has_sent_nor_what_it_may_not_see(served: Any, ris: Information) -> None:
    await Performer(served.peer, "RIS").create(a_step())
    assert await left(served) == 0
    await served.app.peers.add(ris.peer, by="test", row_filter={"Modality": ["MR"]})
    await Performer(served.peer).create(a_step())
    assert await left(served) == 0
    _, uid = await Performer(served.peer).create(a_step(Modality="MR"))
    await empty_line(served.app, "RIS")
    assert [told for _, told, _ in ris.heard] == [uid]


async def test_who_is_no_peer_gets_nothing(served: Any, ct: Performer) -> None:
    await served.app.peers.remove("RIS", by="test")
    await ct.create(a_step())
    with pytest.raises(GiveUp):
        await empty_line(served.app, "RIS")


async def test_a_step_that_comes_back_to_where_it_is_from_is_known_there(served: Any, ct: Performer) -> None:
    await served.app.peers.add(Peer("RIS", "127.0.0.1", served.peer.port), by="test")
    await ct.create(a_step())
    await empty_line(served.app, "RIS")
    assert await left(served) == 0
