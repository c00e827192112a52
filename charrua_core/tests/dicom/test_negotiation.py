"""Presentation contexts, roles and extended negotiation (PS3.8 7.1, PS3.7 D.3)."""

from __future__ import annotations

import itertools

import pytest
from pynetdicom.presentation import SCP_SCU_ROLES

from charrua_core.dicom import (
    Association,
    Dispatcher,
    Limits,
    ProposedContext,
    Roles,
    ServiceClass,
    UserIdentity,
    associate,
    first_offered,
)
from charrua_core.dicom.negotiate import acceptance, accepted_contexts, request_for
from charrua_core.dicom.pdu import UserInformation

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT, IMPLICIT, JPEG = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.4.50"


async def nothing(association, message):
    pass


def service(**changes) -> ServiceClass:
    return ServiceClass(**{"name": "Test", "sop_classes": {CT}, "handle": nothing, "commands": frozenset(), **changes})


@pytest.fixture
async def association() -> Association:
    return Association(Limits(), frozenset(), None, is_requestor=False)


def negotiated(association, proposed, *services, **user):
    """What both sides make of it: the acceptor's contexts, the requestor's contexts, the answer."""
    request = request_for("A", "B", [proposed], UserInformation(**user))
    answer = acceptance(request, Dispatcher(services), association, 16384)
    return association.accepted, accepted_contexts(request, answer), answer


async def test_the_first_transfer_syntax_that_we_take_is_chosen(association):
    ours, theirs, _ = negotiated(association, ProposedContext(CT, (JPEG, IMPLICIT, EXPLICIT)), service())
    assert ours == theirs
    assert ours[1].transfer_syntax == IMPLICIT


async def test_a_service_may_prefer_another_transfer_syntax(association):
    def prefer_jpeg(abstract, offered, association):
        return JPEG if JPEG in offered else None

    ours, _, _ = negotiated(association, ProposedContext(CT, (IMPLICIT, JPEG)), service(transfer_syntaxes=prefer_jpeg))
    assert ours[1].transfer_syntax == JPEG


@pytest.mark.parametrize(("abstract", "syntax", "result"), [("1.2.3", IMPLICIT, 3), (CT, JPEG, 4)])
async def test_what_we_do_not_take_is_refused_with_its_result(association, abstract, syntax, result):
    ours, theirs, answer = negotiated(association, ProposedContext(abstract, (syntax,)), service())
    assert ours == theirs == {}
    assert [context.result for context in answer.contexts] == [result]


@pytest.mark.parametrize(("asked", "granted"), list(itertools.product([(1, 1), (1, 0), (0, 1)], repeat=2)))
async def test_roles_come_out_as_in_pynetdicoms_table(association, asked, granted):
    proposed = ProposedContext(CT, (IMPLICIT,), scu_role=bool(asked[0]), scp_role=bool(asked[1]))
    answered = (bool(asked[0] and granted[0]), bool(asked[1] and granted[1]))
    requestor_is_scu, requestor_is_scp = SCP_SCU_ROLES[tuple(map(bool, asked))][answered][:2]
    ours, theirs, _ = negotiated(association, proposed, service(roles=Roles(bool(granted[0]), bool(granted[1]))))
    assert ours == theirs
    roles = {(context.scu_role, context.scp_role) for context in ours.values()} or {(False, False)}
    if asked == (1, 0):  # the default: no role selection item is sent, so nothing is answered
        assert roles == {(bool(granted[0]), False)}
    else:
        assert roles == {(bool(requestor_is_scu), bool(requestor_is_scp))}


async def test_the_service_that_sends_chooses_the_syntax_where_the_requestor_is_scp(association):
    receives = service(transfer_syntaxes=first_offered(IMPLICIT, JPEG))
    sends = service(transfer_syntaxes=first_offered(JPEG), roles=Roles(scu=False, scp=True))
    proposed = ProposedContext(CT, (IMPLICIT, JPEG), scp_role=True)
    ours, _, _ = negotiated(association, proposed, receives, sends)
    assert (ours[1].transfer_syntax, ours[1].scu_role, ours[1].scp_role) == (JPEG, True, True)


async def test_extended_negotiation_is_answered_by_its_service(association):
    relational = service(extended=lambda uid, asked: asked[:1] + b"\0")
    _, _, answer = negotiated(
        association, ProposedContext(CT, (IMPLICIT,)), relational, extended={CT: b"\1\1", "1.2": b""}
    )
    assert answer.user.extended == association.extended == {CT: b"\1\0"}


async def test_a_peer_without_asynchronous_operations_is_not_told_of_them(association):
    assert negotiated(association, ProposedContext(CT, (IMPLICIT,)), service())[2].user.async_window is None
    asked = negotiated(association, ProposedContext(CT, (IMPLICIT,)), service(), async_window=(9, 9))
    assert asked[2].user.async_window == (1, 1)


async def test_a_user_identity_reaches_admission_and_is_confirmed(scp, wire, raw):
    async def admit(request):
        seen.append((request.user_identity.type, request.user_identity.primary, request.user_identity.secondary))

    scp.acceptor.admit, seen = admit, []
    identity = UserIdentity(2, b"radiology", b"secret", response_requested=True)
    async with associate(scp.peer, [ProposedContext(CT, (IMPLICIT,))], user_identity=identity):
        pass
    assert seen == [(2, b"radiology", b"secret")]


async def test_an_identity_that_nobody_has_checked_gets_no_positive_response(association):
    user = UserInformation(identity=UserIdentity(2, b"radiology", b"secret", response_requested=True))
    request = request_for("A", "B", [ProposedContext(CT, (IMPLICIT,))], user)
    assert acceptance(request, Dispatcher([service()]), association, 16384).user.identity_response is None


@pytest.mark.parametrize("count", [0, 129])
def test_an_association_cannot_have_that_many_contexts(count):
    with pytest.raises(ValueError, match="1 to 128"):
        request_for("A", "B", [ProposedContext(CT, (IMPLICIT,))] * count, UserInformation())
