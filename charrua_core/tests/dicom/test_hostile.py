"""What breaks PS3.8 or PS3.7 is answered with A-ABORT or a close, leaves no task behind, and disturbs nobody else."""

from __future__ import annotations

import asyncio
import struct

import pytest

from charrua_core.dicom import CommandField, ProposedContext, associate, pdu

VERIFICATION = "1.2.840.10008.1.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
IMPLICIT = "1.2.840.10008.1.2"
ABORT = bytes((7, 0, 0, 0, 0, 4, 0, 0, 0, 0))
RELEASE = bytes((5, 0, 0, 0, 0, 4, 0, 0, 0, 0))


@pytest.fixture(autouse=True)
async def nothing_is_left_behind(scp):
    """Afterwards the peer still answers, and no task of a handler or an admission lives on."""
    yield
    async with associate(scp.peer, [ProposedContext(VERIFICATION, (IMPLICIT,))]) as association:
        assert (await association.echo()).status == 0
    for _ in range(100):
        if not scp.acceptor.established and not scp.acceptor.pending:
            break
        await asyncio.sleep(0.03)
    names = {task.get_coro().__qualname__ for task in asyncio.all_tasks()}
    assert not {name for name in names if name.startswith(("Exchange", "Accepted", "Acceptor._connect"))}
    assert scp.acceptor.established == set()


def header(kind: int, length: int) -> bytes:
    return struct.pack(">BxI", kind, length)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 1),
        (b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", 1),
        (header(0, 4), 1),
        (header(8, 4), 1),
        (header(4, 100), 2),
        (header(5, 4), 2),
        (header(2, 100), 2),
        (header(1, 0), 6),
        (header(1, 67), 6),
        (header(1, 65537), 6),
        (header(1, 0xFFFFFFFF), 6),
        (header(1, 68) + bytes(68), 6),
    ],
    ids=["HTTP", "TLS", "type 0", "type 8", "P-DATA", "release", "accept", "0", "67", "64K+1", "4G", "empty"],
)
async def test_what_is_no_association_request_is_aborted_before_it_is_read(wire, data, reason):
    peer = await wire()
    await peer.send(data)
    assert await peer.aborted() == (2, reason)


async def test_an_abort_instead_of_a_request_closes_the_connection(wire):
    peer = await wire()
    await peer.send(ABORT)
    assert await peer.pdu() == (0, b"")


@pytest.mark.parametrize(
    ("written", "instead", "rejection"),
    [
        (b"\0\1\0\0CHARRUA", b"\0\2\0\0CHARRUA", (1, 2, 2)),
        (b"1.2.840.10008.3.1.1.1", b"1.2.840.10008.3.1.1.2", (1, 1, 2)),
    ],
    ids=["protocol version", "application context"],
)
async def test_another_protocol_is_rejected(wire, raw, written, instead, rejection):
    peer = await wire()
    await peer.send(raw.associate_rq(ProposedContext(VERIFICATION, (IMPLICIT,))).replace(written, instead))
    kind, body = await peer.pdu()
    assert (kind, tuple(body[1:])) == (pdu.ASSOCIATE_RJ, rejection)


@pytest.mark.parametrize(
    ("called", "calling", "reason"), [("", "A", 7), ("A", "", 3), ("A\nB", "A", 7), ("A", "\\", 3)]
)
async def test_an_impossible_ae_title_is_rejected(wire, raw, called, calling, reason):
    peer = await wire()
    await peer.send(raw.associate_rq(ProposedContext(VERIFICATION, (IMPLICIT,)), called=called, calling=calling))
    kind, body = await peer.pdu()
    assert (kind, tuple(body[1:])) == (pdu.ASSOCIATE_RJ, (1, 1, reason))


async def test_a_maximum_length_that_holds_nothing_is_aborted(wire, raw):
    peer, request = await wire(), raw.associate_rq(ProposedContext(VERIFICATION, (IMPLICIT,)))
    await peer.send(request.replace(b"\x51\0\0\4\0\0\x40\0", b"\x51\0\0\4\0\0\0\x07"))
    assert await peer.aborted() == (2, 6)


def pdv(length: int, context_id: int, control: int, data: bytes = b"") -> bytes:
    return struct.pack(">IBB", length, context_id, control) + data


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (header(4, 131073), 6),
        (header(4, 0xFFFFFFF0), 6),
        (header(4, 0), 6),
        (header(4, 5) + bytes(5), 6),
        (header(4, 6) + pdv(0, 1, 3), 6),
        (header(4, 6) + pdv(1, 1, 3), 6),
        (header(4, 6) + pdv(3, 1, 3), 6),
        (header(4, 16) + pdv(0xFFFFFFFF, 1, 3, bytes(10)), 6),
        (header(4, 9) + pdv(2, 1, 1) + bytes(3), 6),
        (header(4, 8) + pdv(4, 9, 3, b"ab"), 6),
        (header(4, 8) + pdv(4, 2, 3, b"ab"), 6),
        (header(4, 8) + pdv(4, 1, 2, b"ab"), 5),
        (header(4, 8) + pdv(4, 1, 3, b"ab"), 6),
        (header(4, 6) + pdv(2, 1, 3), 6),
        (header(4, 14) + pdv(4, 1, 1, b"ab") + pdv(2, 3, 1), 6),
        (header(1, 100), 2),
        (header(2, 100), 2),
        (header(3, 4), 2),
        (header(6, 4), 2),
        (header(5, 3), 6),
        (header(7, 5), 6),
        (header(9, 0), 1),
    ],
    ids=[
        "longer than advertised", "4 GB", "no value", "half a value", "value of 0", "value of 1", "value past the PDU",
        "value of 4 GB", "rest of 3", "unknown context", "even context", "data set first", "garbage for a command",
        "empty command", "other context within", "second request", "accept", "reject", "release response", "short release",
        "long abort", "unknown type",
    ],
)  # fmt: skip
async def test_what_breaks_an_association_aborts_it(wire, data, reason):
    peer = await wire()
    await peer.associate()
    await peer.send(data)
    assert await peer.aborted() == (2, reason)


async def test_an_endless_command_set_is_aborted_at_16_kib(scp, wire, raw):
    peer = await wire()
    await peer.associate()
    for _ in range(17):
        await peer.send(raw.p_data(1, 1, bytes(1000)))
    assert await peer.aborted() == (2, 6)


async def test_a_command_where_a_data_set_should_be_is_aborted(wire, raw):
    peer = await wire()
    await peer.associate()
    await peer.send(raw.store, raw.store)
    assert await peer.aborted() == (2, 5)


async def test_a_data_set_that_changes_its_context_is_aborted(wire, raw):
    peer = await wire()
    await peer.associate()
    await peer.send(raw.store, raw.p_data(1, 2, b"data"))
    assert await peer.aborted() == (2, 6)


@pytest.mark.parametrize("uid", ["../../etc/passwd", "/etc/cron.d/evil", "..", "1.2.3\n4", "1" * 65, "", "1.2.3 4"])
async def test_a_hostile_instance_uid_is_refused_before_any_handler(scp, wire, raw, uid):
    peer = await wire()
    await peer.associate()
    store = raw.command(3, CommandField.C_STORE, CT, has_data=True, affected_sop_instance_uid=uid, priority=0)
    await peer.send(store, raw.p_data(3, 2, b"data"), raw.echo)
    assert (await peer.response()).status == 0x0117
    assert (await peer.response()).status == 0x0000
    assert scp.stored == []


async def test_a_missing_instance_uid_is_answered_at_once(wire, raw):
    peer = await wire()
    await peer.associate()
    await peer.send(raw.command(3, CommandField.C_STORE, CT, has_data=True), raw.p_data(3, 2, b"data"))
    assert (await peer.response()).status == 0x0117


@pytest.mark.parametrize(
    ("context_id", "command_field", "sop_class", "status"),
    [
        (1, CommandField.C_FIND, VERIFICATION, 0x0211),
        (1, CommandField.N_GET, VERIFICATION, 0x0211),
        (1, 0x7777, VERIFICATION, 0x0211),
        (3, CommandField.C_STORE, "1.2.840.10008.5.1.4.1.1.4", 0x0122),
        (1, CommandField.C_ECHO, "nonsense", 0x0122),
    ],
    ids=["not its command", "N-GET", "no command", "another SOP class than the context's", "no UID"],
)
async def test_what_no_service_takes_is_answered_with_its_status(
    wire, raw, context_id, command_field, sop_class, status
):
    peer = await wire()
    await peer.associate()
    await peer.send(raw.command(context_id, command_field, sop_class))
    assert (await peer.response()).status == status


async def test_responses_and_cancels_that_nobody_awaits_are_ignored(wire, raw):
    peer = await wire()
    await peer.associate()
    stray = raw.command(1, 0x8030, VERIFICATION, message_id_being_responded_to=9, status=0)
    cancel = raw.command(1, CommandField.C_CANCEL, VERIFICATION, message_id_being_responded_to=9)
    await peer.send(stray, cancel, raw.echo)
    assert (await peer.response()).status == 0


async def test_a_request_byte_by_byte_is_understood(wire, raw):
    peer = await wire()
    for byte in raw.associate_rq(ProposedContext(VERIFICATION, (IMPLICIT,))):
        await peer.send(bytes((byte,)))
        await asyncio.sleep(0)
    assert (await peer.pdu())[0] == pdu.ASSOCIATE_AC
    for byte in raw.echo:
        await peer.send(bytes((byte,)))
        await asyncio.sleep(0)
    assert (await peer.response()).status == 0


async def test_command_and_data_set_in_one_pdu_and_in_empty_fragments_are_understood(scp, wire, raw):
    peer = await wire()
    await peer.associate()
    command = raw.store[12:]
    first = struct.pack(">BxI", 4, len(command) + 6 + 8) + pdv(len(command) + 2, 3, 3, command) + pdv(4, 3, 0, b"ab")
    await peer.send(first, raw.p_data(3, 0, b""), raw.p_data(3, 0, b"cd"), raw.p_data(3, 2, b""))
    assert (await peer.response()).status == 0
    assert [data for _, _, data in scp.stored] == [b"abcd"]


@pytest.mark.parametrize("ending", ["abort", "close", "reset", "release"])
async def test_the_peer_may_go_at_every_boundary(scp, wire, raw, ending):
    parts = [raw.associate_rq(ProposedContext(VERIFICATION, (IMPLICIT,)), ProposedContext(CT, (IMPLICIT,)))]
    parts += [raw.store, raw.p_data(3, 0, b"half"), raw.p_data(3, 2, b"rest"), raw.echo]
    whole = b"".join(parts)
    boundaries = [sum(map(len, parts[:n])) for n in range(len(parts) + 1)]
    for cut in sorted({*boundaries, *(b + 3 for b in boundaries[:-1]), *(b + 9 for b in boundaries[:-1])}):
        peer = await wire()
        await peer.send(whole[:cut])
        await _go(peer, ending)


async def _go(peer, ending: str) -> None:
    await asyncio.sleep(0.005)
    if ending in ("abort", "release"):
        await peer.send(ABORT if ending == "abort" else RELEASE)
        peer.writer.close()
    elif ending == "close":
        peer.writer.close()
    else:
        peer.writer.transport.abort()


async def test_pipelined_requests_wait_their_turn_in_the_socket(scp, wire, raw):
    async def slow(association, message):
        running.append(message)
        assert len(running) == 1
        await asyncio.sleep(0.01)
        running.remove(message)
        await association.respond(message, 0)

    scp.on_store, running = slow, []
    peer = await wire()
    await peer.associate()
    await peer.send(*([raw.store, raw.p_data(3, 2, b"data"), raw.echo, raw.echo] * 10))
    fields = [(await peer.response()).command_field for _ in range(30)]
    assert fields == [0x8001, 0x8030, 0x8030] * 10


async def test_ten_thousand_pipelined_requests_stay_in_the_socket(scp, wire, raw):
    async def stuck(association, message):
        await message.read()
        await asyncio.sleep(0.5)
        await association.respond(message, 0)

    scp.on_find = stuck
    find = raw.command(5, CommandField.C_FIND, "1.2.840.10008.5.1.4.1.2.2.1", has_data=True) + raw.p_data(
        5, 2, bytes(500)
    )
    peer = await wire()
    await peer.associate()
    peer.writer.write(find * 20_000)
    await asyncio.sleep(0.2)
    (association,) = scp.acceptor.established
    assert association.connection.bytes_received < 100_000
    peer.writer.transport.abort()


async def test_an_empty_data_set_that_nobody_reads_does_not_stop_the_association(scp, wire, raw):
    async def ignore(association, message):
        await asyncio.sleep(0.05)
        await association.respond(message, 0)

    scp.on_store = ignore
    peer = await wire()
    await peer.associate()
    await peer.send(raw.store, raw.p_data(3, 2, b""), raw.echo)
    assert [(await peer.response()).command_field for _ in range(2)] == [0x8001, 0x8030]
