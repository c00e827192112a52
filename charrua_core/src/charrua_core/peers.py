"""The remote AEs that this archive knows, and which associations it admits."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert

from charrua_core import audit, tables
from charrua_core.accounts.accounts import is_local
from charrua_core.accounts.rows import row_filter_of
from charrua_core.addresses import Addresses
from charrua_core.errors import EditInvalid, PeerUnknown
from charrua_core.types import Identity, Origin, Peer, Refuse, RowFilter, is_character_set, is_valid_aet

if TYPE_CHECKING:
    from charrua_core.db import Database
    from charrua_core.settings import Settings
    from charrua_core.trouble import Troubles

log = logging.getLogger(__name__)

CHANNEL = "charrua_peer"
"""The PostgreSQL channel on which a change of the peers is told to all processes."""
REJECTION_DELAY = 1.0  # seconds: makes guessing AE titles slow
_peer = tables.peer
PEER_PERMISSIONS = frozenset({"echo", "store", "query", "retrieve"})

_CERTIFICATE = re.compile(r"sha256:[0-9a-f]{64}|[A-Za-z]+=[^\0]+")

Ask = Callable[[Mapping[str, Any]], Awaitable["Identity | Refuse | None"]]


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why an association is rejected: result, source and reason of PS3.8 9.3.4, and a sentence that says how to mend it."""

    result: int
    source: int
    reason: int
    sentence: str
    trouble: str = "not_admitted"
    """Its kind among `charrua_core.trouble.KINDS`."""


CALLING_AET_UNKNOWN = (1, 1, 3)
CALLED_AET_UNKNOWN = (1, 1, 7)
NO_REASON = (1, 1, 1)


def check_aet(aet: str) -> str:
    """Give the AE title without the blanks around it; EditInvalid if it is none (PS3.5 6.2, VR AE)."""
    stripped = aet.strip()
    if not is_valid_aet(stripped):
        raise EditInvalid(f"{aet!r} is no AE title: 1 to 16 ASCII characters without backslash")
    return stripped


class Peers:
    """The known peers, kept in memory and followed in the database."""

    def __init__(self, db: Database, settings: Settings, trail: audit.AuditTrail, troubles: Troubles) -> None:
        self._db = db
        self._settings = settings
        self._trail = trail
        self._troubles = troubles
        self._peers: dict[str, Peer] = {}
        self._filters: dict[str, tuple[RowFilter, ...]] = {}
        self._addresses = Addresses()

    async def refresh(self) -> None:
        """Read the peers from the database."""
        async with self._db.reading() as connection:
            rows = (await connection.execute(select(_peer))).all()
        self._peers = {row.aet: _as_peer(row) for row in rows}
        self._filters = {row.aet: row_filter_of(row.row_filter) for row in rows}
        self._addresses.forget()

    def get(self, aet: str) -> Peer:
        """Give the peer of this AE title; PeerUnknown if there is none."""
        try:
            return self._peers[aet.strip()]
        except KeyError:
            raise PeerUnknown(f"no peer of AE title {aet} is known here: charrua peer add {aet} HOST PORT") from None

    async def resolve(self, aet: str) -> Peer:
        """Give the peer of this AE title as `get` does, looking into the database for one that is new."""
        if self.find(aet) is None:
            await self.refresh()
        return self.get(aet)

    def find(self, aet: str) -> Peer | None:
        """Give the peer of this AE title, None if there is none."""
        return self._peers.get(aet.strip())

    def filters(self, aet: str) -> tuple[RowFilter, ...]:
        """Give what limits the peer to a part of the archive; empty for one that sees all, and for one not known."""
        return self._filters.get(aet.strip(), ())

    def character_set(self, aet: str) -> str:
        """Give the only character set that the peer reads, "" for one that reads what it asks in or Unicode."""
        peer = self.find(aet)
        return peer.character_set if peer else ""

    def all(self) -> list[Peer]:
        """Give all peers by AE title."""
        return [self._peers[aet] for aet in sorted(self._peers)]

    async def add(
        self,
        peer: Peer,
        *,
        by: str,
        row_filter: Mapping[str, list[str]] | None = None,
        origin: Origin | None = None,
    ) -> bool:
        """Add the peer, or change the one of its AE title; True if it is new. EditInvalid if something of it will not do.

        `row_filter` None leaves a known peer its filter, an empty one takes it away. `origin` is that of who asks, for the
        audit trail; without it, a command on this machine.
        """
        check_peer(peer)
        row: dict[str, Any] = {
            "host": peer.host,
            "port": peer.port,
            "tls_mode": peer.tls_mode,
            "timeout_s": round(peer.timeout_s),
            "permissions": sorted(peer.permissions),
            "certificate": peer.certificate,
            "character_set": peer.character_set,
        }
        if row_filter is not None:
            row["row_filter"] = dict(row_filter) or None
        statement = insert(_peer).values(aet=peer.aet, **row).on_conflict_do_update(index_elements=["aet"], set_=row)
        async with self._db.reading() as connection:
            if await connection.scalar(select(tables.destination.c.kind).where(tables.destination.c.name == peer.aet)):
                raise EditInvalid(f"{peer.aet} is the name of a destination: charrua destination list")
        new = peer.aet not in self._peers
        detail = {"peer": peer.aet, "host": peer.host, "port": peer.port}
        await self._write(statement, "C" if new else "U", by, origin, **detail)
        return new

    async def remove(self, aet: str, *, by: str, origin: Origin | None = None) -> None:
        """Remove a peer; PeerUnknown if there is none of this AE title."""
        await self._write(delete(_peer).where(_peer.c.aet == self.get(aet).aet), "D", by, origin, peer=aet)

    async def _write(self, statement: Any, action: audit.Action, by: str, origin: Origin | None, **detail: Any) -> None:
        async with self._db.transaction() as tx:
            await tx.execute(statement)
            origin = origin or Origin("cli", user=by)
            await audit.record(tx, audit.Event.SECURITY_ALERT, action, by, origin, **detail)
            await tx.execute(select(func.pg_notify(CHANNEL, "")))
        await self.refresh()

    # -- admission -------------------------------------------------------------------------------------------------------
    async def admit(
        self,
        calling: str,
        called: str,
        address: str,
        ask: Ask | None = None,
        certificate: frozenset[str] = frozenset(),
    ) -> Identity | Rejection:
        """Give who opens the association, with what it may do, or why it is rejected.

        `ask` is the chain of authentication providers, asked with the scheme `dicom`. A rejection is logged, audited, and
        given only after `REJECTION_DELAY`. A known AE title from another address gets what an unknown AE gets, and is audited,
        where `verify_addresses` is on. A peer that is known by a certificate is known by that alone: `certificate` is what
        the one shown answers to.
        """
        verdict = await self._judge(calling.strip(), called.strip(), address, ask, certificate)
        if isinstance(verdict, Rejection):
            await self._note_rejection(verdict, calling, called, address)
        return verdict

    async def reject(self, calling: str, called: str, address: str, why: str) -> Rejection:
        """Give a rejection for another reason, noted and delayed as those of `admit`."""
        rejection = Rejection(*NO_REASON, f"{calling} at {address}: {why}")
        await self._note_rejection(rejection, calling, called, address)
        return rejection

    async def _note_rejection(self, rejection: Rejection, calling: str, called: str, address: str) -> None:
        self._alert(rejection.trouble, "association rejected", rejection.sentence, calling, called, address)
        await asyncio.sleep(REJECTION_DELAY)

    async def _judge(
        self, calling: str, called: str, address: str, ask: Ask | None, certificate: frozenset[str]
    ) -> Identity | Rejection:
        own, peer = self._settings["dicom_aet"], self._peers.get(calling)
        others = self._settings["dicom_other_aets"]
        if called != own and called not in others and not self._settings["dicom_any_called_aet"]:
            told = (
                f"{calling} at {address} called {called}; this archive is {own}: call it {own}, or set dicom_other_aets"
            )
            return Rejection(*CALLED_AET_UNKNOWN, told, "called_aet")
        if ask is not None and (answer := await ask({"scheme": "dicom", "aet": calling, "address": address})):
            return (
                Rejection(*NO_REASON, f"{calling} at {address}: {answer.reason}")
                if isinstance(answer, Refuse)
                else answer
            )
        if peer is None:
            await self.refresh()  # it may just have been added, and the notification be on its way
            peer = self._peers.get(calling)
        if peer is None:
            return self._stranger(calling, address)
        if peer.certificate:
            is_it, known_by = peer.certificate in certificate, f"by the certificate {peer.certificate}, not shown"
        else:
            is_it = not self._settings["verify_addresses"] or await self._addresses.is_at(address, peer.host)
            known_by = f"at {peer.host}"
        return self.identity(calling) if is_it else self._borrowed(peer, known_by, called, address)

    def identity(self, aet: str) -> Identity:
        """Give what the AE may do and see: a known one as its row says, others as `unknown_aets_may`."""
        peer = self._peers.get(aet.strip())
        if peer is None:
            return self._unknown(aet)
        return Identity(peer.aet, "peer", frozenset({"known"}), peer.permissions, self._filters[peer.aet])

    def _unknown(self, aet: str) -> Identity:
        return Identity(aet, "peer", frozenset({"unknown"}), frozenset(self._settings["unknown_aets_may"]))

    def _borrowed(self, peer: Peer, known_by: str, called: str, address: str) -> Identity | Rejection:
        """Somebody who uses a known AE title from another address, or without its certificate: an unknown AE."""
        mend = f"charrua peer add {peer.aet} {address} PORT, or '*' for its host if it moves about"
        told = f"{peer.aet} came from {address} and is known {known_by}: {mend}"
        if self._settings["verify_aets"]:
            return Rejection(*CALLING_AET_UNKNOWN, told, "borrowed_aet")
        self._alert("borrowed_aet", "taken for an unknown AE", told, peer.aet, called, address)
        return self._unknown(peer.aet)

    def _alert(self, kind: str, what: str, sentence: str, calling: str, called: str, address: str) -> None:
        log.warning("%s: %s", what, sentence)
        reason = sentence.partition(": ")[2] if kind == "not_admitted" else ""
        self._troubles.note(kind, calling.strip(), address, reason, called=called.strip())
        origin = Origin("dimse", calling_aet=calling, called_aet=called, address=address)
        self._trail.later(audit.Event.SECURITY_ALERT, "E", calling, origin, succeeded=False, reason=sentence)

    def _stranger(self, calling: str, address: str) -> Identity | Rejection:
        if self._settings["verify_aets"]:
            if calling == self._settings["dicom_aet"] and is_local(address):  # `charrua status` asks whether we answer
                return Identity(calling, "system", permissions=frozenset({"echo"}))
            told = f"{calling} at {address} is not known here: charrua peer add {calling} {address} PORT"
            return Rejection(*CALLING_AET_UNKNOWN, told, "calling_aet")
        return self.identity(calling)


def _as_peer(row: Any) -> Peer:
    permissions = frozenset(row.permissions)
    return Peer(
        row.aet,
        row.host,
        row.port,
        row.tls_mode,
        float(row.timeout_s),
        permissions,
        row.certificate,
        row.character_set,
    )


def check_peer(peer: Peer) -> None:
    """EditInvalid says what of the peer will not do."""
    check_aet(peer.aet)
    if not peer.host or len(peer.host) > 253 or not peer.host.isprintable() or " " in peer.host:
        raise EditInvalid(f"{peer.host!r} is no host name and no address")
    if not 0 < peer.port < 65536:
        raise EditInvalid(f"{peer.port} is no port: 1 to 65535")
    if not 1 <= peer.timeout_s <= 3600:
        raise EditInvalid("a peer's timeout is 1 to 3600 seconds")
    if peer.certificate and not _CERTIFICATE.fullmatch(peer.certificate):
        raise EditInvalid(
            "a peer's certificate is named by its SHA-256 fingerprint, or by its subject as CN=ct1,O=Hospital"
        )
    if not is_character_set(peer.character_set):
        raise EditInvalid(
            f"{peer.character_set[:80]!r} is no Specific Character Set, as ISO_IR 100 or ISO 2022 IR 6\\ISO 2022 IR 87"
        )
    if strange := peer.permissions - PEER_PERMISSIONS:
        raise EditInvalid(
            f"peers cannot be permitted {', '.join(sorted(strange))}: {', '.join(sorted(PEER_PERMISSIONS))}"
        )
