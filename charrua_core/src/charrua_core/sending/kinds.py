"""What a kind of destinations is, and what it is asked to do (hook `destinations`)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from charrua_core import errors
from charrua_core.archive.outgoing import Opener, Outgoing
from charrua_core.archive.search import InstanceRecord
from charrua_core.errors import CharruaError
from charrua_core.imaging.choice import choices
from charrua_core.imaging.transcode import PIXEL_FAILURES, transcoded
from charrua_core.sending.on_the_way import TRANSFER_SYNTAXES, changed
from charrua_core.settings import Setting
from charrua_core.types import Destination

if TYPE_CHECKING:
    from charrua_core.app import App

ITS_OWN = (errors.HeaderDamaged, errors.StorageFailed, *PIXEL_FAILURES)
"""What keeps one object from leaving, and no other."""

NEVER = (errors.NotDeidentifiable, errors.EditInvalid)
"""What keeps one object from leaving as it was asked for, now and later."""


State = Literal["done", "failed", "refused", "passed over"]


class SendFailed(CharruaError):
    """The destination did not take all objects."""

    http_status = 502


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one object.

    `done`: it is over there, and is never sent again. `failed`: it is tried again by the schedule. `refused`: it is not, as
    it will never be taken. `passed over`: the destination has no use for such objects, and that is as it should be.
    """

    record: InstanceRecord
    state: State = "done"
    why: str = ""
    """A sentence without patient data."""


@dataclass(frozen=True, slots=True)
class Sending:
    """What a kind is asked for: to bring these objects to this place."""

    app: App
    destination: Destination
    records: Sequence[InstanceRecord]
    options: Mapping[str, Any] = field(default_factory=dict)
    """What is asked of the sending, of those that the kind heeds: the route's before the destination's."""
    opener: Opener = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "opener", Opener(self.app))

    @asynccontextmanager
    async def leaving(self, record: InstanceRecord) -> AsyncIterator[Outgoing]:
        """The object as it leaves: edits applied, de-identified and coerced where that is asked for, in the first of the
        `transfer_syntaxes` that it can be brought into.

        Raises StudyNotFound when it was removed meanwhile, HeaderDamaged, StorageFailed, NotDeidentifiable, EditInvalid for
        a coercion whose value does not fit.
        """
        async with AsyncExitStack() as opened:
            outgoing = await self.prepared(record)
            yield await self._brought_into(outgoing, opened)

    async def prepared(self, record: InstanceRecord) -> Outgoing:
        """The same in the transfer syntax that it is stored in."""
        return await asyncio.to_thread(changed, self.app, await self.opener.open(record), self.options)

    async def _brought_into(self, outgoing: Outgoing, opened: AsyncExitStack) -> Outgoing:
        stored = outgoing.transfer_syntax_uid
        preferred = self.options.get(TRANSFER_SYNTAXES, ())
        for wanted in choices(stored, lossy=False, preferred=preferred) if preferred else ():
            if wanted == stored:
                break
            try:
                return await brought_into(self.app, outgoing, wanted, opened)
            except PIXEL_FAILURES:
                continue  # preferred, not demanded
        return outgoing


async def brought_into(app: App, outgoing: Outgoing, wanted: str, opened: AsyncExitStack) -> Outgoing:
    """Give the object in the transfer syntax that is wanted, for as long as `opened` is. Raises what `transcoded` does."""
    stored, spill = outgoing.transfer_syntax_uid, app.volumes.current.spool_path
    made = await opened.enter_async_context(transcoded(app.imaging, outgoing.segments, stored, wanted, spill))
    uid = made.sop_instance_uid or outgoing.sop_instance_uid
    return replace(outgoing, sop_instance_uid=uid, transfer_syntax_uid=wanted, segments=made.segments)


Send = Callable[[Sending], AsyncGenerator[Outcome, None]]
Probe = Callable[["App", Destination], Awaitable[str]]


def _as_given(options: Mapping[str, Any]) -> Mapping[str, Any]:
    return options


@dataclass(frozen=True, slots=True)
class DestinationKind:
    """A kind of destinations, as a plugin gives it by the hook `destinations`."""

    name: str
    """A small word: `stow`, `folder`."""
    help: str
    send: Send
    """Brings objects there, and gives of each what became of it as soon as that is known.

    What it raises has all objects that it has said nothing of tried again; `charrua_core.jobs.GiveUp` has them given up. An
    object that is told `done` is not sent a second time; one that was on its way when the process died is.
    """
    probe: Probe
    """Looks whether the place is there, and gives a sentence that says so; raises an error of `charrua_core.errors`."""
    options: Sequence[Setting] = ()
    """What a destination of this kind is told, beside what all have. A secret one is never shown."""
    required: frozenset[str] = frozenset()
    check: Callable[[Mapping[str, Any]], Mapping[str, Any]] = _as_given
    """Looks at the options together, as parsed; raises EditInvalid, or gives them as they shall be kept."""
    heeds: frozenset[str] = frozenset()
    """Options of a sending (`Route.options`) that it heeds: what asks for another one is not sent."""
