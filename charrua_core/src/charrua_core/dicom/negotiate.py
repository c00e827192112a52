"""Negotiation of presentation contexts and roles, as acceptor and as requestor (PS3.8 7.1, PS3.7 D.3)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from charrua_core.dicom.association import Association
from charrua_core.dicom.dispatch import Dispatcher, ServiceClass
from charrua_core.dicom.message import PresentationContext
from charrua_core.dicom.pdu import AssociateAC, AssociateRQ, ContextResult, ProposedContext, UserInformation
from charrua_core.types import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

ACCEPTED, ABSTRACT_SYNTAX_NOT_SUPPORTED, TRANSFER_SYNTAXES_NOT_SUPPORTED = 0, 3, 4
"""Results of PS3.8 table 9-18."""
SMALLEST_MAX_PDU = 128
"""A peer that takes less at once has no use for messages; it would have us send more headers than data."""


def negotiate_as_acceptor(
    request: AssociateRQ, dispatcher: Dispatcher, association: Association
) -> tuple[list[ContextResult], dict[int, PresentationContext]]:
    """What becomes of each proposed context, and those that are accepted."""
    results, accepted = [], {}
    for proposed in request.contexts:
        roles = _granted(proposed, dispatcher.services_for(proposed.abstract_syntax))
        services = [s for s in dispatcher.services_for(proposed.abstract_syntax) if _plays(s, roles)]
        syntax = next(_chosen(proposed, _storage_first(services, roles), association), "")
        if not services:
            results.append(ContextResult(proposed.id, ABSTRACT_SYNTAX_NOT_SUPPORTED, ""))
        elif not syntax:
            results.append(ContextResult(proposed.id, TRANSFER_SYNTAXES_NOT_SUPPORTED, ""))
        else:
            results.append(ContextResult(proposed.id, ACCEPTED, syntax))
            accepted[proposed.id] = PresentationContext(proposed.id, proposed.abstract_syntax, syntax, *roles)
    return results, accepted


def _granted(proposed: ProposedContext, services: Iterable[ServiceClass]) -> tuple[bool, bool]:
    scu = proposed.scu_role and any(service.roles.scu for service in services)
    scp = proposed.scp_role and any(service.roles.scp for service in services)
    return scu, scp


def _plays(service: ServiceClass, roles: tuple[bool, bool]) -> bool:
    return (roles[0] and service.roles.scu) or (roles[1] and service.roles.scp)


def _storage_first(services: list[ServiceClass], roles: tuple[bool, bool]) -> list[ServiceClass]:
    """Where the requestor is to be SCP, that is what it came for: who sends to it chooses the transfer syntax."""
    return sorted(services, key=lambda service: not service.roles.scp) if roles[1] else services


def _chosen(proposed: ProposedContext, services: Sequence[ServiceClass], association: Association) -> Iterator[str]:
    offered = [uid for uid in proposed.transfer_syntaxes if uid]
    for service in services:
        syntax = service.transfer_syntaxes(proposed.abstract_syntax, offered, association)
        if syntax in offered:
            yield syntax


def acceptance(request: AssociateRQ, dispatcher: Dispatcher, association: Association, max_pdu: int) -> AssociateAC:
    """The A-ASSOCIATE-AC; `association.accepted` and `.extended` are set."""
    results, association.accepted = negotiate_as_acceptor(request, dispatcher, association)
    association.extended = dict(_extended(request.user.extended, dispatcher))
    asked = request.user.identity
    confirmed = association.user_confirmed and asked is not None and asked.response_requested
    user = UserInformation(
        max_pdu,
        roles=_role_answers(request, association.accepted.values()),
        extended=association.extended,
        identity_response=b"" if confirmed else None,
        async_window=None if request.user.async_window is None else (1, 1),
    )
    return AssociateAC(request.calling_aet, request.called_aet, tuple(results), user)


def _extended(asked: Mapping[str, bytes], dispatcher: Dispatcher) -> Iterable[tuple[str, bytes]]:
    for uid, data in asked.items():
        for service in dispatcher.services_for(uid):
            answer = service.extended(uid, data) if service.extended is not None else None
            if answer is not None:
                yield uid, answer
                break


def _role_answers(request: AssociateRQ, accepted: Iterable[PresentationContext]) -> dict[str, tuple[bool, bool]]:
    """Only SOP classes for which the requestor asked get an answer (PS3.7 D.3.3.4.2)."""
    return {c.abstract_syntax: (c.scu_role, c.scp_role) for c in accepted if c.abstract_syntax in request.user.roles}


def request_for(
    calling_aet: str, called_aet: str, contexts: Sequence[ProposedContext], user: UserInformation
) -> AssociateRQ:
    """The A-ASSOCIATE-RQ, with its contexts numbered 1, 3, 5 … and the role selection items that they need."""
    if not 0 < len(contexts) <= 128:
        raise ValueError("an association has 1 to 128 presentation contexts")
    numbered = tuple(replace(context, id=2 * index + 1) for index, context in enumerate(contexts))
    roles = {c.abstract_syntax: (c.scu_role, c.scp_role) for c in contexts if (c.scu_role, c.scp_role) != (True, False)}
    user = replace(
        user,
        roles=roles,
        implementation_uid=IMPLEMENTATION_CLASS_UID,
        implementation_version=IMPLEMENTATION_VERSION_NAME,
    )
    return AssociateRQ(calling_aet, called_aet, numbered, user)


def accepted_contexts(request: AssociateRQ, accept: AssociateAC) -> dict[int, PresentationContext]:
    """What the acceptor's answer leaves us. Without its answer to a role selection, the default roles hold."""
    proposed = {context.id: context for context in request.contexts}
    accepted = {}
    for result in accept.contexts:
        context = proposed.get(result.id)
        if context is None or result.result != ACCEPTED or result.transfer_syntax not in context.transfer_syntaxes:
            continue
        scu, scp = (True, False)
        if context.abstract_syntax in request.user.roles and context.abstract_syntax in accept.user.roles:
            answer = accept.user.roles[context.abstract_syntax]
            scu, scp = context.scu_role and answer[0], context.scp_role and answer[1]
        if scu or scp:
            accepted[result.id] = PresentationContext(
                result.id, context.abstract_syntax, result.transfer_syntax, scu, scp
            )
    return accepted
