"""The presentation contexts over which stored objects go, and the objects in the transfer syntax of theirs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from charrua_core.archive.datasets.recode import TARGETS
from charrua_core.archive.outgoing import Outgoing
from charrua_core.dicom import Association, ContextNotAccepted, PresentationContext, ProposedContext
from charrua_core.errors import CodecUnavailable
from charrua_core.imaging.choice import LOSSY, choices
from charrua_core.imaging.transcode import PIXEL_FAILURES
from charrua_core.sending.kinds import brought_into

if TYPE_CHECKING:
    from charrua_core.app import App

MOST_CONTEXTS = 128
"""Presentation contexts of one association (PS3.8 9.3.2.2)."""

Kind = tuple[str, str]
"""SOP class and transfer syntax of stored objects."""


def in_associations(
    kinds: Iterable[Kind], *, lossy: bool = False, preferred: Sequence[str] = ()
) -> Iterator[tuple[frozenset[Kind], list[ProposedContext]]]:
    """Give the kinds in groups that one association can carry, each with its contexts; `preferred` as `choices` has it."""
    group: dict[str, dict[str, None]] = {}
    for sop_class, syntax in dict.fromkeys(kinds):
        with_this = {**group, sop_class: {**group.get(sop_class, {}), syntax: None}}
        if len(_contexts(with_this, lossy, preferred)) > MOST_CONTEXTS:
            yield _kinds(group), _contexts(group, lossy, preferred)
            with_this = {sop_class: {syntax: None}}
        group = with_this
    if group:
        yield _kinds(group), _contexts(group, lossy, preferred)


def _kinds(group: Mapping[str, Iterable[str]]) -> frozenset[Kind]:
    return frozenset((sop_class, syntax) for sop_class, syntaxes in group.items() for syntax in syntaxes)


def _contexts(group: Mapping[str, Mapping[str, None]], lossy: bool, preferred: Sequence[str]) -> list[ProposedContext]:
    """Each SOP class in what is preferred, in each transfer syntax of its objects, and in those that they are brought into
    where these are refused.
    """
    contexts = []
    for sop_class, syntaxes in group.items():
        contexts += [ProposedContext(sop_class, (syntax,)) for syntax in dict.fromkeys((*preferred, *syntaxes))]
        for others in (TARGETS, LOSSY if lossy else ()):
            if offered := tuple(syntax for syntax in others if syntax not in syntaxes):
                contexts.append(ProposedContext(sop_class, offered))
    return contexts


@asynccontextmanager
async def carried(
    app: App, to: Association, outgoing: Outgoing, preferred: Sequence[str] = ()
) -> AsyncIterator[tuple[PresentationContext, Outgoing]]:
    """The best context that the association has for the object, and the object in its transfer syntax.

    What cannot be brought into a preferred one goes as if there were none. Raises ContextNotAccepted where there is none;
    CodecUnavailable where none carries its pixels; what `transcoded` does.
    """
    async with AsyncExitStack() as opened:
        yield await _carry(app, to, outgoing, opened, preferred)


async def _carry(
    app: App, to: Association, outgoing: Outgoing, opened: AsyncExitStack, preferred: Sequence[str]
) -> tuple[PresentationContext, Outgoing]:
    stored, refused = outgoing.transfer_syntax_uid, None
    for wanted in choices(stored, lossy=app.settings["send_lossy"], preferred=preferred):
        try:
            context = to.context_for(outgoing.sop_class_uid, wanted)
        except ContextNotAccepted:
            continue
        if wanted == stored:
            return context, outgoing
        try:
            return context, await brought_into(app, outgoing, wanted, opened)
        except PIXEL_FAILURES as error:
            if wanted not in preferred and not isinstance(error, CodecUnavailable):
                raise
            refused = error
    raise refused or ContextNotAccepted()
