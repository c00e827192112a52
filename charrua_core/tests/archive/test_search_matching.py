"""How a key matches a value: PS3.4 C.2.2.2, told in memory."""

from __future__ import annotations

import time
from typing import Any

import pytest

from charrua_core.archive.search import AnyItem, Between, Match, NoValue, OneOf, patterns, read_query
from charrua_core.archive.search.matching import test_of as matching
from charrua_core.errors import QueryInvalid
from charrua_core.testing.shelf import json_of
from charrua_core.types import Level


def one(vr: str, *values: str) -> OneOf:
    return OneOf(vr, values)


def matches(match: Match, keyword: str, value: Any, **options: bool) -> bool:
    ((tag, element),) = json_of({keyword: value}).items()
    return matching(tag, match, **options)(element)


@pytest.mark.parametrize(
    ("key", "name", "expected"),
    [
        ("SMITH^JOHN", "Smith^John", True),
        ("smith^john", "SMITH^JOHN^^", True),
        ("Smith", "Smith^John", False),
        ("Smith*", "SMITHSON^Ann", True),
        ("*john", "Smith^John", True),
        ("S?ith^*", "Smith^John", True),
        ("S?th*", "Smith^John", False),
        ("garcia*", "García^José", True),
        ("GARCÍA^JOSÉ", "Garcia^Jose", True),
        ("muller*", "Müller^Jürgen", True),
        ("山田*", "Yamada^Tarou=山田^太郎=やまだ^たろう", True),
        ("やまだ*", "Yamada^Tarou=山田^太郎=やまだ^たろう", True),
        ("*太郎", "Yamada^Tarou=山田^太郎=やまだ^たろう", True),
        ("Yamada^Tarou", "Yamada^Tarou=山田^太郎=やまだ^たろう", True),
        ("Yamada*=山田*", "Yamada^Tarou=山田^太郎=やまだ^たろう", True),
        ("Suzuki*=山田*", "Yamada^Tarou=山田^太郎=やまだ^たろう", False),
        ("=山田^太郎", "Yamada^Tarou=山田^太郎=やまだ^たろう", True),
        ("tarou*", "Yamada^Tarou=山田^太郎", False),
        ("100%*", "100 percent", False),
        ("a_c", "abc", False),
    ],
)
def test_names_match_by_groups_without_case_and_accents(key: str, name: str, expected: bool) -> None:
    assert matches(one("PN", key), "PatientName", name) is expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [("smi joh", True), ("john, smith", True), ("Smith^J", True), ("smith mary", False), ("ohn", False)],
)
def test_fuzzy_names_match_by_the_beginnings_of_words(key: str, expected: bool) -> None:
    assert matches(one("PN", key), "PatientName", "Smith^John", fuzzy=True) is expected


@pytest.mark.parametrize(
    ("match", "keyword", "value", "expected"),
    [
        (one("DA", "20240229"), "StudyDate", "20240229", True),
        (one("DA", "202402"), "StudyDate", "20240229", True),
        (one("DA", "2024.02.29"), "StudyDate", "20240229", True),
        (one("DA", "20240229"), "StudyDate", "2024.02.29", True),
        (Between("DA", "20240101", "20241231"), "StudyDate", "20241231", True),
        (Between("DA", "", "20231231"), "StudyDate", "20240101", False),
        (Between("DA", "20240101", ""), "StudyDate", "20240101", True),
        (Between("DA", "20240101", ""), "StudyDate", None, False),
        (one("TM", "10"), "StudyTime", "105959.999", True),
        (one("TM", "1020"), "StudyTime", "10:20:30", True),
        (Between("TM", "10", "1020"), "StudyTime", "102059", True),
        (Between("TM", "10", "1020"), "StudyTime", "1021", False),
        (Between("TM", "1020", ""), "StudyTime", "1020", True),
        (Between("DT", "20240101", "20240102"), "AcquisitionDateTime", "20240102235959.5", True),
        (Between("DT", "20240102", ""), "AcquisitionDateTime", "20240102003000+0100", False),
        (one("IS", "7"), "InstanceNumber", 7, True),
        (one("IS", "+07"), "InstanceNumber", 7, True),
        (one("DS", "1.50"), "SliceThickness", 1.5, True),
        (one("DS", "1.5"), "SliceThickness", 2, False),
        (one("CS", "CT", "MR"), "ModalitiesInStudy", ["MR", "SR"], True),
        (one("CS", "C?"), "Modality", "CT", True),
        (one("CS", "ct"), "Modality", "CT", False),
        (one("UI", "1.2.*"), "StudyInstanceUID", "1.2.3", False),
        (one("UI", "1.2.3", "1.2.4"), "StudyInstanceUID", "1.2.4", True),
        (one("LO", "tórax*"), "StudyDescription", "TORAX PA", True),
        (one("LO", "id1"), "PatientID", "ID1", False),
        (one("LO", "*1"), "PatientID", "ID1", True),
        (one("LT", "*[a-z]+*"), "AdditionalPatientHistory", "x[A-Z]+y", True),
        (NoValue("SH"), "AccessionNumber", None, True),
        (NoValue("SH"), "AccessionNumber", "A", False),
        (one("LO", "x"), "StudyDescription", None, False),
    ],
)
def test_values_match_as_their_vr_says(match: Match, keyword: str, value: Any, expected: bool) -> None:
    assert matches(match, keyword, value) is expected


def test_text_matches_by_letter_case_where_the_setting_says_so() -> None:
    assert matches(one("LO", "thorax"), "StudyDescription", "Thorax")
    assert not matches(one("LO", "thorax"), "StudyDescription", "Thorax", ignore_case=False)


def test_a_sequence_matches_if_one_item_has_all_keys() -> None:
    both = AnyItem({"00401001": one("SH", "RP1"), "00400009": one("SH", "SPS*")})
    apart = [{"RequestedProcedureID": "RP1"}, {"ScheduledProcedureStepID": "SPS1"}]
    together = [{"RequestedProcedureID": "RP1", "ScheduledProcedureStepID": "SPS1"}]
    assert not matches(both, "RequestAttributesSequence", apart)
    assert matches(both, "RequestAttributesSequence", together)


def test_a_pattern_of_many_stars_is_soon_matched() -> None:
    started = time.perf_counter()
    assert not patterns.matcher("a*" * 40 + "b")("a" * 5000)
    assert time.perf_counter() - started < 0.2


@pytest.mark.parametrize("value", ["yesterday", "2024-13", "20240101-20240201-20240301", "-", "99999999999"])
def test_a_date_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(QueryInvalid):
        match = read_query(json_of({"QueryRetrieveLevel": "STUDY", "StudyDate": value}), "STUDY").keys["00080020"]
        matching("00080020", match)


@pytest.mark.parametrize(
    ("vr_keyword", "value", "expected"),
    [
        ("StudyDate", "20240101-20240131", Between("DA", "20240101", "20240131")),
        ("StudyDate", "-20240131", Between("DA", "", "20240131")),
        ("StudyTime", "10-", Between("TM", "10", "")),
        ("AcquisitionDateTime", "20240101120000-0300", one("DT", "20240101120000-0300")),
        ("AcquisitionDateTime", "20240101-20240201", Between("DT", "20240101", "20240201")),
        ("PatientName", "**", None),
        ("PatientName", None, None),
        ("StudyDate", "*", None),
        ("AccessionNumber", '""', NoValue("SH")),
        ("ModalitiesInStudy", ["CT", "MR"], one("CS", "CT", "MR")),
        ("RequestAttributesSequence", {"RequestedProcedureID": None}, None),
    ],
)
def test_identifiers_become_keys(vr_keyword: str, value: Any, expected: Match | None) -> None:
    ((tag, _),) = json_of({vr_keyword: value}).items()
    query = read_query(json_of({"QueryRetrieveLevel": "STUDY", vr_keyword: value}), "STUDY")
    assert query.level is Level.STUDY
    assert query.keys.get(tag) == expected
    assert tag in query.return_keys
