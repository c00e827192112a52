"""Searching the worklist: what keys match, and who sees what."""

from __future__ import annotations

from typing import Any

import pytest
from pydicom.dataset import Dataset

from charrua_core.errors import QueryInvalid, TooManyResults
from charrua_core.testing.scheduled import scheduled
from charrua_core.types import Identity, RowFilter
from charrua_hl7.worklist.entries import Status, put
from charrua_hl7.worklist.searching import Search, keys_of, may_see, search

READER = Identity("CT1", "peer", permissions=frozenset({"query"}))


def coded(value: str, scheme: str = "99TEST", **others: Any) -> list[Dataset]:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, "a code"
    for keyword, given in others.items():
        setattr(item, keyword, given)
    return [item]


ENTRIES = {
    "A": scheduled(
        PatientName="Núñez^José=山田^太郎",
        PatientID="4711",
        IssuerOfPatientID="HOSPITAL",
        PatientBirthDate="19700101",
        AccessionNumber="A1",
        StudyInstanceUID="1.2.3.1",
        RequestedProcedureDescription="CT Thorax",
        RequestedProcedureCodeSequence=coded("CTTHX"),
        Modality="CT",
        ScheduledStationAETitle=["CT1", "CT2"],
        ScheduledProcedureStepStartDate="20260705",
        ScheduledProcedureStepStartTime="083000",
        ScheduledPerformingPhysicianName="Smith^Ann",
        ScheduledProcedureStepID="S1",
        ScheduledProtocolCodeSequence=coded("P1") + coded("P2"),
    ),
    "B": scheduled(
        PatientName="Nunes^Jo",
        PatientID="0815",
        AccessionNumber="B1",
        StudyInstanceUID="1.2.3.2",
        PatientWeight="70.50",
        Modality="MR",
        ScheduledStationAETitle="MR1",
        ScheduledProcedureStepStartDate="20260706",
        ScheduledProcedureStepStartTime="0900",
        ScheduledProcedureStepID="S1",
    ),
    "C": scheduled(
        PatientName="Doe^Jane^^Dr",
        PatientID="4712",
        AccessionNumber="C1",
        StudyInstanceUID="1.2.3.3",
        Modality="CT",
        ScheduledProcedureStepStartDate="20260707",
        ScheduledProcedureStepStartTime="181500.5",
        ScheduledProcedureStepID="S1",
    ),
    "D": scheduled(
        PatientName="Over^Done",
        PatientID="9999",
        AccessionNumber="D1",
        StudyInstanceUID="1.2.3.4",
        Modality="CT",
        ScheduledStationAETitle="CT1",
        ScheduledProcedureStepStartDate="20260704",
        ScheduledProcedureStepID="S1",
    ),
}
STATUSES = {"D": Status.COMPLETED}


async def a_worklist(app: Any) -> None:
    async with app.db.transaction() as tx:
        for name, told in ENTRIES.items():
            status = STATUSES.get(name, Status.SCHEDULED)
            await put(app, tx, told.to_json_dict(), order_key=name, source="test", status=status)


async def found(app: Any, asked: Search, identity: Identity = READER) -> str:
    """The names of the entries that match, in their order."""
    return "".join([one["00080050"]["Value"][0][0] async for one in search(app, asked, identity)])


KEYS: list[tuple[dict[str, Any], str]] = [
    ({}, "ABC"),
    ({"PatientName": ""}, "ABC"),
    ({"PatientName": "*"}, "ABC"),
    # Single values, by letter case but for names
    ({"PatientID": "4711"}, "A"),
    ({"PatientID": "471"}, ""),
    ({"AccessionNumber": "a1"}, ""),
    ({"IssuerOfPatientID": "HOSPITAL"}, "A"),
    ({"Modality": "CT"}, "AC"),
    ({"Modality": ["MR", "CT"]}, "ABC"),
    ({"ScheduledStationAETitle": "CT2"}, "A"),
    ({"ScheduledStationAETitle": "CT2 "}, "A"),
    ({"ScheduledStationAETitle": "CT9"}, ""),
    ({"PatientWeight": "70.5"}, "B"),
    ({"PatientBirthDate": "19700101"}, "A"),
    ({"PatientName": "NUNEZ^JOSE"}, "A"),
    ({"PatientName": "nunez^jose^^"}, "A"),
    ({"PatientName": "Nunez"}, ""),
    ({"PatientName": "山田^太郎"}, "A"),
    ({"PatientName": "=山田*"}, "A"),
    ({"ScheduledPerformingPhysicianName": "smith*"}, "A"),
    # Wild cards
    ({"PatientName": "nune?^jo*"}, "AB"),
    ({"PatientName": "*jane*"}, "C"),
    ({"PatientID": "47*"}, "AC"),
    ({"ScheduledStationAETitle": "CT?"}, "A"),
    ({"RequestedProcedureDescription": "CT*"}, "A"),
    # Ranges, of date and time together where they have the same form (PS3.4 table K.6-1)
    ({"ScheduledProcedureStepStartDate": "20260705"}, "A"),
    ({"ScheduledProcedureStepStartDate": "20260705-20260706"}, "AB"),
    ({"ScheduledProcedureStepStartDate": "20260706-"}, "BC"),
    ({"ScheduledProcedureStepStartDate": "-20260705"}, "A"),
    ({"ScheduledProcedureStepStartTime": "0800-1000"}, "AB"),
    ({"ScheduledProcedureStepStartTime": "08"}, "A"),
    ({"ScheduledProcedureStepStartDate": "20260705-20260707", "ScheduledProcedureStepStartTime": "1000-1800"}, "B"),
    ({"ScheduledProcedureStepStartDate": "20260705-20260707", "ScheduledProcedureStepStartTime": "0830-1815"}, "ABC"),
    ({"ScheduledProcedureStepStartDate": "20260705-20260707", "ScheduledProcedureStepStartTime": "1000-"}, "C"),
    ({"ScheduledProcedureStepStartDate": "20260705-20260706", "ScheduledProcedureStepStartTime": "1800-0930"}, "B"),
    ({"ScheduledProcedureStepStartDate": "20260706-", "ScheduledProcedureStepStartTime": "0901-"}, "C"),
    ({"ScheduledProcedureStepStartDate": "-20260706", "ScheduledProcedureStepStartTime": "-0800"}, "A"),
    ({"ScheduledProcedureStepStartDate": "20260706", "ScheduledProcedureStepStartTime": "0800-0900"}, "B"),
    # Lists of UID
    ({"StudyInstanceUID": ["1.2.3.1", "1.2.3.3", "1.2.3.9"]}, "AC"),
    # Empty values
    ({"ScheduledStationAETitle": '""'}, "C"),
    ({"IssuerOfPatientID": '""', "Modality": "CT"}, "C"),
    # Sequences
    ({"RequestedProcedureCodeSequence": coded("CTTHX")}, "A"),
    ({"RequestedProcedureCodeSequence": coded("CTTHX", "SCT")}, ""),
    ({"ScheduledProtocolCodeSequence": coded("P2")}, "A"),
    ({"ScheduledProtocolCodeSequence": []}, "ABC"),
    ({"RequestedProcedureCodeSequence": [Dataset()]}, "ABC"),
    # What is over is told to who asks for it
    ({"ScheduledProcedureStepStatus": ""}, "ABC"),
    ({"ScheduledProcedureStepStatus": "COMPLETED"}, "D"),
    ({"ScheduledProcedureStepStatus": ["COMPLETED", "SCHEDULED"]}, "DABC"),
    ({"PatientID": "9999"}, ""),
    # What no entry has, and what is no key
    ({"StudyDescription": "none"}, ""),
    ({"QueryRetrieveLevel": "STUDY"}, "ABC"),
    ({"SpecificCharacterSet": "ISO_IR 100"}, "ABC"),
    ({"TimezoneOffsetFromUTC": "+0100"}, "ABC"),
]


async def test_keys_match_as_the_standard_has_it(open_archive) -> None:
    app = await open_archive()
    await a_worklist(app)
    given = {str(keys): await found(app, Search(keys_of(scheduled(**keys).to_json_dict()))) for keys, _ in KEYS}
    assert given == {str(keys): names for keys, names in KEYS}


async def test_agreed_on_fuzzy_matching_each_word_begins_one_of_the_name(open_archive) -> None:
    app = await open_archive()
    await a_worklist(app)
    keys = keys_of(scheduled(PatientName="jo nun").to_json_dict())
    assert [await found(app, Search(keys, fuzzy=fuzzy)) for fuzzy in (True, False)] == ["AB", ""]


async def test_a_station_sees_its_own_entries_and_those_of_none(open_archive) -> None:
    app = await open_archive()
    await a_worklist(app)
    asked = {station: await found(app, Search(station=station)) for station in ("CT2", "MR1", "US1")}
    assert asked == {"CT2": "AC", "MR1": "BC", "US1": "C"}
    keys = keys_of(scheduled(ScheduledStationAETitle="MR1").to_json_dict())
    assert await found(app, Search(keys, station="CT1")) == ""


async def test_a_filter_lets_see_what_is_proven_to_pass(open_archive) -> None:
    app = await open_archive()
    await a_worklist(app)
    filters = [
        {"Modality": ("MR",)},
        {"PatientID": ("47*",)},
        {"Modality": ("CT",), "IssuerOfPatientID": ("HOSPITAL",)},
    ]
    seen = [
        await found(
            app, Search(), Identity("x", "peer", permissions=frozenset({"query"}), row_filters=(RowFilter(one),))
        )
        for one in filters
    ]
    assert seen == ["B", "AC", "A"]
    strange = Identity("x", "peer", row_filters=(RowFilter({"Rows": ("*",)}),))
    assert not may_see(strange, ENTRIES["A"].to_json_dict())


async def test_a_search_ends_at_its_limit_and_says_what_is_wrong(open_archive) -> None:
    app = await open_archive()
    await a_worklist(app)
    with pytest.raises(TooManyResults):
        await found(app, Search(at_most=2))
    assert await found(app, Search(at_most=3)) == "ABC"
    for keys in ({"ScheduledProcedureStepStartDate": "yesterday"}, {"ScheduledProcedureStepStartTime": "-"}):
        with pytest.raises(QueryInvalid):
            await found(app, Search(keys_of(scheduled(**keys).to_json_dict())))
