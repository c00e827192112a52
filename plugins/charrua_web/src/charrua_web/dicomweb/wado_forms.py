"""In which transfer syntaxes a client takes objects, and objects brought into one of them (PS3.18 8.7.3)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from charrua_core.archive.outgoing import Outgoing
from charrua_core.imaging.choice import choices
from charrua_core.imaging.codecs.syntaxes import EXPLICIT_LITTLE_ENDIAN
from charrua_core.imaging.transcode import PIXEL_FAILURES, transcoded
from charrua_core.types import is_valid_uid
from charrua_core.web import HttpError, MediaType, accepted

if TYPE_CHECKING:
    from charrua_core.app import App
    from charrua_core.web import Request

ANY = "*"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Transfer syntaxes that the client takes, the best first; `*` is that of the file, whatever it is.

    `by_default`: the client names none. Then objects that cannot be brought into the one that the standard has for this
    leave as they are.
    """

    syntaxes: Sequence[str]
    by_default: bool = False

    def of(self, stored: str, *, lossy: bool) -> list[str]:
        """Give those that an object stored in this one may leave in, in the order in which to try; none: it cannot."""
        able = choices(stored, lossy=lossy)
        if stored in self.syntaxes or ANY in self.syntaxes:
            return [stored]
        tried = [uid for uid in self.syntaxes if uid in able]
        return [*tried, stored] if self.by_default else tried


def wanted_of(request: Request, offer: MediaType, unsaid: str = EXPLICIT_LITTLE_ENDIAN) -> Wanted:
    """Read the transfer syntaxes of all ranges that admit the offer.

    A range without the parameter means `unsaid`: explicit VR little endian by default (PS3.18 8.7.3.5.2). HttpError 400 for
    one that is no UID.
    """
    ranges = [one for one in accepted(request) if one.q and one.admits(offer)]
    said = [one.parameters.get("transfer-syntax", "") for one in ranges]
    for uid in said:
        if uid and uid != ANY and not is_valid_uid(uid):
            raise HttpError(400, f"{uid[:80]!r} is no transfer syntax")
    named = [uid for uid in said if uid]
    return Wanted(named) if named else Wanted([unsaid], by_default=True)


@asynccontextmanager
async def leaving(app: App, outgoing: Outgoing, wanted: Wanted) -> AsyncIterator[Outgoing]:
    """Give the object in the first of these transfer syntaxes that can carry it; its segments last as long as the block.

    Raises HttpError 406 where none can, and what `transcoded` raises.
    """
    async with AsyncExitStack() as opened:
        yield await _brought(app, outgoing, wanted, opened)


async def _brought(app: App, outgoing: Outgoing, wanted: Wanted, opened: AsyncExitStack) -> Outgoing:
    stored, refused = outgoing.transfer_syntax_uid, None
    for syntax in wanted.of(stored, lossy=app.settings["send_lossy"]):
        if syntax == stored:
            return outgoing
        try:
            made = await opened.enter_async_context(
                transcoded(app.imaging, outgoing.segments, stored, syntax, app.volumes.current.spool_path)
            )
        except PIXEL_FAILURES as error:
            refused = error
            continue
        uid = made.sop_instance_uid or outgoing.sop_instance_uid
        return replace(outgoing, sop_instance_uid=uid, transfer_syntax_uid=syntax, segments=made.segments)
    raise refused or not_had(stored)


def not_had(stored: str) -> HttpError:
    """Give the refusal of an object that cannot leave in any transfer syntax that the client takes."""
    return HttpError(406, f"an object stored in transfer syntax {stored} cannot be had in what the request accepts")
