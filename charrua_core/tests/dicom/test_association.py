"""An association between our requestor and our acceptor."""

from __future__ import annotations

import pytest

from charrua_core.dicom import Peer, ProposedContext, associate
from charrua_core.errors import PeerUnreachable

VERIFICATION = ProposedContext("1.2.840.10008.1.1", ("1.2.840.10008.1.2",))


async def test_the_peer_answers_an_echo(scp):
    async with associate(scp.peer, [VERIFICATION]) as association:
        assert (await association.echo()).status == 0x0000


async def test_a_peer_that_does_not_listen_is_unreachable():
    with pytest.raises(PeerUnreachable):
        async with associate(Peer("NOBODY", "127.0.0.1", 1, timeout_s=2), [VERIFICATION]):
            pass
