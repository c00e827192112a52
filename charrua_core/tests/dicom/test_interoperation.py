"""Our upper layer with the implementations of others: DCMTK's programs and pynetdicom."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import generate_uid
from pynetdicom import AE, evt

from charrua_core.dicom import Peer, ProposedContext, UserIdentity, associate
from charrua_core.testing.outside import DATA, dcmtk, with_data, with_dcmtk

CT = "1.2.840.10008.5.1.4.1.1.2"
SC = "1.2.840.10008.5.1.4.1.1.7"
FIND, MOVE, GET = (f"1.2.840.10008.5.1.4.1.2.2.{n}" for n in (1, 2, 3))
VERIFICATION = "1.2.840.10008.1.1"
EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
OBJECT = DATA / "charset" / "chrFren.dcm"


async def run(program: str, *arguments: object) -> tuple[int, str]:
    """Return code and output of a program of DCMTK, which must end within 20 s."""
    return await dcmtk(program, *arguments, timeout_s=20)


def body_of(path: Path) -> bytes:
    """The data set of a Part 10 file, as it stands there."""
    header = dcmread(path, stop_before_pixels=True).file_meta
    return path.read_bytes()[132 + 12 + header.FileMetaInformationGroupLength :]


@with_dcmtk
async def test_echoscu_is_answered(scp):
    assert (await run("echoscu", "127.0.0.1", scp.port))[0] == 0


@with_dcmtk
async def test_echoscu_with_128_contexts_and_aborting_is_answered(scp):
    code, output = await run("echoscu", "-ppc", "128", "-pts", "3", "--repeat", "5", "127.0.0.1", scp.port)
    assert code == 0, output
    await run("echoscu", "--abort", "127.0.0.1", scp.port)
    await asyncio.sleep(0.05)
    assert [association.stats.end for association in scp.ended] == ["released", "aborted by peer"]


@with_dcmtk
@with_data
@pytest.mark.parametrize("max_pdu", [4096, 16384, 131072])
async def test_storescu_stores_byte_for_byte(scp, max_pdu):
    code, output = await run("storescu", "--max-send-pdu", max_pdu, "-R", "127.0.0.1", scp.port, OBJECT)
    assert code == 0, output
    assert [data for _, _, data in scp.stored] == [body_of(OBJECT)]


@with_dcmtk
async def test_findscu_gets_responses_and_cancels(scp):
    async def matches(association, message):
        identifier = await message.read()
        for _ in range(1000):
            await association.respond(message, 0xFF00, identifier)
            await asyncio.sleep(0.001)
            if message.cancelled:
                await association.respond(message, 0xFE00)
                return
        await association.respond(message, 0)

    scp.on_find = matches
    code, output = await run(
        "findscu", "-v", "-S", "--cancel", "5", "-k", "QueryRetrieveLevel=STUDY", "127.0.0.1", scp.port
    )
    assert code == 0, output
    assert "Cancel" in output
    assert output.count("Find Response") < 1000


@with_dcmtk
@with_data
async def test_getscu_receives_on_its_association(scp, tmp_path):
    async def get(association, message):
        await message.read()
        response = await association.store((SC, EXPLICIT), SC, dcmread(OBJECT).SOPInstanceUID, [body_of(OBJECT)])
        await association.respond(
            message, 0, number_of_completed_suboperations=int(response.status == 0), number_of_remaining_suboperations=0
        )

    scp.on_get = get
    code, output = await run(
        "getscu",
        "-S",
        "-od",
        tmp_path,
        "-k",
        "QueryRetrieveLevel=STUDY",
        "-k",
        "StudyInstanceUID=1.2",
        "127.0.0.1",
        scp.port,
    )
    assert code == 0, output
    assert [dcmread(path).SOPInstanceUID for path in tmp_path.iterdir()] == [dcmread(OBJECT).SOPInstanceUID]


@with_dcmtk
@with_data
async def test_movescu_is_told_of_suboperations(scp):
    async def move(association, message):
        await message.read()
        assert message.command.move_destination == "WS"
        await association.respond(message, 0xFF00, number_of_remaining_suboperations=1)
        await association.respond(message, 0, number_of_completed_suboperations=1)

    scp.on_move = move
    code, output = await run(
        "movescu",
        "-v",
        "-S",
        "-aem",
        "WS",
        "-k",
        "QueryRetrieveLevel=STUDY",
        "-k",
        "StudyInstanceUID=1.2",
        "127.0.0.1",
        scp.port,
    )
    assert code == 0, output
    assert "Received Final Move Response (Success)" in output


@pytest.fixture
def other():
    """A pynetdicom SCP for verification, storage and C-FIND, with what it has stored."""
    entity = AE("OTHER")
    entity.add_supported_context(VERIFICATION)
    entity.add_supported_context(SC, [EXPLICIT, IMPLICIT])
    entity.add_supported_context(FIND)
    entity.stored = []
    handlers = [(evt.EVT_C_STORE, _keep, [entity.stored]), (evt.EVT_C_FIND, _find)]
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    entity.peer = Peer("OTHER", "127.0.0.1", server.server_address[1], timeout_s=5)
    yield entity
    server.shutdown()


def _keep(event, stored):
    stored.append((event.request.DataSet.getvalue(), event.request.MoveOriginatorApplicationEntityTitle))
    return 0x0000


def _find(event):
    for _ in range(3):
        yield 0xFF00, event.identifier
    yield 0x0000, None


async def test_pynetdicom_answers_our_echo(other):
    async with associate(other.peer, [ProposedContext(VERIFICATION, (IMPLICIT,))]) as association:
        assert (await association.echo()).status == 0
    assert association.stats.end == "released"


@with_data
async def test_pynetdicom_stores_what_we_send(other):
    data = body_of(OBJECT)
    async with associate(other.peer, [ProposedContext(SC, (EXPLICIT,))]) as association:
        for _ in range(3):
            response = await association.store(1, SC, generate_uid(), [data], move_originator=("WS1", 4))
            assert response.status == 0
    assert other.stored == [(data, "WS1")] * 3


@with_data
async def test_pynetdicom_finds_for_us(other):
    identifier = b"\x08\0\x52\0\6\0\0\0STUDY "
    async with associate(other.peer, [ProposedContext(FIND, (IMPLICIT,))]) as association:
        found = [response async for response in association.find(FIND, identifier)]
    assert found == [(0xFF00, identifier)] * 3 + [(0x0000, b"")]


@with_data
async def test_pynetdicom_as_scu_stores_and_verifies(scp):
    def use() -> list[int]:
        entity = AE("SCU")
        entity.add_requested_context(VERIFICATION)
        entity.add_requested_context(SC, EXPLICIT)
        association = entity.associate("127.0.0.1", scp.port)
        statuses = [association.send_c_echo().Status, association.send_c_store(OBJECT).Status]
        association.release()
        return statuses

    assert await asyncio.to_thread(use) == [0, 0]
    assert len(scp.stored) == 1


async def test_pynetdicom_confirms_our_user_identity(other):
    identity = UserIdentity(1, b"user", response_requested=False)
    async with associate(
        other.peer, [ProposedContext(VERIFICATION, (IMPLICIT,))], user_identity=identity
    ) as association:
        assert (await association.echo()).status == 0
