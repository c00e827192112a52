"""Peers: which AEs are known, and which associations are admitted."""

from __future__ import annotations

import time
from typing import Any

import pytest

from charrua_core import addresses, audit, peers
from charrua_core.audit import AuditTrail
from charrua_core.db import Database
from charrua_core.dicom.configured import echo_peer
from charrua_core.errors import EditInvalid, PeerUnknown, PeerUnreachable
from charrua_core.peers import Peers, Rejection
from charrua_core.settings import Settings
from charrua_core.settings.core import SETTINGS
from charrua_core.trouble import Troubles
from charrua_core.types import Identity, Peer, Refuse

CT1 = Peer("CT1", "127.0.0.1", 104)


class Archive:
    """Peers with the settings of a test."""

    def __init__(self, db: Database, **settings: Any) -> None:
        self.trail = AuditTrail(db)
        self.troubles = Troubles(db)
        self.peers = Peers(db, Settings.load(SETTINGS, {}, settings), self.trail, self.troubles)

    async def admit(self, calling: str, called: str = "CHARRUA", address: str = "10.0.0.8", ask: Any = None) -> Any:
        return await self.peers.admit(calling, called, address, ask)


@pytest.fixture(autouse=True)
def no_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "REJECTION_DELAY", 0)


async def test_a_known_peer_may_what_its_row_says(db: Database) -> None:
    archive = Archive(db)
    await archive.peers.add(
        Peer("WS1", "10.0.0.8", 11112, permissions=frozenset({"query"})), by="ana", row_filter={"Modality": ["CR"]}
    )
    identity = await archive.admit("WS1 ")
    assert (identity.kind, identity.permissions) == ("peer", {"query"})
    assert identity.row_filters[0].admits == {"Modality": ("CR",)}


async def test_a_stranger_may_verify_and_store_but_not_search_or_fetch(db: Database) -> None:
    assert (await Archive(db).admit("CT9")).permissions == {"echo", "store"}
    assert (await Archive(db, unknown_aets_may="echo").admit("CT9")).permissions == {"echo"}


async def test_a_stranger_is_rejected_where_only_known_aes_may_come(db: Database) -> None:
    archive = Archive(db, verify_aets=True)
    await archive.peers.add(CT1, by="ana")
    assert isinstance(await archive.admit("CT1", address="127.0.0.1"), Identity)
    rejection = await archive.admit("CT9")
    assert (rejection.result, rejection.source, rejection.reason) == (1, 1, 3)


async def test_the_archive_itself_may_ask_whether_it_answers(db: Database) -> None:
    archive = Archive(db, verify_aets=True)
    assert (await archive.admit("CHARRUA", address="127.0.0.1")).permissions == {"echo"}
    assert isinstance(await archive.admit("CHARRUA", address="10.0.0.8"), Rejection)


async def test_a_wrong_called_ae_title_is_rejected_with_a_sentence_that_mends_it(db: Database) -> None:
    rejection = await Archive(db).admit("CT2", called="PACS1")
    assert (rejection.result, rejection.source, rejection.reason) == (1, 1, 7)
    assert "CT2 at 10.0.0.8 called PACS1; this archive is CHARRUA" in rejection.sentence
    assert isinstance(await Archive(db, dicom_any_called_aet=True).admit("CT2", called="PACS1"), Identity)


HERE = {"127.0.0.1", "::1", "10.0.0.1", "10.0.0.2"}


@pytest.mark.parametrize(
    ("host", "address", "known"),
    [
        ("localhost", "127.0.0.1", True),
        ("127.0.0.1", "::ffff:127.0.0.1", True),
        ("localhost", "10.0.0.8", False),
        ("10.0.0.8", "10.0.0.8", True),
        ("10.0.0.8", "10.0.0.9", False),
        ("10.0.0.8", "127.0.0.1", False),
        ("10.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "10.0.0.2", True),
        ("fe80::8", "fe80::8%eth0", True),
        ("no-such-host.invalid", "10.0.0.8", False),
        ("*", "10.0.0.8", True),
    ],
)
async def test_a_known_ae_title_from_another_address_is_an_unknown_ae(
    db: Database, monkeypatch: pytest.MonkeyPatch, host: str, address: str, known: bool
) -> None:
    monkeypatch.setattr(addresses, "is_here", HERE.__contains__)
    archive = Archive(db)
    await archive.peers.add(Peer("WS1", host, 104), by="ana")
    identity = await archive.admit("WS1", address=address)
    assert (identity.may("retrieve"), identity.roles) == (known, {"known" if known else "unknown"})
    assert identity.may("store")
    await archive.trail.close()
    alerts = [one["detail"]["reason"] for one in await audit.read(db) if not one["succeeded"]]
    assert [f"is known at {host}: charrua peer add WS1 {address}" in one for one in alerts] == [True] * (not known)


async def test_from_another_address_it_is_rejected_where_only_known_aes_may_come(db: Database) -> None:
    archive = Archive(db, verify_aets=True)
    await archive.peers.add(Peer("WS1", "10.0.0.9", 104), by="ana")
    assert isinstance(await archive.admit("WS1"), Rejection)
    assert isinstance(await archive.admit("WS1", address="10.0.0.9"), Identity)


async def test_addresses_may_be_left_unverified(db: Database) -> None:
    archive = Archive(db, verify_addresses=False)
    await archive.peers.add(Peer("WS1", "10.0.0.9", 104), by="ana")
    assert (await archive.admit("WS1")).may("retrieve")


@pytest.mark.parametrize(("address", "here"), [("127.0.0.1", True), ("::1", True), ("192.0.2.7", False), ("x", False)])
def test_this_machine_knows_its_own_addresses(address: str, here: bool) -> None:
    assert addresses.is_here(address) is here


async def test_a_peer_without_an_address_is_not_called(db: Database) -> None:
    with pytest.raises(PeerUnreachable, match="charrua peer add WS1"):
        await echo_peer(Settings.load(SETTINGS, {}, {}), Peer("WS1", "*", 104))


@pytest.mark.parametrize(
    ("shown", "known"),
    [({"CN=ct1", "sha256:" + "a" * 64}, True), ({"CN=ct2"}, False), ({"CN=ct1,O=Other"}, False), ((), False)],
)
@pytest.mark.parametrize("address", ["10.0.0.8", "10.0.0.9"])
async def test_a_peer_with_a_certificate_is_known_by_that_alone(
    db: Database, shown: Any, known: bool, address: str
) -> None:
    archive = Archive(db)
    await archive.peers.add(Peer("CT1", "10.0.0.8", 104, certificate="CN=ct1"), by="ana")
    identity = await archive.peers.admit("CT1", "CHARRUA", address, None, frozenset(shown))
    assert isinstance(identity, Identity)
    assert identity.may("retrieve") is known


async def test_a_provider_decides_before_the_table_of_peers(db: Database) -> None:
    asked = []

    async def ask(credentials: Any) -> Any:
        asked.append(credentials)
        return Refuse("stolen laptop")

    rejection = await Archive(db).admit("CT1", ask=ask)
    assert asked == [{"scheme": "dicom", "aet": "CT1", "address": "10.0.0.8"}]
    assert isinstance(rejection, Rejection)
    assert "stolen laptop" in rejection.sentence


async def test_a_rejection_is_in_the_audit_trail(db: Database) -> None:
    archive = Archive(db)
    await archive.admit("CT2", called="PACS1")
    await archive.trail.close()
    (kept,) = await audit.read(db)
    assert (kept["event"], kept["succeeded"], kept["who"]) == ("110113", False, "CT2")
    assert "this archive is CHARRUA" in kept["detail"]["reason"]


async def test_a_peer_is_added_changed_found_and_removed(db: Database) -> None:
    known = Archive(db).peers
    assert await known.add(CT1, by="ana")
    changed = Peer("CT1", "10.0.0.9", 104, "require", 5.0, character_set="\\ISO 2022 IR 87")
    assert not await known.add(changed, by="ana")
    assert known.get("CT1 ") == known.all()[0] == changed
    assert [known.character_set(aet) for aet in ("CT1 ", "CT2")] == ["\\ISO 2022 IR 87", ""]
    await known.remove("CT1", by="ana")
    with pytest.raises(PeerUnknown, match="charrua peer add CT1"):
        known.get("CT1")


@pytest.mark.parametrize(
    "peer",
    [
        Peer("", "host", 104),
        Peer("SEVENTEEN_LETTERS", "host", 104),
        Peer("BACK\\SLASH", "host", 104),
        Peer("ÑANDU", "host", 104),
        Peer("CT1", "", 104),
        Peer("CT1", "two words", 104),
        Peer("CT1", "host", 0),
        Peer("CT1", "host", 65536),
        Peer("CT1", "host", 104, timeout_s=0),
        Peer("CT1", "host", 104, permissions=frozenset({"delete"})),
        Peer("CT1", "host", 104, certificate="ct1"),
        Peer("CT1", "host", 104, certificate="sha256:1234"),
        Peer("CT1", "host", 104, character_set="ISO_IR 192\\ISO 2022 IR 87"),
    ],
)
async def test_a_peer_that_cannot_be_is_refused(db: Database, peer: Peer) -> None:
    with pytest.raises(EditInvalid):
        await Archive(db).peers.add(peer, by="ana")


async def test_a_rejection_is_given_only_after_a_while(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "REJECTION_DELAY", 0.2)
    began = time.monotonic()
    assert isinstance(await Archive(db, verify_aets=True).admit("CT9"), Rejection)
    assert time.monotonic() - began >= 0.2


async def test_a_peer_that_another_process_has_just_added_is_known(db: Database) -> None:
    archive = Archive(db, verify_aets=True)
    await archive.peers.refresh()
    await Archive(db).peers.add(CT1, by="ana")
    assert isinstance(await archive.admit("CT1", address=CT1.host), Identity)
