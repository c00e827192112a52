"""The search engine over a real index: levels, hierarchy, what is told, who may see it, limits and paging."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest
import pytest_asyncio

from charrua_core.app import App
from charrua_core.archive.search import AnyItem, Between, Match, OneOf, Query, instances, search, unsupported
from charrua_core.archive.search import pages as pages_module
from charrua_core.archive.search.statements import study_page
from charrua_core.errors import CharruaError, NotPermitted, QueryInvalid, TooManyResults
from charrua_core.hooks import Hooks
from charrua_core.hookspecs import hookimpl
from charrua_core.testing.shelf import Shelf
from charrua_core.types import SYSTEM, Identity, Level, Refuse, RowFilter

NAME, PATIENT_ID, STUDY_UID, SERIES_UID, SOP_UID = "00100010", "00100020", "0020000D", "0020000E", "00080018"
MODALITIES, DATE = "00080061", "00080020"
SR = "1.2.840.10008.5.1.4.1.1.88.11"


def equal(vr: str, *values: str) -> Match:
    return OneOf(vr, values)


@pytest_asyncio.fixture
async def shelf(archive_in_process: App) -> AsyncIterator[Shelf]:
    async with archive_in_process.db.driver() as connection:
        yield Shelf(connection)


@pytest.fixture
def find(archive_in_process: App) -> Callable[..., Any]:
    async def find(level: str = "STUDY", tag: str = STUDY_UID, who: Identity = SYSTEM, **query: Any) -> list[Any]:
        """The first value of an attribute of each match."""
        asked = Query(Level(level), **{"root": "PATIENT" if level == "PATIENT" else "STUDY", **query})
        return [
            found.attributes.get(tag, {}).get("Value", [None])[0]
            async for found in search(archive_in_process, asked, who)
        ]

    return find


async def test_studies_come_newest_first(shelf: Shelf, find: Callable[..., Any]) -> None:
    for date in ("20240101", "20250101", "20230101"):
        await shelf.study(StudyDate=date)
    assert await find(tag=DATE) == ["20250101", "20240101", "20230101"]


async def test_the_keys_of_a_level_choose_its_entities(shelf: Shelf, find: Callable[..., Any]) -> None:
    uid = await shelf.study([{"Modality": "CT"}, {"Modality": "CT"}], [{"Modality": "SR"}], PatientID="1")
    await shelf.study([{"Modality": "CT"}])
    study, series = {STUDY_UID: equal("UI", uid)}, {SERIES_UID: equal("UI", f"{uid}.1")}
    assert await find(keys={MODALITIES: equal("CS", "SR")}) == [uid]
    assert await find("SERIES", SERIES_UID, keys={**study, "00080060": equal("CS", "CT")}) == [f"{uid}.1"]
    assert await find("IMAGE", SOP_UID, keys={**study, **series}) == [f"{uid}.1.1", f"{uid}.1.2"]


async def test_patients_are_told_apart_by_id_and_issuer(shelf: Shelf, find: Callable[..., Any]) -> None:
    for issuer in ("NORTE", "SUR", "SUR"):
        await shelf.study(PatientID="7", IssuerOfPatientID=issuer, PatientName="Doe^Jane")
    await shelf.study(PatientID="", PatientName="Roe^Ann")
    await shelf.study(PatientID="", PatientName="Poe^Bea")
    assert await find("PATIENT", "00100021", keys={PATIENT_ID: equal("LO", "7")}) == ["NORTE", "SUR"]
    assert await find("PATIENT", "00201200", keys={PATIENT_ID: equal("LO", "7")}) == [1, 2]
    assert len(await find("PATIENT", keys={NAME: equal("PN", "?oe^*")})) == 4


@pytest.mark.parametrize("level", ["SERIES", "IMAGE"])
async def test_a_level_below_needs_the_unique_keys_above_it(find: Callable[..., Any], level: str) -> None:
    for keys in ({}, {STUDY_UID: equal("UI", "1.2", "1.3")}, {PATIENT_ID: equal("LO", "1")}):
        with pytest.raises(QueryInvalid):
            await find(level, keys=keys)


async def test_a_relational_query_has_keys_of_any_level(shelf: Shelf, find: Callable[..., Any]) -> None:
    uid = await shelf.study([{"Modality": "CT"}], [{"Modality": "MR", "InstanceNumber": 5}], PatientName="Doe^Jane")
    await shelf.study([{"Modality": "MR", "InstanceNumber": 6}], PatientName="Roe^Ann")
    keys = {NAME: equal("PN", "doe*"), "00080060": equal("CS", "MR")}
    assert await find("SERIES", SERIES_UID, keys=keys, relational=True) == [f"{uid}.2"]
    images = await find(
        "IMAGE", SOP_UID, keys={NAME: equal("PN", "*jane"), "00200013": equal("IS", "05")}, relational=True
    )
    assert images == [f"{uid}.2.1"]


async def test_any_attribute_of_an_image_is_a_key(shelf: Shelf, find: Callable[..., Any]) -> None:
    uid = await shelf.study([{"KVP": 120, "ImageComments": "Über"}, {"KVP": 80}], Modality="CT")
    keys = {STUDY_UID: equal("UI", uid), SERIES_UID: equal("UI", f"{uid}.1")}
    assert await find("IMAGE", SOP_UID, keys={**keys, "00180060": equal("DS", "120.0")}) == [f"{uid}.1.1"]
    assert await find("IMAGE", SOP_UID, keys={**keys, "00204000": equal("LT", "uber")}) == [f"{uid}.1.1"]


async def test_series_are_found_by_their_request(shelf: Shelf, find: Callable[..., Any]) -> None:
    asked = [{"RequestedProcedureID": "RP1", "ScheduledProcedureStepID": "S1"}]
    uid = await shelf.study([{"RequestAttributesSequence": asked}], [{}])
    keys = {STUDY_UID: equal("UI", uid), "00400275": AnyItem({"00401001": equal("SH", "RP1")})}
    assert await find("SERIES", SERIES_UID, keys=keys) == [f"{uid}.1"]


async def test_only_what_was_asked_for_is_told(archive_in_process: App, shelf: Shelf) -> None:
    item = {"CodeValue": "1", "CodeMeaning": "Thorax"}
    await shelf.study([{}, {}], [{}], PatientName="Doe^Jane", StudyDate="20240101", ProcedureCodeSequence=[item])
    query = Query(
        Level.STUDY,
        return_keys=frozenset({NAME, "00201208", "00081032", "00080054", "00080060"}),
        return_items={"00081032": frozenset({"00080100"})},
    )
    (found,) = [found async for found in search(archive_in_process, query, SYSTEM)]
    assert found.attributes == {
        NAME: {"vr": "PN", "Value": [{"Alphabetic": "Doe^Jane"}]},
        "00201208": {"vr": "IS", "Value": [3]},
        "00081032": {"vr": "SQ", "Value": [{"00080100": {"vr": "SH", "Value": ["1"]}}]},
        "00080054": {"vr": "AE", "Value": [archive_in_process.settings["dicom_aet"]]},
    }
    assert unsupported(query) == {"00080060"}


async def test_what_is_deleted_is_not_found(shelf: Shelf, find: Callable[..., Any]) -> None:
    gone, kept = await shelf.study([{}], [{}]), await shelf.study([{}, {}], [{}])
    edit = "00000000-0000-0000-0000-000000000001"
    await shelf.run("update core.study set deleted_by = $1 where study_uid = $2", edit, gone)
    await shelf.run("update core.series set deleted_by = $1 where series_uid = $2", edit, f"{kept}.2")
    await shelf.run("update core.instance set current = false where sop_instance_uid = $1", f"{kept}.1.1")
    assert await find() == [kept]
    assert await find("SERIES", SERIES_UID, keys={STUDY_UID: equal("UI", gone, kept)}, relational=True) == [f"{kept}.1"]
    assert await find("IMAGE", SOP_UID, relational=True) == [f"{kept}.1.2"]


async def test_edits_are_found_and_told_at_image_level(shelf: Shelf, find: Callable[..., Any]) -> None:
    uid = await shelf.study([{"ContentDate": "20200101"}], PatientName="Doe^Jane")
    over = b'{"00080023": {"vr": "DA", "Value": ["20240101"]}}'
    await shelf.run("update core.instance set overlay = $1 where sop_instance_uid = $2", over, f"{uid}.1.1")
    day = {"00080023": Between("DA", "20240101", "")}
    assert await find("IMAGE", "00080023", keys=day, relational=True) == ["20240101"]
    assert await find("IMAGE", keys={"00080023": equal("DA", "20200101")}, relational=True) == []


@pytest.mark.parametrize(
    ("admits", "expected"),
    [
        ({"Modality": ("CT",)}, ["A"]),
        ({"InstitutionName": ("hosp*",)}, ["A"]),
        ({"ReferringPhysicianName": ("house^*", "WHO*")}, ["A", "B"]),
        ({"ReferringPhysicianName": ("HOUSE^*",), "Modality": ("US",)}, []),
    ],
)
async def test_a_filter_holds_at_every_level(
    shelf: Shelf, find: Callable[..., Any], admits: dict[str, tuple[str, ...]], expected: list[str]
) -> None:
    first = {"Modality": "CT", "InstitutionName": "Hospital Sur"}
    await shelf.study([first], StudyInstanceUID="1.1", PatientID="A", ReferringPhysicianName="House^Gregory")
    await shelf.study([{"Modality": "MR"}], StudyInstanceUID="1.2", PatientID="B", ReferringPhysicianName="Who^Doctor")
    who = Identity("portal", "user", row_filters=(RowFilter(admits),))
    for level in ("PATIENT", "STUDY", "SERIES", "IMAGE"):
        assert sorted(await find(level, PATIENT_ID, who=who, relational=True)) == expected


CT_ONLY = Identity("ct", "user", row_filters=(RowFilter({"Modality": ("CT",)}),))


@pytest.mark.parametrize(
    ("level", "tag", "all_of_it", "within_sight"),
    [
        ("PATIENT", "00201200", 2, 1),
        ("PATIENT", "00201202", 3, 1),
        ("PATIENT", "00201204", 4, 2),
        ("STUDY", MODALITIES, "CT", "CT"),
        ("STUDY", "00201206", 2, 1),
        ("STUDY", "00201208", 3, 2),
        ("SERIES", MODALITIES, "CT", "CT"),
        ("SERIES", "00201206", 2, 1),
        ("SERIES", "00201209", 2, 2),
        ("IMAGE", "00201208", 3, 2),
    ],
)
async def test_counts_are_of_what_may_be_seen(
    shelf: Shelf, find: Callable[..., Any], level: str, tag: str, all_of_it: Any, within_sight: Any
) -> None:
    patient = {"PatientID": "A"}
    await shelf.study([{"Modality": "CT"}, {"Modality": "CT"}], [{"Modality": "SR"}], StudyDate="20240102", **patient)
    await shelf.study([{"Modality": "MR"}], StudyDate="20240101", **patient)
    assert (await find(level, tag, relational=True))[0] == all_of_it
    assert set(await find(level, tag, who=CT_ONLY, relational=True)) == {within_sight}


@pytest.mark.parametrize(
    ("tag", "visible", "hidden"),
    [
        (MODALITIES, equal("CS", "CT"), equal("CS", "SR")),
        (MODALITIES, equal("CS", "C?"), equal("CS", "S*")),
        ("00201206", equal("IS", "1"), equal("IS", "2")),
        ("00201208", equal("IS", "2"), equal("IS", "3")),
        ("00080062", equal("UI", "1.2.840.10008.5.1.4.1.1.2"), equal("UI", "1.2.840.10008.5.1.4.1.1.88.11")),
    ],
)
@pytest.mark.parametrize("named", [{}, {NAME: equal("PN", "do*")}])
async def test_keys_do_not_find_what_may_not_be_seen(
    shelf: Shelf, find: Callable[..., Any], tag: str, visible: Match, hidden: Match, named: dict[str, Match]
) -> None:
    of_study = {"PatientName": "Doe^Jane", "PatientID": "A"}
    uid = await shelf.study([{"Modality": "CT"}, {"Modality": "CT"}], [{"Modality": "SR"}], **of_study)
    await shelf.run("UPDATE core.instance SET sop_class_uid = $1 WHERE sop_instance_uid LIKE '%.2.1'", SR)
    await shelf.run("UPDATE core.study SET sop_classes = sop_classes || $1::text", SR)
    for level in ("STUDY", "SERIES", "IMAGE"):
        assert set(await find(level, keys={**named, tag: visible}, who=CT_ONLY, relational=True)) == {uid}
        assert await find(level, keys={**named, tag: hidden}, who=CT_ONLY, relational=True) == []


async def test_several_filters_admit_a_study_by_one_series_that_passes_all(
    shelf: Shelf, find: Callable[..., Any]
) -> None:
    await shelf.study([{"Modality": "CT", "InstitutionName": "Sur"}], [{"Modality": "MR", "InstitutionName": "Norte"}])
    filters = (RowFilter({"Modality": ("CT",)}), RowFilter({"InstitutionName": ("Norte",)}))
    assert await find(who=Identity("who", "user", row_filters=filters)) == []


async def test_a_filter_that_cannot_be_told_shows_nothing(shelf: Shelf, find: Callable[..., Any]) -> None:
    await shelf.study()
    for keyword in ("KVP", "NoSuchKeyword"):
        with pytest.raises(NotPermitted):
            await find(who=Identity("portal", "user", row_filters=(RowFilter({keyword: ("1",)}),)))


async def test_a_filter_holds_for_retrieval(archive_in_process: App, shelf: Shelf) -> None:
    uid = await shelf.study([{"Modality": "CT"}], [{"Modality": "SR"}])
    who = Identity("portal", "user", row_filters=(RowFilter({"Modality": ("CT",)}),))
    query = Query(Level.STUDY, keys={STUDY_UID: equal("UI", uid)})
    assert [one.sop_instance_uid async for one in instances(archive_in_process, query, who)] == [f"{uid}.1.1"]
    assert len([one async for one in instances(archive_in_process, query, SYSTEM)]) == 2


def plugin(on_query: Callable[..., Any]) -> ModuleType:
    module = ModuleType("guard")
    module.on_query = hookimpl(on_query)  # type: ignore[attr-defined]
    return module


async def test_a_plugin_narrows_or_refuses_every_search(
    archive_in_process: App, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:

    def on_query(query: Query, identity: Identity) -> Query | Refuse | None:
        if identity.name == "STRANGER":
            return Refuse("not you", dimse_status=0xA900)
        return replace(query, keys={**query.keys, PATIENT_ID: equal("LO", "A")})

    app = archive_in_process
    monkeypatch.setitem(sys.modules, "guard", plugin(on_query))
    app.hooks = Hooks(modules=["guard"])
    uid = await shelf.study(PatientID="A")
    await shelf.study(PatientID="B")
    assert [one.attributes[STUDY_UID]["Value"] async for one in search(app, Query(Level.STUDY), SYSTEM)] == [[uid]]
    assert [one.study_uid async for one in instances(app, Query(Level.STUDY), SYSTEM)] == [uid]
    with pytest.raises(NotPermitted) as refused:
        await anext(search(app, Query(Level.STUDY), Identity("STRANGER", "peer")))
    assert refused.value.dimse_status == 0xA900


async def test_a_plugin_cannot_be_got_round_by_asking_for_the_key_that_it_sets(
    archive_in_process: App, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shelf.study()
    modality = "00080060"  # says nothing at STUDY level

    def on_query(query: Query) -> Query:
        return replace(query, keys={**query.keys, modality: equal("CS", "CR")})

    monkeypatch.setitem(sys.modules, "guard", plugin(on_query))
    archive_in_process.hooks = Hooks(modules=["guard"])
    asked = Query(Level.STUDY, keys={modality: equal("CS", "CT")})
    with pytest.raises(NotPermitted):
        await anext(search(archive_in_process, asked, SYSTEM))


async def test_past_the_limit_the_search_ends_with_an_error(archive_in_process: App, shelf: Shelf) -> None:
    for _ in range(4):
        await shelf.study()
    given = []
    with pytest.raises(TooManyResults):
        async for found in search(archive_in_process, Query(Level.STUDY, at_most=3), SYSTEM):
            given.append(found)  # noqa: PERF401 - those before the error count
    assert len(given) == 3
    assert len([one async for one in search(archive_in_process, Query(Level.STUDY, at_most=4), SYSTEM)]) == 4


@pytest.mark.parametrize("keys", [{}, {NAME: equal("PN", "*o*")}, {"00080090": equal("PN", "*no*")}])
@pytest.mark.parametrize("level", ["STUDY", "PATIENT", "SERIES"])
async def test_pages_leave_nothing_out_and_tell_nothing_twice(
    shelf: Shelf, find: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, keys: dict[str, Match], level: str
) -> None:
    monkeypatch.setattr(pages_module, "FIRST_PAGE", 2)
    monkeypatch.setattr(pages_module, "INDEX_WALK", 4)
    monkeypatch.setattr(pages_module, "ROW_WALK", 3)
    monkeypatch.setattr(pages_module, "GROWTH", 1)
    for number in range(13):
        name = "Roe" if number % 3 else "Ann"
        await shelf.study(
            PatientID=str(number), PatientName=name, ReferringPhysicianName="Arno", StudyDate=f"2024010{number % 4}"
        )
    found = await find(level, PATIENT_ID, keys=keys, relational=True)
    expected = [str(n) for n in range(13) if NAME not in keys or n % 3]
    assert sorted(found, key=int) == expected
    if level == "STUDY":
        assert await find(level, PATIENT_ID, keys=keys, limit=3, offset=2) == found[2:5]


async def test_nothing_asked_for_becomes_sql(archive_in_process: App, shelf: Shelf, find: Callable[..., Any]) -> None:
    uid = await shelf.study(PatientName="x';drop table core.study;--", PatientID="100%", StudyDescription="a_b\\c")
    for key in ("x';drop*", "*';drop table core.study;--"):
        assert await find(keys={NAME: equal("PN", key)}) == [uid]
    assert await find(keys={PATIENT_ID: equal("LO", "100%")}) == [uid]
    assert await find(keys={PATIENT_ID: equal("LO", "1%*")}) == []
    assert await find(keys={"00081030": equal("LO", "a?b\\c*")}) == [uid]
    assert await find(keys={"00081030": equal("LO", "?_?\\*")}) == [uid]
    statement = study_page([], ("20240101", 5), 10).compile(dialect=archive_in_process.db._reader.dialect)
    assert "20240101" not in str(statement)


async def test_a_list_of_ten_thousand_uids_is_a_key(shelf: Shelf, find: Callable[..., Any]) -> None:
    uid = await shelf.study()
    assert await find(keys={STUDY_UID: equal("UI", uid, *(f"1.9.{number}" for number in range(10_000)))}) == [uid]


async def test_a_search_that_takes_too_long_says_so(archive_in_process: App, shelf: Shelf) -> None:
    from sqlalchemy import func, select

    app = archive_in_process
    with pytest.raises(CharruaError) as ended:
        async with app.db.reading() as connection:
            await connection.exec_driver_sql("set statement_timeout = 50")
        for _ in range(20):  # whichever connection of the pool it was
            await pages_module.read(app.db, select(func.pg_sleep(0.1)))
    assert ended.value.dimse_status == 0xA700
