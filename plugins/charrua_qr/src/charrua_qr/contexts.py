"""The presentation contexts over which the objects of a retrieval can go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress

from charrua_core.archive.outgoing import Outgoing
from charrua_core.archive.recode import NATIVE, TARGETS
from charrua_core.dicom import Association, ContextNotAccepted, PresentationContext, ProposedContext

MOST_CONTEXTS = 128
"""Presentation contexts of one association (PS3.8 9.3.2.2)."""

Kind = tuple[str, str]
"""SOP class and transfer syntax of stored objects."""


def in_associations(kinds: Iterable[Kind]) -> Iterator[tuple[frozenset[Kind], list[ProposedContext]]]:
    """Give the kinds in groups that one association can carry, each with its contexts."""
    group: dict[str, dict[str, None]] = {}
    for sop_class, syntax in dict.fromkeys(kinds):
        if len(_contexts(group)) + 2 > MOST_CONTEXTS:
            yield _kinds(group), _contexts(group)
            group = {}
        group.setdefault(sop_class, {})[syntax] = None
    if group:
        yield _kinds(group), _contexts(group)


def _kinds(group: Mapping[str, Iterable[str]]) -> frozenset[Kind]:
    return frozenset((sop_class, syntax) for sop_class, syntaxes in group.items() for syntax in syntaxes)


def _contexts(group: Mapping[str, Mapping[str, None]]) -> list[ProposedContext]:
    """Each SOP class in each transfer syntax of its objects; native ones can also be sent in another native one."""
    contexts = []
    for sop_class, syntaxes in group.items():
        contexts += [ProposedContext(sop_class, (syntax,)) for syntax in syntaxes]
        others = tuple(syntax for syntax in TARGETS if syntax not in syntaxes)
        if others and not NATIVE.isdisjoint(syntaxes):
            contexts.append(ProposedContext(sop_class, others))
    return contexts


def context_for(to: Association, outgoing: Outgoing) -> PresentationContext:
    """Give the context in the transfer syntax that the object has, else in one that it can be given.

    Raises ContextNotAccepted.
    """
    stored = outgoing.transfer_syntax_uid
    for syntax in (stored, *(TARGETS if stored in NATIVE else ())):
        with suppress(ContextNotAccepted):
            return to.context_for(outgoing.sop_class_uid, syntax)
    raise ContextNotAccepted
