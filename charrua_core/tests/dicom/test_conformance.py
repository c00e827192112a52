"""The conformance statement is printed from what is registered."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from pynetdicom import sop_class

from charrua_core.archive.datasets.derived import WITHOUT_PATIENT
from charrua_core.dicom import Limits
from charrua_core.dicom.conformance import conformance_statement
from charrua_core.dicom.storage_classes import STORAGE_SOP_CLASSES, name_of


@pytest.fixture
def statement(scp) -> str:
    echo, *others = scp.services
    echo = replace(echo, statuses={0x0000: "here"}, about=lambda: "Answers in a moment.")
    others = [
        replace(one, sop_classes=STORAGE_SOP_CLASSES.__contains__) if callable(one.sop_classes) else one
        for one in others
    ]
    return conformance_statement([echo, *others], Limits(max_pdu=65536))


def section(statement: str, title: str) -> str:
    return next(part for part in statement.split("\n## ") if part.removeprefix("## ").startswith(title + "\n"))


def test_services_roles_limits_and_statuses_are_stated(statement):
    assert "| Maximum PDU size received | 65536 bytes |" in statement
    assert "| 0000 | here |" in section(statement, "Verification")
    assert "Answers in a moment." in section(statement, "Verification")
    assert "This AE is SCP. Requests: C-GET, C-FIND, C-MOVE." in section(statement, "Query/Retrieve")
    assert "This AE is SCU." in section(statement, "C-GET's storage")
    assert "JPEG Baseline (Process 1)" in section(statement, "Storage")
    assert "Explicit VR Little Endian (`1.2.840.10008.1.2.1`)" in section(statement, "Query/Retrieve")


def test_the_storage_classes_stand_in_one_table_with_names_and_nothing_else(statement):
    table = section(statement, "Storage SOP classes")
    assert statement.count("| CT Image Storage | `1.2.840.10008.5.1.4.1.1.2` |") == 1
    names = re.findall(r"^\| (.*?) \| `", table, re.MULTILINE)
    assert len(names) > 150
    assert [name for name in names if "Storage" not in name] == []
    assert not re.search("FIND|MOVE|GET|Repository|Hardcopy|Stored Print", table)


def test_every_storage_class_that_others_know_is_among_ours_with_its_name():
    theirs = set(sop_class._STORAGE_CLASSES.values())
    assert theirs <= STORAGE_SOP_CLASSES
    assert [uid for uid in theirs if not name_of(uid)] == []


def test_the_classes_without_a_patient_are_those_that_others_know():
    groups = (
        sop_class._NON_PATIENT_OBJECT_CLASSES,
        sop_class._HANGING_PROTOCOL_CLASSES,
        sop_class._COLOR_PALETTE_CLASSES,
        sop_class._IMPLANT_TEMPLATE_CLASSES,
        sop_class._DEFINED_PROCEDURE_CLASSES,
        sop_class._PROTOCOL_APPROVAL_CLASSES,
        sop_class._INVENTORY_CLASSES,
    )
    theirs = {uid for group in groups for keyword, uid in group.items() if keyword.endswith("Storage")}
    assert theirs == WITHOUT_PATIENT
