"""The network part of the conformance statement is printed from what is registered."""

from __future__ import annotations

from charrua_core.dicom import Limits, conformance_statement


def test_services_sop_classes_roles_and_limits_are_stated(scp):
    statement = conformance_statement(scp.services, Limits(max_pdu=65536))
    assert "| Maximum PDU size received | 65536 bytes |" in statement
    assert "## Verification" in statement
    assert "Requests answered: C-GET, C-FIND, C-MOVE." in statement
    assert "| CT Image Storage | `1.2.840.10008.5.1.4.1.1.2` |" in statement
    assert "Requestor's roles: SCP." in statement
