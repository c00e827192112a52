"""Mappings over HTTP: kept with their versions, checked, tried, and in force at once."""

from __future__ import annotations

import asyncio
import json

import pytest
from sqlalchemy import insert, select

from charrua_core import audit
from charrua_hl7 import tables
from charrua_hl7.mapping import ordered_steps
from charrua_hl7.mapping.check import MappingInvalid, read_lines
from charrua_hl7.mapping.defaults import DEFAULTS
from charrua_hl7.message import Message

from .told import an_order, told

ORDER = an_order("ORC|NW|P1^RIS|F1", "OBR|1|P1|F1|CTC^CT chest^L||||||||||||||A1|R1|S1|||RX")
SHORT = [
    {"to": "PatientID", "from": ["PID-3"], "as": "id"},
    {"to": "AccessionNumber", "from": ["OBR-2"], "as": "id"},
    {"to": "ScheduledProcedureStepSequence.Modality", "from": ["OBR-24"], "as": "modality", "default": "OT"},
]


async def accession(app) -> str:
    """Give the accession number that the order has by the mapping in force."""
    async with app.db.transaction() as tx:
        [step] = await ordered_steps(app, tx, Message.parse(ORDER.encode()))
    return told(step.complete)["AccessionNumber"]


async def test_a_mapping_holds_once_it_is_saved_and_the_default_comes_back(place, admin) -> None:
    assert await accession(place.app) == "A1"
    shown = (await admin.get("/hl7/mappings/ORM^O01")).json()
    assert (shown["type"], shown["version"], shown["default"], len(shown["lines"])) == (
        "ORM",
        0,
        True,
        len(DEFAULTS["ORM"]),
    )

    saved = await admin.put("/hl7/mappings/ORM", json={"version": 0, "lines": SHORT, "reason": "a test"})
    assert (saved.status_code, saved.json()["default"], saved.json()["lines"]) == (200, False, SHORT)
    await heard(place.app, "P1")
    late = await admin.put("/hl7/mappings/ORM", json={"version": 0, "lines": SHORT})
    assert late.status_code == 409
    version = saved.json()["version"]
    assert (await admin.delete(f"/hl7/mappings/ORM?version={version + 1}")).status_code == 409
    assert (await admin.delete(f"/hl7/mappings/ORM?version={version}")).json()["default"] is True
    await heard(place.app, "A1")

    versions = (await admin.get("/hl7/mappings/ORM/versions")).json()
    assert [(one["default"], one["reason"], one["changed_by"]) for one in versions] == [
        (True, "", "user0"),
        (False, "a test", "user0"),
    ]
    listed = (await admin.get("/hl7/mappings")).json()
    assert [(one["type"], one["default"]) for one in listed] == [(code, True) for code in DEFAULTS]


async def test_who_has_changed_a_mapping_is_in_the_audit_trail(place, admin) -> None:
    saved = await admin.put("/hl7/mappings/ORM", json={"version": 0, "lines": SHORT})
    await admin.delete(f"/hl7/mappings/ORM?version={saved.json()['version']}")
    found = [one for one in await audit.read(place.app.db) if "hl7_mapping" in one["detail"]]
    assert [(one["action"], one["who"], one["detail"]["hl7_mapping"]) for one in found] == [
        ("D", "user0", "ORM"),
        ("U", "user0", "ORM"),
    ]


async def heard(app, number: str) -> None:
    """Wait until the mapping in force gives this accession number: the change is told by the database."""
    for _ in range(100):
        if await accession(app) == number:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(await accession(app))


async def test_only_one_of_two_who_change_at_once_is_heard(place, admin) -> None:
    body = {"version": 0, "lines": SHORT}
    both = await asyncio.gather(*(admin.put("/hl7/mappings/ORM", json=body) for _ in range(4)))
    assert sorted(one.status_code for one in both) == [200, 409, 409, 409]


def wrong(*lines, code="ORM") -> list[tuple[int | None, str]]:
    """Give line and part of all that is wrong with lines, which are put to those that must be."""
    with pytest.raises(MappingInvalid) as refused:
        read_lines(code, [*lines, *SHORT])
    return [(one.line, one.part) for one in refused.value.problems]


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ({"to": "PatientNam", "from": ["PID-5"]}, "to"),
        ({"to": "", "from": ["PID-5"]}, "to"),
        ({"to": "PatientName.Modality", "from": ["PID-5"]}, "to"),
        ({"to": "SpecificCharacterSet", "from": ["MSH-18"], "as": "term"}, "to"),
        ({"to": "ScheduledProcedureStepSequence.ScheduledProcedureStepStatus", "from": ["ORC-5"], "as": "term"}, "to"),
        ({"to": "TransferSyntaxUID", "from": ["ZDS-1"], "as": "uid"}, "to"),
        ({"to": "PatientName", "from": ["PID-5"]}, "as"),
        ({"to": "PatientName", "from": ["PID-5"], "as": "magic"}, "as"),
        ({"to": "PatientWeight", "from": ["OBX-5"], "as": "text"}, "as"),
        ({"to": "PatientAddress", "from": ["PID"]}, "from"),
        ({"to": "PatientAddress", "from": ["PID-11.3-2"]}, "from"),
        ({"to": "PatientAddress", "from": "PID-11"}, "from"),
        ({"to": "PatientAddress", "from": []}, "from"),
        ({"to": "PatientAddress", "from": ["PID-11"] * 21}, "from"),
        ({"to": "PatientBirthDate", "from": ["PID-7"], "as": "day", "default": "never"}, "default"),
        ({"to": "PatientAddress", "from": ["PID-11"], "values": ["RX"]}, "values"),
        ({"to": "PatientAddress", "from": ["PID-11"], "values": {str(n): "CR" for n in range(201)}}, "values"),
        ({"to": "PatientAddress", "from": ["PID-11"], "default": "x" * 201}, "default"),
        ({"to": "PatientAddress", "from": ["PID-11"], "note": "a\x00b"}, "note"),
        ({"to": "ScheduledProcedureStepSequence", "from": ["OBR-4"], "as": "code"}, "to"),
        ({"to": "PatientAddress", "from": ["PID-11"], "renamed": {}}, "renamed"),
        ({"to": "PatientID", "from": ["PID-2"], "as": "id"}, "to"),
        ("PatientID", "to"),
    ],
)
def test_what_is_wrong_with_a_line_is_told_at_the_line(line, part) -> None:
    [(_, told_part)] = wrong(line)
    assert told_part == part


def test_all_that_is_wrong_is_told_at_once() -> None:
    assert wrong({"to": "X", "from": ["?"]}, {"to": "PatientName", "from": ["PID-5"], "as": "date"}) == [
        (0, "to"),
        (0, "from"),
        (1, "as"),
    ]


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_what_there_has_to_be_a_line_for(missing) -> None:
    with pytest.raises(MappingInvalid):
        read_lines("ORM", [line for number, line in enumerate(SHORT) if number != missing])


@pytest.mark.parametrize("given", [None, [], {}, "PatientID", SHORT * 101])
def test_what_is_no_list_of_lines_is_none(given) -> None:
    with pytest.raises(MappingInvalid, match="a list of 1 to 300 lines"):
        read_lines("ORM", given)


@pytest.mark.parametrize("code", DEFAULTS)
def test_the_defaults_pass_their_own_check(code) -> None:
    lines = [json.loads(json.dumps(line.as_json())) for line in DEFAULTS[code]]
    assert [line.as_json() for line in read_lines(code, lines)] == lines


async def test_a_change_that_will_not_do_is_refused_with_its_lines(admin) -> None:
    refused = await admin.put(
        "/hl7/mappings/ORM", json={"version": 0, "lines": [*SHORT, {"to": "Nothing", "from": []}]}
    )
    assert refused.status_code == 400
    assert "line 4" in refused.json()["detail"]
    assert {one["line"] for one in refused.json()["problems"]} == {3}


async def test_a_message_is_tried_line_by_line(admin) -> None:
    answer = await admin.post("/hl7/mappings/try", json={"message": ORDER.replace("\r", "\n"), "lines": SHORT})
    [entry] = answer.json()["entries"]
    assert entry["control"] == "NW"
    assert entry["attributes"]["AccessionNumber"] == "P1"
    assert entry["given"][1] == {
        "line": 1,
        "to": "AccessionNumber",
        "from": "OBR-2",
        "deleted": False,
        "values": ["P1"],
    }
    assert entry["given"][2]["from"] == ""
    structure = answer.json()["structure"]
    assert (structure["version"], structure["checked"]) == ("2.5.1", True)


async def test_the_bench_says_why_a_message_would_be_refused(admin) -> None:
    for message, location in (("MS|^", "MSH"), (an_order("ORC|NW"), "ORC^1^2")):
        answer = (await admin.post("/hl7/mappings/try", json={"message": message})).json()
        assert (answer["entries"], answer["refused"]["location"]) == ([], location)
    wrong_lines = {"message": ORDER, "lines": [*SHORT, {"to": "Nothing", "from": ["PID-1"]}]}
    assert (await admin.post("/hl7/mappings/try", json=wrong_lines)).json()["problems"][0]["line"] == 3
    for body in ({}, {"message": ""}, {"message": 7}, {"message_id": "x"}):
        assert (await admin.post("/hl7/mappings/try", json=body)).status_code == 400
    assert (await admin.post("/hl7/mappings/try", json={"message_id": 1})).status_code == 404


async def test_what_a_change_does_to_messages_that_have_come_is_told_before(place, admin) -> None:
    number = await kept(place.app, ORDER)
    answer = (await admin.post("/hl7/mappings/ORM/check", json={"lines": SHORT})).json()
    assert answer["problems"] == []
    assert (answer["kept"]["looked_at"], answer["kept"]["differ"]) == (1, 1)
    [message] = answer["kept"]["messages"]
    assert (message["message"], message["control_id"]) == (number, "1")
    assert {"AccessionNumber", "PatientName", "Modality"} <= set(message["attributes"])
    assert "4711" not in json.dumps(answer)  # names of attributes, no values of a patient

    tried = (await admin.post("/hl7/mappings/try", json={"message_id": number})).json()
    assert tried["entries"][0]["attributes"]["AccessionNumber"] == "A1"


async def kept(app, content: str) -> int:
    """Keep a message as one that has come."""
    row = {"message_type": "ORM^O01", "control_id": "1", "content": content.encode(), "digest": b"", "state": "done"}
    async with app.db.transaction() as tx:
        return await tx.scalar(insert(tables.message).values(row).returning(tables.message.c.id))


async def test_who_may_not_see_all_studies_sees_no_message_and_changes_no_mapping(place) -> None:
    number = await kept(place.app, ORDER)
    filtered = await place.client("Admin", {"Modality": ["CR"]})
    assert (await filtered.post("/hl7/mappings/try", json={"message_id": number})).status_code == 403
    assert (await filtered.post("/hl7/mappings/ORM/check", json={"lines": SHORT})).status_code == 403
    assert (await filtered.put("/hl7/mappings/ORM", json={"version": 0, "lines": SHORT})).status_code == 403
    manager = await place.client("Manager")
    assert (await manager.get("/hl7/mappings")).status_code == 403
    async with place.app.db.reading() as connection:
        assert not (await connection.execute(select(tables.mapping))).all()


@pytest.mark.parametrize("path", ["/hl7/mappings/XYZ", "/hl7/mappings/XYZ/versions"])
async def test_types_that_are_not_mapped_are_not_found(admin, path) -> None:
    assert (await admin.get(path)).status_code == 404
