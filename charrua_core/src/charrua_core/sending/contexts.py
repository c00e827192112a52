"""The presentation contexts over which stored objects go, and the objects in the transfer syntax of theirs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from charrua_core.archive.datasets.recode import TARGETS
from charrua_core.archive.outgoing import Outgoing
from charrua_core.dicom import Association, ContextNotAccepted, PresentationContext, ProposedContext
from charrua_core.errors import CodecUnavailable
from charrua_core.imaging.choice import LOSSY, choices
from charrua_core.imaging.transcode import transcoded

if TYPE_CHECKING:
    from charrua_core.app import App

MOST_CONTEXTS = 128
"""Presentation contexts of one association (PS3.8 9.3.2.2)."""

Kind = tuple[str, str]
"""SOP class and transfer syntax of stored objects."""


def in_associations(
    kinds: Iterable[Kind], *, lossy: bool = False
) -> Iterator[tuple[frozenset[Kind], list[ProposedContext]]]:
    """Give the kinds in groups that one association can carry, each with its contexts."""
    group: dict[str, dict[str, None]] = {}
    for sop_class, syntax in dict.fromkeys(kinds):
        with_this = {**group, sop_class: {**group.get(sop_class, {}), syntax: None}}
        if len(_contexts(with_this, lossy)) > MOST_CONTEXTS:
            yield _kinds(group), _contexts(group, lossy)
            with_this = {sop_class: {syntax: None}}
        group = with_this
    if group:
        yield _kinds(group), _contexts(group, lossy)


def _kinds(group: Mapping[str, Iterable[str]]) -> frozenset[Kind]:
    return frozenset((sop_class, syntax) for sop_class, syntaxes in group.items() for syntax in syntaxes)


def _contexts(group: Mapping[str, Mapping[str, None]], lossy: bool) -> list[ProposedContext]:
    """Each SOP class in each transfer syntax of its objects, and in those that they are brought into where it is refused."""
    contexts = []
    for sop_class, syntaxes in group.items():
        contexts += [ProposedContext(sop_class, (syntax,)) for syntax in syntaxes]
        for others in (TARGETS, LOSSY if lossy else ()):
            if offered := tuple(syntax for syntax in others if syntax not in syntaxes):
                contexts.append(ProposedContext(sop_class, offered))
    return contexts


@asynccontextmanager
async def carried(app: App, to: Association, outgoing: Outgoing) -> AsyncIterator[tuple[PresentationContext, Outgoing]]:
    """The best context that the association has for the object, and the object in its transfer syntax.

    Raises ContextNotAccepted where there is none; CodecUnavailable where none carries its pixels; what `transcoded` does.
    """
    async with AsyncExitStack() as opened:
        yield await _carry(app, to, outgoing, opened)


async def _carry(
    app: App, to: Association, outgoing: Outgoing, opened: AsyncExitStack
) -> tuple[PresentationContext, Outgoing]:
    stored, refused = outgoing.transfer_syntax_uid, None
    for wanted in choices(stored, lossy=app.settings["send_lossy"]):
        with suppress(ContextNotAccepted):
            context = to.context_for(outgoing.sop_class_uid, wanted)
            if wanted == stored:
                return context, outgoing
            spill = app.volumes.current.spool_path
            try:
                new = transcoded(app.imaging, outgoing.segments, stored, wanted, spill)
                made = await opened.enter_async_context(new)
            except CodecUnavailable as error:
                refused = error
                continue
            uid = made.sop_instance_uid or outgoing.sop_instance_uid
            return context, replace(outgoing, sop_instance_uid=uid, transfer_syntax_uid=wanted, segments=made.segments)
    raise refused or ContextNotAccepted()
