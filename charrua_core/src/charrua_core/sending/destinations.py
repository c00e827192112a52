"""The places that objects are sent to: peers, and destinations of the kinds that plugins bring."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert

from charrua_core import audit, tables
from charrua_core.errors import DestinationUnknown, EditInvalid, PluginFailed, SettingInvalid
from charrua_core.sending.kinds import DestinationKind
from charrua_core.sending.on_the_way import ON_THE_WAY, check_on_the_way
from charrua_core.sending.window import window_of
from charrua_core.settings.declaration import MASK
from charrua_core.types import Destination, Origin, Peer

if TYPE_CHECKING:
    from charrua_core.db import Database
    from charrua_core.peers import Peers

CHANNEL = "charrua_destination"
"""The PostgreSQL channel on which a change of the destinations is told to all processes."""
DICOM = "dicom"
MOST_AT_ONCE = 16

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._-]{0,62}[A-Za-z0-9._-])?")
_destination = tables.destination


class Destinations:
    """The known destinations, kept in memory and followed in the database; the peers are among them."""

    def __init__(self, db: Database, peers: Peers, kinds: Sequence[DestinationKind]) -> None:
        """Know these kinds; PluginFailed where two have the same name."""
        self._db = db
        self._peers = peers
        self.kinds = {kind.name: kind for kind in kinds}
        if len(self.kinds) < len(kinds):
            raise PluginFailed(f"two kinds of destinations have one name: {', '.join(kind.name for kind in kinds)}")
        self._known: dict[str, Destination] = {}

    async def refresh(self) -> None:
        """Read the destinations from the database."""
        async with self._db.reading() as connection:
            rows = (await connection.execute(select(_destination))).all()
        self._known = {row.name: _as_destination(row) for row in rows}

    def find(self, name: str) -> Destination | None:
        """Give the destination of this name, which may be a peer's AE title; None if there is none."""
        peer = self._peers.find(name)
        return self._known.get(name) or (as_destination(peer) if peer else None)

    async def get(self, name: str) -> Destination:
        """Give the destination as `find` does, looking into the database for one that is new; else DestinationUnknown."""
        if self.find(name) is None:
            await self.refresh()
            await self._peers.refresh()
        found = self.find(name)
        if found is None:
            raise DestinationUnknown(f"no peer and no other destination is named {name}: charrua destination list")
        return found

    def kind_of(self, destination: Destination) -> DestinationKind:
        """Give the destination's kind; DestinationUnknown where no plugin brings it."""
        try:
            return self.kinds[destination.kind]
        except KeyError:
            raise DestinationUnknown(
                f"{destination.name} is of kind {destination.kind}, which no installed plugin brings"
            ) from None

    def all(self) -> list[Destination]:
        """Give all destinations by name, the peers among them."""
        known = {**{peer.aet: as_destination(peer) for peer in self._peers.all()}, **self._known}
        return [known[name] for name in sorted(known)]

    def concurrency(self) -> dict[str, int]:
        """Give how many jobs may send at once to those destinations where it is not one."""
        return {name: one.concurrency for name, one in self._known.items() if one.concurrency != 1}

    def parsed(self, destination: Destination) -> dict[str, Any]:
        """Give the options of the destination's kind, as their types are, with the defaults of those that it has not."""
        declared = self.kind_of(destination).options
        given = destination.options
        return {one.name: one.parse(given[one.name], "it") if one.name in given else one.default for one in declared}

    def shown(self, destination: Destination) -> dict[str, Any]:
        """Give the options for people to read: a secret one is masked."""
        kind = self.kinds.get(destination.kind)
        open_ones = {one.name for one in kind.options if not one.secret} if kind else set()
        return {name: value if name in open_ones | ON_THE_WAY else MASK for name, value in destination.options.items()}

    # -- changes ---------------------------------------------------------------------------------------------------------
    async def add(self, destination: Destination, *, by: str) -> bool:
        """Add the destination, or change the one of its name; True if it is new. EditInvalid if something will not do."""
        await self._peers.refresh()
        row = asdict(self.checked(destination))
        row["time_window"] = row.pop("window")
        row["timeout_s"] = round(row["timeout_s"])
        kept = {name: value for name, value in row.items() if name != "name"}
        statement = insert(_destination).values(row).on_conflict_do_update(index_elements=["name"], set_=kept)
        new = destination.name not in self._known
        await self._write(statement, "C" if new else "U", by, destination=destination.name, kind=destination.kind)
        return new

    async def remove(self, name: str, *, by: str) -> None:
        """Remove a destination that is no peer; DestinationUnknown if there is none. What waits for it fails."""
        await self.refresh()
        if name not in self._known:
            raise DestinationUnknown(f"no destination but maybe a peer is named {name}: charrua destination list")
        await self._write(delete(_destination).where(_destination.c.name == name), "D", by, destination=name)

    def checked(self, destination: Destination) -> Destination:
        """Give the destination with its options as they are kept; EditInvalid says what will not do."""
        if not _NAME.fullmatch(destination.name):
            raise EditInvalid(f"{destination.name!r} is no name: 1 to 64 letters, digits, blanks and . _ -")
        if self._peers.find(destination.name) is not None:
            raise EditInvalid(f"{destination.name} is the AE title of a peer")
        if destination.kind == DICOM:
            raise EditInvalid(f"a DICOM destination is a peer: charrua peer add {destination.name} HOST PORT")
        if not 1 <= destination.concurrency <= MOST_AT_ONCE:
            raise EditInvalid(f"1 to {MOST_AT_ONCE} jobs may send to a destination at once")
        if not 1 <= destination.timeout_s <= 3600:
            raise EditInvalid("a destination's timeout is 1 to 3600 seconds")
        window_of(destination.window)
        options = self._checked_options(destination)
        parts = {name: getattr(destination, name) for name in ("enabled", "concurrency", "window", "timeout_s")}
        return Destination(destination.name, destination.kind, options, **parts)

    def _checked_options(self, destination: Destination) -> dict[str, Any]:
        try:
            kind = self.kinds[destination.kind]
        except KeyError:
            known = ", ".join(sorted(self.kinds.keys() - {DICOM}))
            raise EditInvalid(f"there is no kind {destination.kind}; there are {known}") from None
        declared = {one.name: one for one in kind.options}
        on_the_way = {name: value for name, value in destination.options.items() if name in ON_THE_WAY}
        own = {name: value for name, value in destination.options.items() if name not in ON_THE_WAY}
        if strange := sorted((own.keys() - declared.keys()) | (on_the_way.keys() - kind.heeds)):
            raise EditInvalid(f"a destination of kind {kind.name} has no {', '.join(strange)}")
        try:
            parsed = {name: declared[name].parse(value, destination.name) for name, value in own.items()}
        except SettingInvalid as error:
            raise EditInvalid(str(error)) from error
        if missing := sorted(name for name in kind.required if not parsed.get(name)):
            raise EditInvalid(f"a destination of kind {kind.name} needs {', '.join(missing)}")
        defaults = {one.name: one.default for one in kind.options}
        checked = kind.check({**defaults, **parsed})
        kept = {name: declared[name].plain(checked[name]) for name in parsed}
        return {**kept, **check_on_the_way(on_the_way)}

    async def _write(self, statement: Any, action: audit.Action, by: str, **detail: Any) -> None:
        async with self._db.transaction() as tx:
            await tx.execute(statement)
            origin = Origin("cli", user=by)
            await audit.record(tx, audit.Event.SECURITY_ALERT, action, by, origin, **detail)
            await tx.execute(select(func.pg_notify(CHANNEL, "")))
        await self.refresh()


def as_destination(peer: Peer) -> Destination:
    """Give a peer as the destination that it is."""
    return Destination(peer.aet, DICOM, timeout_s=peer.timeout_s)


def _as_destination(row: Any) -> Destination:
    how = (row.enabled, row.concurrency, row.time_window, float(row.timeout_s))
    return Destination(row.name, row.kind, row.options, *how)
