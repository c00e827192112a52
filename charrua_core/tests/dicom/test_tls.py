"""DICOM over TLS: FEATURES A13's modes, and the BCP 195 profile."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager, suppress

import pytest

from charrua_core.dicom import (
    Acceptor,
    Dispatcher,
    Limits,
    Peer,
    ProposedContext,
    associate,
    client_context,
    server_context,
)
from charrua_core.errors import CharruaError, PeerUnreachable
from charrua_core.testing.certificates import Authority
from charrua_core.testing.outside import dcmtk, with_dcmtk

ECHO = [ProposedContext("1.2.840.10008.1.1", ("1.2.840.10008.1.2",))]


@pytest.fixture(scope="module")
def hospital(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"), "hospital")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"), "stranger")


@pytest.fixture
def listening(scp, hospital):
    """A listener in a TLS mode; gives the peer and what its admission was asked."""

    @asynccontextmanager
    async def listen(mode, limits=None):
        async def admit(request):
            asked.append(request)

        asked = []
        context = server_context(mode, *hospital.issue("archive"), hospital.path)
        acceptor = Acceptor(limits or Limits(), Dispatcher(scp.services), admit, tls=context)
        await acceptor.start()
        try:
            yield Peer("CHARRUA", "127.0.0.1", acceptor.port, timeout_s=5), asked
        finally:
            await acceptor.stop(1)

    return listen


async def echoes(peer: Peer, context: ssl.SSLContext | None) -> bool:
    try:
        async with associate(peer, ECHO, tls=context) as association:
            return (await association.echo()).status == 0 and association.tls.version in ("TLSv1.2", "TLSv1.3")
    except CharruaError:
        return False


@pytest.mark.parametrize(
    ("mode", "certificate", "works"),
    [
        ("encrypt", "none", True),
        ("encrypt", "stranger", True),
        ("request", "none", True),
        ("request", "hospital", True),
        ("request", "stranger", False),
        ("require", "none", False),
        ("require", "stranger", False),
        ("require", "expired", False),
        ("require", "hospital", True),
    ],
)
async def test_a_mode_admits_whom_it_says(listening, hospital, stranger, mode, certificate, works):
    files = {
        "none": (None, None),
        "hospital": hospital.issue("ct1"),
        "stranger": stranger.issue("ct1"),
        "expired": hospital.issue("old", days=-1),
    }
    async with listening(mode) as (peer, asked):
        assert await echoes(peer, client_context("encrypt", *files[certificate])) is works
    assert len(asked) == works


async def test_admission_sees_the_peers_certificate(listening, hospital):
    async with listening("require") as (peer, asked):
        assert await echoes(peer, client_context("require", *hospital.issue("ct1"), hospital.path))
    assert asked[0].tls
    assert asked[0].peer_certificate["subject"] == ((("commonName", "ct1"),),)


async def test_a_requestor_that_requires_does_not_talk_to_strangers(listening, hospital, stranger):
    async with listening("encrypt") as (peer, _):
        with pytest.raises(PeerUnreachable, match="CERTIFICATE_VERIFY_FAILED"):
            async with associate(peer, ECHO, tls=client_context("require", *stranger.issue("ws"), stranger.path)):
                pass


async def test_a_peer_whose_mode_is_encrypt_needs_no_context(listening):
    async with listening("encrypt") as (peer, _):
        peer = Peer(peer.aet, peer.host, peer.port, tls_mode="encrypt", timeout_s=5)
        async with associate(peer, ECHO) as association:
            assert (await association.echo()).status == 0


@pytest.mark.parametrize(
    ("version", "ciphers", "works"),
    [
        (ssl.TLSVersion.TLSv1_1, "ALL:@SECLEVEL=0", False),
        (ssl.TLSVersion.TLSv1_2, "AES128-SHA256:AES256-GCM-SHA384", False),
        (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES128-SHA256", False),
        (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES128-GCM-SHA256", True),
        (ssl.TLSVersion.TLSv1_3, None, True),
    ],
    ids=["TLS 1.1", "no forward secrecy", "CBC", "TLS 1.2", "TLS 1.3"],
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
async def test_only_the_bcp_195_profile_is_spoken(listening, version, ciphers, works):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    if ciphers:
        context.set_ciphers(ciphers)
    async with listening("encrypt") as (peer, _):
        assert await echoes(peer, context) is works


async def test_silent_handshakes_delay_nobody_and_end(listening):
    async with listening("encrypt", Limits(artim_s=0.5)) as (peer, _):
        silent = [await asyncio.open_connection(peer.host, peer.port) for _ in range(19)]
        async with asyncio.timeout(1):
            assert await echoes(peer, client_context())
        for reader, writer in silent:
            async with asyncio.timeout(3):
                with suppress(ConnectionError):
                    await reader.read()
            writer.close()


async def test_more_silent_handshakes_than_allowed_push_out_each_other(listening):
    async with listening("encrypt", Limits(max_pending_per_ip=5)) as (peer, _):
        silent = [await asyncio.open_connection(peer.host, peer.port) for _ in range(30)]
        assert await echoes(peer, client_context())
        async with asyncio.timeout(1):
            for reader, _ in silent[:20]:
                with suppress(ConnectionError):
                    assert await reader.read() == b""
        for _, writer in silent:
            writer.close()


async def test_plain_dicom_on_the_tls_port_and_the_reverse_fail(listening, scp):
    async with listening("encrypt") as (peer, _):
        assert not await echoes(peer, None)
    assert not await echoes(scp.peer, client_context())


async def test_large_objects_pass_through_tls(listening, scp):
    ct, syntax = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1"
    async with (
        listening("encrypt") as (peer, _),
        associate(peer, [ProposedContext(ct, (syntax,))], tls=client_context()) as association,
    ):
        assert (await association.store((ct, syntax), ct, "1.2.3", [bytes(range(256)) * 20_000])).status == 0
    assert scp.stored == [("1.2.3", syntax, bytes(range(256)) * 20_000)]


@with_dcmtk
async def test_echoscu_authenticates_over_tls(listening, hospital):
    certificate, key = hospital.issue("ws1")
    async with listening("require") as (peer, _):
        told = await dcmtk(
            "echoscu", "+tls", key, certificate, "+cf", hospital.path, "127.0.0.1", peer.port, timeout_s=10
        )
        assert told[0] == 0


@pytest.mark.parametrize("mode", ["request", "require"])
def test_a_mode_that_checks_needs_authorities(hospital, mode):
    with pytest.raises(ValueError, match="authorities"):
        server_context(mode, *hospital.issue("archive"))


def test_mode_off_has_no_context():
    assert server_context("off", "nowhere") is None
