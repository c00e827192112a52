"""The PDUs of PS3.8 against an independent codec, and against damage."""

from __future__ import annotations

import random
import time

import pytest
from pynetdicom import pdu as theirs

from charrua_core.dicom import ProposedContext, pdu
from charrua_core.dicom.negotiate import request_for
from charrua_core.dicom.pdu import AssociateAC, ContextResult, ProtocolViolation, UserIdentity, UserInformation

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
USER = UserInformation(
    16384,
    roles={CT: (True, True)},
    extended={CT: b"\1\0"},
    identity=UserIdentity(2, b"user", b"secret", response_requested=True),
    async_window=(3, 4),
)
REQUEST = request_for("CALLING", "CALLED", [ProposedContext(CT, (EXPLICIT, IMPLICIT), scp_role=True)], USER)
MANY = request_for("A", "B", [ProposedContext(f"1.2.3.{n}", (IMPLICIT, EXPLICIT, "1.2.4")) for n in range(128)], USER)


def test_a_request_is_read_as_it_was_written():
    encoded = pdu.encode_associate_rq(REQUEST)
    assert pdu.decode_associate_rq(encoded[6:]) == REQUEST


def test_pynetdicom_reads_our_request():
    request = theirs.A_ASSOCIATE_RQ()
    request.decode(pdu.encode_associate_rq(REQUEST))
    primitive = request.to_primitive()
    assert (primitive.calling_ae_title, primitive.called_ae_title) == ("CALLING", "CALLED")
    (context,) = primitive.presentation_context_definition_list
    assert (context.context_id, context.abstract_syntax) == (1, CT)
    assert context.transfer_syntax == [EXPLICIT, IMPLICIT]
    assert request.encode() == pdu.encode_associate_rq(REQUEST)


def test_pynetdicom_reads_our_acceptance():
    user = UserInformation(131072, roles={CT: (True, False)}, extended={CT: b"\1"}, identity_response=b"ticket")
    accept = AssociateAC("A", "B", (ContextResult(1, 0, EXPLICIT), ContextResult(3, 3, "")), user)
    encoded = pdu.encode_associate_ac(accept)
    read = theirs.A_ASSOCIATE_AC()
    read.decode(encoded)
    assert [c.result for c in read.to_primitive().presentation_context_definition_results_list] == [0, 3]
    assert pdu.decode_associate_ac(encoded[6:]) == accept


def test_the_password_of_a_user_is_not_in_its_representation():
    assert "secret" not in repr(REQUEST)


def test_128_contexts_are_read_in_under_2_ms():
    body = pdu.encode_associate_rq(MANY)[6:]
    fastest = min(_timed(body) for _ in range(20))
    assert fastest < 0.002


def _timed(body: bytes) -> float:
    started = time.perf_counter()
    assert len(pdu.decode_associate_rq(body).contexts) == 128
    return time.perf_counter() - started


@pytest.mark.parametrize(
    ("contexts", "limit"),
    [
        ([ProposedContext(CT, (EXPLICIT,), 1), ProposedContext(CT, (EXPLICIT,), 1)], 128),
        (list(MANY.contexts), 100),
        ([], 128),
    ],
    ids=["same identifier twice", "more than the limit", "none"],
)
def test_a_request_with_impossible_contexts_is_a_violation(contexts, limit):
    encoded = pdu.encode_associate_rq(pdu.AssociateRQ("A", "B", tuple(contexts), UserInformation()))
    with pytest.raises(ProtocolViolation):
        pdu.decode_associate_rq(encoded[6:], limit)


def test_an_invalid_uid_costs_only_its_context():
    bad = ProposedContext("../../etc/passwd", ("x",), 1)
    encoded = pdu.encode_associate_rq(
        pdu.AssociateRQ("A", "B", (bad, ProposedContext(CT, (EXPLICIT,), 3)), UserInformation())
    )
    contexts = pdu.decode_associate_rq(encoded[6:]).contexts
    assert [context.abstract_syntax for context in contexts] == ["", CT]


@pytest.mark.parametrize("title", [b"A\nB", b"A\\B", b"A\0B", b"\xc3\xa4", b"   "])
def test_an_impossible_ae_title_is_read_as_none(title):
    encoded = bytearray(pdu.encode_associate_rq(REQUEST))
    encoded[26:42] = title.ljust(16)
    assert pdu.decode_associate_rq(bytes(encoded[6:])).calling_aet == ""


def test_damage_is_a_violation_and_nothing_else():
    random.seed(1)
    body = pdu.encode_associate_rq(REQUEST)[6:]
    outcomes = [_survives(body) for _ in range(5000)]
    assert outcomes.count(False) > 500


def _survives(body: bytes) -> bool:
    damaged = bytearray(body[: random.randint(0, len(body))] if random.random() < 0.3 else body)
    for _ in range(random.randint(0, 3)):
        start = random.randint(0, len(damaged))
        damaged[start : start + random.randint(0, 3)] = random.randbytes(random.randint(0, 3))
    try:
        pdu.decode_associate_rq(bytes(damaged))
        return True
    except ProtocolViolation:
        return False
