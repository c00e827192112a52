"""The receivers in the database, and as each process knows them: read once, and again when one has changed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from sqlalchemy import RowMapping, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core import audit
from charrua_core.types import Identity, Origin
from charrua_hl7.outgoing.errors import ReceiverTaken, ReceiverUnknown
from charrua_hl7.outgoing.receiver import Receiver, described
from charrua_hl7.tables import receiver as table

if TYPE_CHECKING:
    from charrua_core.app import App

CHANNEL = "charrua_hl7_receiver"
READ_AGAIN_S = 20.0
"""How long a change may stay unseen whose notification was lost."""


class KnownReceivers:
    """The receivers of one archive by name."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._receivers: Mapping[str, Receiver] | None = None
        self._read_at = 0.0
        self._told = 0
        self._listens = False

    async def all(self, tx: AsyncConnection) -> Mapping[str, Receiver]:
        """Give them; read on the caller's connection, as a second one may not be free while he holds his."""
        if not self._listens:
            self._listens = True
            await self._app.db.listen(CHANNEL, self._forget)
        if self._receivers is None or time.monotonic() - self._read_at > READ_AGAIN_S:
            return await self._read(tx)
        return self._receivers

    async def sent(self, tx: AsyncConnection, what: str) -> list[Receiver]:
        """Give those that are sent results, or orders."""
        return [one for one in (await self.all(tx)).values() if what in one.sends]

    async def _read(self, tx: AsyncConnection) -> Mapping[str, Receiver]:
        self._read_at, told = time.monotonic(), self._told
        found = await _read(tx)
        self._receivers = found if told == self._told else None
        return found

    def _forget(self, _payload: str = "") -> None:
        self._told += 1
        self._receivers = None


_known: WeakKeyDictionary[App, KnownReceivers] = WeakKeyDictionary()


def known_receivers(app: App) -> KnownReceivers:
    """Give the receivers of an archive in this process."""
    if app not in _known:
        _known[app] = KnownReceivers(app)
    return _known[app]


async def every(app: App) -> Mapping[str, Receiver]:
    """Give all receivers by name, as the database has them."""
    async with app.db.reading() as connection:
        return await _read(connection)


async def find(app: App, name: str) -> Receiver:
    """Give one; raises ReceiverUnknown."""
    found = (await every(app)).get(name)
    if found is None:
        raise ReceiverUnknown(f"there is no receiver {name[:80]}")
    return found


async def add(app: App, name: str, given: Mapping[str, Any], who: Identity, origin: Origin) -> Receiver:
    """Add a receiver. Raises ReceiverInvalid, ReceiverTaken."""
    new = described(name, given)
    try:
        async with app.db.transaction() as tx:
            await tx.execute(insert(table).values(new.shown()))
            await _note(app, tx, "C", new, who, origin)
    except IntegrityError as error:
        raise ReceiverTaken(f"there is a receiver {name} already") from error
    return new


async def change(app: App, name: str, given: Mapping[str, Any], who: Identity, origin: Origin) -> Receiver:
    """Change a receiver: what is left out stays as it was. Raises ReceiverUnknown, ReceiverInvalid."""
    new = described(name, given, await find(app, name))
    async with app.db.transaction() as tx:
        await tx.execute(update(table).where(table.c.name == name).values(new.shown()))
        await _note(app, tx, "U", new, who, origin)
    return new


async def remove(app: App, name: str, who: Identity, origin: Origin) -> None:
    """Remove a receiver; what waits for it has failed then. Raises ReceiverUnknown."""
    old = await find(app, name)
    async with app.db.transaction() as tx:
        await tx.execute(delete(table).where(table.c.name == name))
        await _note(app, tx, "D", old, who, origin)


async def _note(
    app: App, tx: AsyncConnection, action: audit.Action, one: Receiver, who: Identity, origin: Origin
) -> None:
    detail: dict[str, Any] = {"hl7_receiver": one.name, "host": one.host, "port": one.port, "sends": list(one.sends)}
    await audit.record(tx, audit.Event.SECURITY_ALERT, action, who.name, origin, **detail)
    app.db.notify(tx, CHANNEL)


async def _read(tx: AsyncConnection) -> Mapping[str, Receiver]:
    rows = (await tx.execute(select(table).order_by(table.c.name))).mappings()
    return {row["name"]: _receiver(row) for row in rows}


def _receiver(row: RowMapping) -> Receiver:
    kept = {name: row[name] for name in Receiver.__dataclass_fields__}
    return Receiver(**kept | {"sends": tuple(kept["sends"])})
