"""Operations between our requestor and our acceptor."""

from __future__ import annotations

import asyncio
import io
import time
from contextlib import aclosing

import pytest

from charrua_core.dicom import (
    ContextNotAccepted,
    DataSetTooLarge,
    FileRange,
    Limits,
    Peer,
    PeerRejected,
    ProposedContext,
    Rejection,
    associate,
    open_association,
)
from charrua_core.errors import AssociationAborted, DimseTimeout, ObjectRefused, PeerUnreachable, StorageFailed
from charrua_core.types import Identity

CT = "1.2.840.10008.5.1.4.1.1.2"
FIND = "1.2.840.10008.5.1.4.1.2.2.1"
MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
GET = "1.2.840.10008.5.1.4.1.2.2.3"
EXPLICIT = "1.2.840.10008.1.2.1"
IMPLICIT = "1.2.840.10008.1.2"
CONTEXTS = [
    ProposedContext("1.2.840.10008.1.1", (IMPLICIT,)),
    ProposedContext(CT, (EXPLICIT,)),
    ProposedContext(CT, (IMPLICIT,)),
    ProposedContext(FIND, (IMPLICIT,)),
    ProposedContext(MOVE, (IMPLICIT,)),
]


async def test_the_peer_answers_an_echo(scp):
    async with associate(scp.peer, CONTEXTS) as association:
        assert (await association.echo()).status == 0x0000


async def test_a_peer_that_does_not_listen_is_unreachable():
    with pytest.raises(PeerUnreachable):
        async with associate(Peer("NOBODY", "127.0.0.1", 1, timeout_s=2), CONTEXTS):
            pass


async def test_a_peer_that_never_answers_is_unreachable():
    silent = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    with pytest.raises(PeerUnreachable):
        await open_association(Peer("SILENT", "127.0.0.1", port, timeout_s=0.2), CONTEXTS, calling_aet="US")
    silent.close()


@pytest.mark.parametrize("size", [2, 16372, 131066, 131068, 1 << 20, 5_000_002])
async def test_an_object_arrives_as_it_was_sent(scp, size):
    data = bytes(range(256)) * (size // 256 + 1)
    async with associate(scp.peer, CONTEXTS) as association:
        assert (await association.store((CT, IMPLICIT), CT, "1.2.3", [data[:size]])).status == 0
    assert scp.stored == [("1.2.3", IMPLICIT, data[:size])]


@pytest.mark.parametrize("max_pdu", [128, 1000, 16384, 131072])
async def test_file_ranges_and_bytes_are_cut_to_the_peers_maximum(scp, tmp_path, max_pdu):
    path = tmp_path / "object"
    path.write_bytes(bytes(range(250)) * 1000)
    segments = [b"head", FileRange(path, 100, 99_999), b"", FileRange(path, 0, 3), b"tail"]
    async with associate(scp.peer, CONTEXTS, limits=Limits(max_send_pdu=max_pdu)) as association:
        assert (await association.store(5, CT, "1.2.3", segments)).status == 0
    content = path.read_bytes()
    assert scp.stored == [("1.2.3", IMPLICIT, b"head" + content[100:100_099] + content[:3] + b"tail")]


async def test_a_file_that_is_too_short_aborts_the_association(scp, tmp_path):
    path = tmp_path / "object"
    path.write_bytes(bytes(2_000_000))
    association = await open_association(scp.peer, CONTEXTS, calling_aet="US")
    with pytest.raises(StorageFailed):
        await association.store(3, CT, "1.2.3", [FileRange(path, 0, 3_000_000)])
    assert not association.is_open
    assert scp.stored == []


async def test_a_file_that_is_missing_leaves_the_association_usable(scp, tmp_path):
    async with associate(scp.peer, CONTEXTS) as association:
        with pytest.raises(StorageFailed):
            await association.store(3, CT, "1.2.3", [FileRange(tmp_path / "gone", 0, 10)])
        assert (await association.echo()).status == 0


async def test_a_transfer_syntax_that_was_not_accepted_cannot_be_used(scp):
    async with associate(scp.peer, CONTEXTS) as association:
        with pytest.raises(ContextNotAccepted):
            await association.store((CT, "1.2.840.10008.1.2.4.50"), CT, "1.2.3", [b"data"])


async def test_a_query_gives_every_response_and_the_final_status(scp):
    async def three(association, message):
        identifier = await message.read(1000)
        await association.respond_each(message, 0xFF00, [identifier, identifier + b"2"])
        await association.respond(message, 0xFF01, b"third")
        await association.respond(message, 0x0000)

    scp.on_find = three
    async with associate(scp.peer, CONTEXTS) as association:
        found = [response async for response in association.find(FIND, b"query")]
    assert found == [(0xFF00, b"query"), (0xFF00, b"query2"), (0xFF01, b"third"), (0x0000, b"")]


async def endless(association, message):
    """Responses until the peer cancels, without a pause of its own."""
    await message.read(1000)
    while not message.cancelled:
        await association.respond(message, 0xFF00, b"match")
    await association.respond(message, 0xFE00)


async def test_a_cancel_is_seen_while_responses_stream(scp):
    async def noticing(association, message):
        await endless(association, message)
        noticed_at.append(time.monotonic())

    scp.on_find, noticed_at, found = noticing, [], []
    async with associate(scp.peer, CONTEXTS) as association:
        async for response in association.find(FIND, b"query"):
            found.append(response)
            if len(found) == 100:
                cancelled_at = time.monotonic()
                await association.cancel()
    assert found[-1] == (0xFE00, b"")
    assert noticed_at[0] - cancelled_at < 0.2


async def test_leaving_a_query_early_cancels_it_and_keeps_the_association(scp):
    scp.on_find = endless
    async with associate(scp.peer, CONTEXTS) as association:
        async with aclosing(association.find(FIND, b"query")) as responses:
            assert await anext(responses) == (0xFF00, b"match")
        assert (await association.echo()).status == 0


async def test_a_move_reports_its_suboperations(scp):
    async def move(association, message):
        assert message.command.move_destination == "WS1"
        counts = {"number_of_remaining_suboperations": 1, "number_of_completed_suboperations": 1}
        await association.respond(message, 0xFF00, **counts)
        await association.respond(message, 0xB000, b"failed", number_of_failed_suboperations=1)

    scp.on_move = move
    async with associate(scp.peer, CONTEXTS) as association:
        responses = [response async for response in association.move(MOVE, "WS1", b"study")]
    assert [command.status for command, _ in responses] == [0xFF00, 0xB000]
    assert responses[0][0].number_of_remaining_suboperations == 1
    assert (responses[1][0].number_of_failed_suboperations, responses[1][1]) == (1, b"failed")


async def test_a_get_sends_objects_on_the_same_association(scp):
    async def get(association, message):
        await message.read(1000)
        response = await association.store((CT, EXPLICIT), CT, "1.2.3", [b"pixels" * 100_000])
        await association.respond(message, 0x0000, number_of_completed_suboperations=response.status == 0)

    async def keep(association, message):
        received.append((message.command.affected_sop_instance_uid, await message.read(1 << 20)))
        return 0x0000

    scp.on_get, received = get, []
    contexts = [ProposedContext(GET, (IMPLICIT,)), ProposedContext(CT, (EXPLICIT,), scu_role=False, scp_role=True)]
    async with associate(scp.peer, contexts) as association:
        responses = [command async for command, _ in association.get(GET, b"study", keep)]
    assert received == [("1.2.3", b"pixels" * 100_000)]
    assert responses[-1].number_of_completed_suboperations == 1


async def test_a_failing_handler_is_answered_with_0110_and_the_association_lives_on(scp, caplog):
    async def fail(association, message):
        raise RuntimeError("Doe^Jane")

    scp.on_store = fail
    async with associate(scp.peer, CONTEXTS) as association:
        response = await association.store(3, CT, "1.2.3", [b"x" * 1_000_000])
        assert (response.status, response.error_comment) == (0x0110, "Processing failure")
        assert (await association.echo()).status == 0
    assert caplog.records[0].exc_info[0] is RuntimeError


async def test_an_error_of_ours_is_answered_with_its_status(scp):
    async def refuse(association, message):
        raise ObjectRefused("no", 0xA700)

    scp.on_store = refuse
    async with associate(scp.peer, CONTEXTS) as association:
        assert (await association.store(3, CT, "1.2.3", [b"x"])).status == 0xA700


async def test_a_handler_without_an_answer_is_answered_for(scp):
    async def say_nothing(association, message):
        pass

    scp.on_find = say_nothing
    async with associate(scp.peer, CONTEXTS) as association:
        assert [status async for status, _ in association.find(FIND, b"query")] == [0x0110]


async def test_a_data_set_past_the_handlers_limit_is_not_kept(scp):
    async def read_little(association, message):
        with pytest.raises(DataSetTooLarge):
            await message.read(1000)
        await association.respond(message, 0xA700)

    scp.on_store = read_little
    async with associate(scp.peer, CONTEXTS) as association:
        assert (await association.store(3, CT, "1.2.3", [b"x" * 3_000_000])).status == 0xA700
        assert (await association.echo()).status == 0


async def test_what_a_sink_raises_reaches_its_handler(scp):
    class Full:
        def write(self, view):
            raise OSError("no space")

    async def store(association, message):
        with pytest.raises(OSError, match="no space"):
            await message.receive_into(Full())
        await association.respond(message, 0xA700)

    scp.on_store = store
    async with associate(scp.peer, CONTEXTS) as association:
        for _ in range(2):
            assert (await association.store(3, CT, "1.2.3", [b"x" * 3_000_000])).status == 0xA700


async def test_a_sink_with_writev_gets_all_fragments_of_a_read_at_once(scp):
    class Gathering:
        def __init__(self):
            self.data, self.calls = b"", 0

        def write(self, view):
            raise AssertionError("writev is preferred")

        def writev(self, views):
            self.data += b"".join(views)
            self.calls += 1

    async def store(association, message):
        assert await message.receive_into(sink) == 1_000_000
        await association.respond(message, 0)

    scp.on_store, sink = store, Gathering()
    async with associate(scp.peer, CONTEXTS, limits=Limits(max_send_pdu=1024)) as association:
        await association.store(3, CT, "1.2.3", [b"0123456789" * 100_000])
    assert sink.data == b"0123456789" * 100_000
    assert sink.calls < 500


async def test_the_peer_can_abort_in_the_middle_of_a_data_set(scp, wire, raw):
    async def store(association, message):
        try:
            await message.receive_into(io.BytesIO())
        except AssociationAborted as error:
            failures.append((error, message.cancelled))
            raise

    failures, scp.on_store = [], store
    peer = await wire()
    await peer.associate()
    await peer.send(raw.store, raw.p_data(3, 0, b"half"))
    await asyncio.sleep(0.05)
    await peer.send(bytes((7, 0, 0, 0, 0, 4, 0, 0, 0, 0)))
    await asyncio.sleep(0.1)
    assert len(failures) == 1
    assert failures[0][1] is True
    assert [association.stats.end for association in scp.ended] == ["aborted by peer"]


async def test_an_abort_ends_an_operation_that_waits(scp):
    async def abort(association, message):
        await association.abort()

    scp.on_find = abort
    association = await open_association(scp.peer, CONTEXTS, calling_aet="US")
    with pytest.raises(AssociationAborted):
        async for _ in association.find(FIND, b"query"):
            pass
    assert association.stats.end == "aborted by peer"
    with pytest.raises(AssociationAborted):
        await association.echo()


async def test_a_response_that_does_not_come_ends_the_association(scp):
    async def dawdle(association, message):
        await message.read(1000)
        await asyncio.wait_for(message.cancel_event.wait(), 5)

    scp.on_find = dawdle
    association = await open_association(scp.peer, CONTEXTS, calling_aet="US")
    with pytest.raises(DimseTimeout):
        async for _ in association.find(FIND, b"query", timeout_s=0.1):
            pass
    assert not association.is_open


async def test_a_rejection_says_why(scp):
    async def nobody(request):
        assert (request.calling_aet, request.called_aet, request.address[0]) == ("US", "CHARRUA", "127.0.0.1")
        return Rejection(1, 1, 7)

    scp.acceptor.admit = nobody
    with pytest.raises(PeerRejected, match="called AE title not recognized") as caught:
        await open_association(scp.peer, CONTEXTS, calling_aet="US")
    assert caught.value.rejection == Rejection(1, 1, 7)


async def test_an_admission_that_fails_rejects_for_now(scp):
    async def fail(request):
        raise RuntimeError("the database is away")

    scp.acceptor.admit = fail
    with pytest.raises(PeerRejected, match="for now: temporary congestion"):
        await open_association(scp.peer, CONTEXTS, calling_aet="US")


async def test_the_end_of_an_association_is_told_with_its_figures(scp):
    async with associate(scp.peer, CONTEXTS, calling_aet="MODALITY") as association:
        await association.store(3, CT, "1.2.3", [b"x" * 10_000])
        await association.echo()
    await asyncio.sleep(0.05)
    (ended,) = scp.ended
    assert (ended.calling_aet, ended.stats.end, ended.stats.messages) == ("MODALITY", "released", 2)
    assert ended.stats.bytes_received > 10_000


async def test_stopping_lets_a_running_operation_finish(scp):
    async def slow(association, message):
        await message.read(10_000)
        await asyncio.sleep(0.3)
        await association.respond(message, 0x0000)

    scp.on_store = slow
    association = await open_association(scp.peer, CONTEXTS, calling_aet="US")
    storing = asyncio.create_task(association.store(3, CT, "1.2.3", [b"data"]))
    await asyncio.sleep(0.1)
    await scp.acceptor.stop(grace_s=5)
    assert (await storing).status == 0
    assert not association.is_open


async def test_stopping_aborts_an_operation_that_does_not_finish(scp):
    async def stuck(association, message):
        await asyncio.sleep(60)

    scp.on_store = stuck
    association = await open_association(scp.peer, CONTEXTS, calling_aet="US")
    storing = asyncio.create_task(association.store(3, CT, "1.2.3", [b"data"]))
    await asyncio.sleep(0.1)
    await scp.acceptor.stop(grace_s=0.1)
    with pytest.raises(AssociationAborted):
        await storing
    assert scp.acceptor.established == set()


async def test_the_identity_that_admission_finds_goes_with_the_association(scp):
    async def admit(request):
        return Identity(request.calling_aet, "peer", permissions=frozenset({"store"}))

    async def look(association, message):
        seen.append(association.identity)
        await association.respond(message, 0)

    scp.acceptor.admit, scp.on_store, seen = admit, look, []
    async with associate(scp.peer, CONTEXTS, calling_aet="CT1") as association:
        await association.store(3, CT, "1.2.3", [b"data"])
    assert [(identity.name, identity.may("store")) for identity in seen] == [("CT1", True)]
