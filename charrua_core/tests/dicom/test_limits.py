"""Deadlines, numbers of associations, and back-pressure."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from contextlib import suppress
from dataclasses import replace

import pytest

from charrua_core.dicom import Limits, PeerRejected, ProposedContext, associate, open_association, pdu
from charrua_core.errors import AssociationAborted

VERIFICATION = "1.2.840.10008.1.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
IMPLICIT = "1.2.840.10008.1.2"
CONTEXTS = [ProposedContext(VERIFICATION, (IMPLICIT,)), ProposedContext(CT, (IMPLICIT,))]
QUICK = Limits(artim_s=0.3, pdu_timeout_s=0.3, idle_timeout_s=0.3, dimse_timeout_s=0.3)
PATIENT = Limits(artim_s=30, pdu_timeout_s=30, idle_timeout_s=30, dimse_timeout_s=30)


@pytest.mark.parametrize("limits", [replace(PATIENT, artim_s=0.3)])
@pytest.mark.parametrize("sent", [0, 3, 6, 40, 74, -1])
async def test_a_connection_that_asks_for_nothing_ends_after_artim(scp, wire, raw, sent):
    peer = await wire()
    await peer.send(raw.associate_rq(*CONTEXTS)[:sent])
    assert (await peer.pdu(timeout_s=2))[0] == pdu.ABORT
    assert scp.acceptor.established == set()


async def trickle(peer, data: bytes) -> bool:
    """Send 1.5 s long, a byte every 50 ms; tell whether the server has aborted within that time."""
    aborted = asyncio.create_task(peer.aborted())
    for byte in data[:30]:
        await peer.send(bytes((byte,)))
        await asyncio.sleep(0.05)
    if not aborted.done():
        aborted.cancel()
        return False
    return aborted.result() == (2, 0)


@pytest.mark.parametrize("limits", [replace(PATIENT, artim_s=0.3)])
async def test_one_byte_at_a_time_does_not_prolong_artim(wire, raw):
    assert await trickle(await wire(), raw.associate_rq(*CONTEXTS))


@pytest.mark.parametrize("limits", [replace(PATIENT, pdu_timeout_s=0.3)])
@pytest.mark.parametrize("sent", [1, 6, 11, 12, 40])
async def test_a_pdu_that_is_not_completed_ends_the_association(wire, raw, sent):
    peer = await wire()
    await peer.associate()
    await peer.send(raw.echo[:sent])
    assert await peer.aborted() == (2, 0)


@pytest.mark.parametrize("limits", [replace(PATIENT, pdu_timeout_s=0.3)])
async def test_one_byte_at_a_time_does_not_prolong_a_pdu(wire, raw):
    peer = await wire()
    await peer.associate()
    assert await trickle(peer, raw.echo)


@pytest.mark.parametrize("limits", [replace(PATIENT, idle_timeout_s=0.3)])
async def test_an_idle_association_ends(wire):
    peer = await wire()
    await peer.associate()
    assert await peer.aborted() == (2, 0)


@pytest.mark.parametrize("limits", [replace(PATIENT, dimse_timeout_s=0.3)])
@pytest.mark.parametrize("parts", [1, 2])
async def test_a_message_that_is_not_completed_ends_the_association(wire, raw, parts):
    peer = await wire()
    await peer.associate()
    await peer.send(*[raw.store, raw.p_data(3, 0, b"half")][:parts])
    assert await peer.aborted() == (2, 0)


@pytest.mark.parametrize("limits", [QUICK])
async def test_a_handler_may_take_longer_than_any_time_out(scp):
    async def slow(association, message):
        await message.read()
        await asyncio.sleep(1.2)
        await association.respond(message, 0)

    scp.on_store = slow
    async with associate(scp.peer, CONTEXTS) as association:
        assert (await association.store(3, CT, "1.2.3", [b"data"])).status == 0


@pytest.mark.parametrize("limits", [replace(PATIENT, dimse_timeout_s=0.5)])
async def test_a_peer_that_does_not_read_responses_is_cut(scp, wire, raw):
    async def flood(association, message):
        await message.read()
        while True:
            await association.respond(message, 0xFF00, bytes(100_000))

    scp.on_find = flood
    peer = await wire()
    peer.writer.transport.pause_reading()
    await peer.send(raw.associate_rq(ProposedContext("1.2.840.10008.5.1.4.1.2.2.1", (IMPLICIT,))))
    await peer.send(raw.command(1, 0x20, "1.2.840.10008.5.1.4.1.2.2.1", has_data=True), raw.p_data(1, 2, b"query"))
    for _ in range(100):
        await asyncio.sleep(0.05)
        if scp.ended:
            break
    assert [association.stats.end for association in scp.ended] == ["timeout"]


@pytest.mark.parametrize("limits", [Limits(max_associations=2)])
async def test_one_association_too_many_is_rejected_until_another_ends(scp):
    first = await open_association(scp.peer, CONTEXTS, calling_aet="A")
    async with associate(scp.peer, CONTEXTS):
        with pytest.raises(PeerRejected, match="for now: local limit exceeded"):
            await open_association(scp.peer, CONTEXTS, calling_aet="C")
    await asyncio.sleep(0.05)
    async with associate(scp.peer, CONTEXTS) as third:
        assert (await third.echo()).status == 0
    await first.release()


@pytest.mark.parametrize("limits", [Limits(max_associations=2, reserved_associations=1)])
async def test_the_last_associations_are_for_known_aes(scp):
    scp.acceptor.known = lambda request, _: request.calling_aet == "KNOWN"
    unknown = await open_association(scp.peer, CONTEXTS, calling_aet="A")
    with pytest.raises(PeerRejected, match="local limit exceeded"):
        await open_association(scp.peer, CONTEXTS, calling_aet="B")
    async with associate(scp.peer, CONTEXTS, calling_aet="KNOWN") as association:
        assert (await association.echo()).status == 0
    await unknown.release()


@pytest.mark.parametrize("limits", [Limits(max_pending_per_ip=5), Limits(max_pending_per_ip=100, max_pending=5)])
async def test_silent_connections_push_out_each_other_and_nobody_else(scp, wire, raw):
    silent = [await wire() for _ in range(20)]
    for number, peer in enumerate(silent):
        peer.writer.write(raw.associate_rq(*CONTEXTS)[: number * 4])
    async with associate(scp.peer, CONTEXTS) as association:
        assert (await association.echo()).status == 0
    assert scp.acceptor.pending <= 5
    assert [await peer.pdu() for peer in silent[:15]] == [(0, b"")] * 15


@pytest.mark.parametrize("limits", [Limits(max_pending_per_ip=600, max_pending=600)])
async def test_an_echo_is_quick_beside_500_half_requests(scp, wire, raw):
    request = raw.associate_rq(*CONTEXTS)
    for number in range(500):
        await (await wire()).send(request[: number % len(request)])
    slowest = 0.0
    for _ in range(20):
        started = time.perf_counter()
        async with associate(scp.peer, CONTEXTS) as association:
            await association.echo()
        slowest = max(slowest, time.perf_counter() - started)
    assert scp.acceptor.pending == 500
    assert slowest < 0.2


async def test_a_handler_that_does_not_read_stops_the_socket(scp):
    async def wait(association, message):
        await go_on.wait()
        taken.append(len(await message.read(1 << 30)))
        await association.respond(message, 0)

    scp.on_store, go_on, taken = wait, asyncio.Event(), []
    async with associate(scp.peer, CONTEXTS) as association:
        storing = asyncio.create_task(association.store(3, CT, "1.2.3", [bytes(50_000_000)]))
        await asyncio.sleep(0.3)
        (accepted,) = scp.acceptor.established
        assert accepted.connection.bytes_received < 100_000
        go_on.set()
        assert (await storing).status == 0
    assert taken == [50_000_000]


async def test_a_slow_sink_stops_the_socket(scp):
    class Slow:
        size, kept = 0, 0

        def write(self, view):
            self.size += len(view)
            return asyncio.sleep(0.002)

    async def store(association, message):
        await message.receive_into(sink)
        await association.respond(message, 0)

    scp.on_store, sink = store, Slow()
    async with associate(scp.peer, CONTEXTS, limits=Limits(max_send_pdu=32768)) as association:
        storing = asyncio.create_task(association.store(3, CT, "1.2.3", [bytes(8_000_000)]))
        for _ in range(10):
            await asyncio.sleep(0.02)
            (accepted,) = scp.acceptor.established
            assert accepted.connection.bytes_received - sink.size < 3_000_000
        assert sink.size < 7_000_000
        assert (await storing).status == 0
    assert sink.size == 8_000_000


async def test_a_requestor_that_hears_nothing_more_gives_up(scp):
    async def silent(association, message):
        await message.read()
        await asyncio.sleep(1)
        await association.respond(message, 0)

    scp.on_store = silent
    association = await open_association(scp.peer, CONTEXTS, calling_aet="A")
    storing = asyncio.create_task(association.store(3, CT, "1.2.3", [b"data"]))
    await asyncio.sleep(0.1)
    for accepted in scp.acceptor.established:
        accepted.connection.cut()
    with pytest.raises(AssociationAborted):
        await storing


async def test_out_of_descriptors_the_listener_waits_and_goes_on(scp, caplog):
    resource = pytest.importorskip("resource")
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    descriptors = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/dev/fd")) + 20, limit[1]))
        with suppress(OSError):
            while True:
                descriptors.append(os.open(os.devnull, os.O_RDONLY))
        os.close(descriptors.pop())
        connecting = socket.socket()  # takes the last one: the listener has none for the other end
        connecting.connect(("127.0.0.1", scp.port))
        await asyncio.sleep(0.1)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)
        for descriptor in descriptors:
            os.close(descriptor)
    connecting.close()
    assert "cannot accept" in caplog.text
    async with associate(scp.peer, CONTEXTS) as association:
        assert (await association.echo()).status == 0
