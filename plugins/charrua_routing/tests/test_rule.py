"""What a rule may say, what it means for an object, and what is answered to a rule that will not do."""

from __future__ import annotations

import re
import time
import tomllib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charrua_core.types import Origin, StoredObject
from charrua_routing.deciding import destinations, need_attributes, taking, verdicts
from charrua_routing.errors import RuleInvalid
from charrua_routing.facts import Facts
from charrua_routing.rule import MOST_BYTES, read_rule, read_rules
from charrua_routing.times import Window

SETTINGS = {"routing_preliminary_reports": False, "routing_audio_reports": False}
ATTRIBUTES = {
    "00080080": {"vr": "LO", "Value": ["Hospital Norte"]},
    "00080090": {"vr": "PN", "Value": [{"Alphabetic": "Pérez^José", "Ideographic": "山田"}]},
    "00081030": {"vr": "LO", "Value": ["CT Thorax [native]"]},
    "00080008": {"vr": "CS", "Value": ["ORIGINAL", "PRIMARY", "AXIAL"]},
    "00101010": {"vr": "AS", "Value": ["014Y"]},
    "00180015": {"vr": "CS", "Value": ["CHEST"]},
    "00180050": {"vr": "DS", "Value": [2.5]},
    "00280010": {"vr": "US", "Value": [512]},
    "00080020": {"vr": "DA", "Value": ["20260102"]},
    "00104000": {"vr": "LT"},
    "00091001": {"vr": "LO", "Value": ["private"]},
}


@pytest.fixture(autouse=True)
def in_montevideo(monkeypatch):
    """The clock of the place: three hours behind UTC."""
    monkeypatch.setenv("TZ", "America/Montevideo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def an_arrival(at="2026-03-06T23:30", calling="CT1", **other) -> Facts:
    """An object that came at this time of the place; 2026-03-06 is a Friday."""
    origin = Origin("dimse", calling_aet=calling, called_aet="CHARRUA")
    told = {"modality": "CT", "transfer_syntax_uid": "1.2.840.10008.1.2.1", **other}
    received_at = datetime.fromisoformat(at).astimezone(UTC)
    stored = StoredObject(
        "1.2",
        "1.2.3",
        "1.2.3.4",
        "1.2.840.10008.5.1.4.1.1.2",
        size_bytes=1,
        received_at=received_at,
        origin=origin,
        **told,
    )
    return Facts(stored, ATTRIBUTES, SETTINGS)


def a_rule(**fields):
    return read_rule({"name": "a rule", "destinations": ["NEURO"], **fields})


def attribute(name, sign, value=None):
    return {"attributes": [{"attribute": name, "is": sign, **({} if value is None else {"value": value})}]}


@pytest.mark.parametrize(
    ("when", "holds"),
    [
        ({}, True),
        ({"from": "CT1"}, True),
        ({"from": ["MR*", "ct?"]}, True),
        ({"from": "CT"}, False),
        ({"to": "CHARRUA"}, True),
        ({"to": "OTHER"}, False),
        ({"modality": ["MR", "CT"]}, True),
        ({"modality": "MR"}, False),
        ({"transfer_syntax": "1.2.840.10008.1.2.1"}, True),
        ({"transfer_syntax": "1.2.840.10008.1.2.4.*"}, False),
        ({"institution": "hospital*"}, True),
        ({"institution": "norte"}, False),
        ({"referring_physician": "perez*"}, True),  # without accents and case
        ({"referring_physician": "PEREZ^JOSE"}, True),  # one group of the name
        ({"referring_physician": "山田"}, True),
        ({"referring_physician": "house*"}, False),
        ({"study_description": "*[native]"}, True),  # no brackets of a pattern
        ({"study_description": "*[a-z]*"}, False),
        (attribute("BodyPartExamined", "=", "chest"), True),
        (attribute("BodyPartExamined", "!=", "CHEST"), False),
        (attribute("BodyPartExamined", "in", ["HEAD", "CHE*"]), True),
        (attribute("BodyPartExamined", "not in", ["HEAD", "NECK"]), True),
        (attribute("ImageType", "=", "AXIAL"), True),  # any of its values
        (attribute("ImageType", "!=", "AXIAL"), False),
        (attribute("Laterality", "!=", "L"), True),  # it has none at all
        (attribute("Laterality", "=", "*"), False),
        (attribute("SliceThickness", "<=", 2.5), True),
        (attribute("SliceThickness", "=", "2.50"), True),
        (attribute("SliceThickness", ">", "2.5"), False),
        (attribute("Rows", ">=", 512), True),
        (attribute("Rows", "<", 64), False),  # as numbers, not as texts
        (attribute("PatientAge", "<", "018Y"), True),
        (attribute("PatientAge", "<", "024M"), False),
        (attribute("StudyDate", ">=", "2026-01-01"), True),
        (attribute("StudyTime", "<", "120000"), False),  # it has none
        (attribute("BodyPartExamined", "present"), True),
        (attribute("PatientComments", "present"), False),
        (attribute("PatientComments", "absent"), True),
        (attribute("00091001", "=", "priv*"), True),
        ({"between": "22:00-06:00"}, True),
        ({"between": "08:00-18:00"}, False),
        ({"between": "23:30-24:00"}, True),
        ({"between": "22:00-23:30"}, False),  # up to, not including
        ({"weekdays": ["fri"]}, True),
        ({"weekdays": ["sat", "sun"]}, False),
        ({"from": "CT1", "modality": "MR"}, False),  # all must hold
    ],
)
def test_a_rule_takes_what_fulfils_all_its_conditions(when, holds) -> None:
    rule = a_rule(when=when)
    assert rule.holds(an_arrival()) is holds
    [verdict] = verdicts([rule], an_arrival())
    assert (verdict.state == "took it") is holds
    assert all(check.wanted for check in verdict.checks)


@pytest.mark.parametrize(
    ("sop_class", "flag", "sources", "holds"),
    [
        ("1.2.840.10008.5.1.4.1.1.88.11", "COMPLETE", "REPORTS", True),
        ("1.2.840.10008.5.1.4.1.1.88.11", "PARTIAL", "REPORTS", False),
        ("1.2.840.10008.5.1.4.1.1.88.11", "PARTIAL", ["REPORTS", "CT1"], True),  # the other source takes it
        ("1.2.840.10008.5.1.4.1.1.88.59", "COMPLETE", "REPORTS", False),  # a key object selection
        ("1.2.840.10008.5.1.4.1.1.2", "", "REPORTS", False),
    ],
)
def test_reports_that_are_distributed_come_from_REPORTS_as_well(sop_class, flag, sources, holds) -> None:  # noqa: N802
    came = an_arrival()
    stored = replace(came.stored, sop_class_uid=sop_class)
    facts = Facts(stored, {"0040A491": {"vr": "CS", "Value": [flag]}}, SETTINGS)
    assert a_rule(when={"from": sources}).holds(facts) is holds


@pytest.mark.parametrize(
    ("at", "holds"),
    [
        ("2026-03-06T21:59", False),
        ("2026-03-06T22:00", True),
        ("2026-03-07T05:59", True),  # the Friday's night
        ("2026-03-07T06:00", False),
        ("2026-03-06T05:59", False),  # the Thursday's
    ],
)
def test_a_night_belongs_to_the_day_on_which_it_began(at, holds) -> None:
    assert a_rule(when={"between": "22:00-06:00", "weekdays": ["fri"]}).holds(an_arrival(at)) is holds


@pytest.mark.parametrize(
    ("window", "at", "opens"),
    [
        ("20:00-06:00", "2026-03-06T21:00", "2026-03-06T21:00"),
        ("20:00-06:00", "2026-03-06T12:00", "2026-03-06T20:00"),
        ("08:00-18:00", "2026-03-06T19:00", "2026-03-07T08:00"),
        ("00:00-24:00", "2026-03-06T19:00", "2026-03-06T19:00"),
    ],
)
def test_what_comes_outside_the_window_waits_for_its_opening(window, at, opens) -> None:
    moments = [datetime.fromisoformat(one).astimezone() for one in (at, opens)]
    assert Window.parsed(window).opens(moments[0]) == moments[1]
    route = a_rule(send_between=window).route("NEURO", moments[0].astimezone(UTC))
    assert route.delay_s == (moments[1] - moments[0]).total_seconds()


def test_a_delay_ends_within_the_window() -> None:
    now = datetime.fromisoformat("2026-03-06T17:30").astimezone(UTC)
    assert a_rule(send_between="08:00-18:00", delay_s=3600).route("NEURO", now).delay_s == 14.5 * 3600


def test_a_rule_says_how_it_is_sent() -> None:
    rule = a_rule(send_as=3, priority=5, options={"coercion": "norte"})
    route = rule.route("NEURO", datetime.now(UTC))
    syntaxes = ["1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.57"]
    assert (route.priority, dict(route.options)) == (5, {"coercion": "norte", "transfer_syntaxes": syntaxes})
    assert rule.route("NEURO", datetime.now(UTC), later=True).priority == 4


def test_rules_are_tried_in_their_order_until_one_stops() -> None:
    rules = read_rules(
        [
            {"name": "all", "destinations": ["LAST"], "order": 900},
            {"name": "off", "destinations": ["OFF"], "order": 1, "enabled": False},
            {"name": "ct", "destinations": ["CT"], "order": 2, "when": {"modality": "CT"}},
            {"name": "mr", "destinations": ["MR"], "order": 3, "when": {"modality": "MR"}, "then": "stop"},
            {"name": "chest", "destinations": ["CHEST"], "order": 4, "then": "stop", "when": {"modality": "CT"}},
        ]
    )
    assert [rule.name for rule in taking(rules, an_arrival())] == ["ct", "chest"]
    states = {one.rule.name: (one.state, one.because) for one in verdicts(rules, an_arrival())}
    assert states == {
        "off": ("disabled", ""),
        "ct": ("took it", ""),
        "mr": ("did not match", ""),
        "chest": ("took it", ""),
        "all": ("not reached", "chest stops"),
    }
    assert destinations(rules, an_arrival(calling="CT")) == {"CHEST"}


def test_an_objects_attributes_are_read_only_where_a_rule_that_may_take_it_asks_for_them() -> None:
    chest = a_rule(when={"modality": "CT", **attribute("BodyPartExamined", "=", "CHEST")})
    assert need_attributes([chest, a_rule(when={"from": "MR1"})], an_arrival())
    assert not need_attributes([a_rule(when={"from": "CT1"})], an_arrival())
    assert not need_attributes([chest], an_arrival(modality="MR"))


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"name": ""}, "name:"),
        ({"name": "17"}, "name: .*no number"),
        ({"name": "a" * 101}, "name: .*100"),
        ({"name": 5}, "name: a text"),
        ({"destinations": []}, "destinations: 1 to 20"),
        ({"destinations": ["A" * 65]}, "destinations: .*longer"),
        ({"destinations": [7]}, r"destinations\[0\]: a text"),
        ({"level": "patient"}, "level: 'patient' is none of object, series, study"),
        ({"order": -1}, "order: a whole number from 0"),
        ({"order": True}, "order: a whole number"),
        ({"enabled": "yes"}, "enabled: true or false"),
        ({"send_as": 7}, "send_as: a whole number from 0 to 6"),
        ({"delay_s": 10**9}, "delay_s"),
        ({"quiet_s": 0}, "quiet_s"),
        ({"then": "go on"}, "then"),
        ({"send_between": "night"}, "send_between: 'night' is no span"),
        ({"send_between": "08:00-08:00"}, "send_between: .*ends as it begins"),
        ({"options": {"transfer_syntaxes": []}}, "options: .*send_as"),
        ({"options": 1}, "options: a table"),
        ({"options": {"coerce": {"Institution": "Norte"}}}, "options: .*Institution"),
        ({"options": {"deidentify": "a bit"}}, "options: "),
        ({"priors": {"count": 21}}, "priors.count"),
        ({"priors": {"same": "age"}}, "priors.same: 'age'"),
        ({"priors": {"some": 1}}, "priors.some: there is no such field"),
        ({"when": []}, "when: a table"),
        ({"when": {"modalty": "CT"}}, "when.modalty: there is no such field"),
        ({"when": {"from": [""]}}, "when.from: an empty text"),
        ({"when": {"from": ["a"] * 201}}, "when.from: .*200"),
        ({"when": {"from": ["a\nb"]}}, r"when.from\[0\]: .*printable"),
        ({"when": {"weekdays": ["monday"]}}, "when.weekdays: 'monday'"),
        ({"when": {"between": "25:00-26:00"}}, "when.between"),
        ({"when": {"attributes": {"attribute": "Rows"}}}, "when.attributes: a list"),
        ({"when": attribute("BodyPart", "=", "x")}, r"when.attributes\[0\].attribute: 'BodyPart' is neither"),
        ({"when": attribute("RequestAttributesSequence", "present")}, r"attributes\[0\].attribute: .*SQ"),
        ({"when": attribute("Rows", "~", "x")}, r"attributes\[0\].is: '~'"),
        ({"when": attribute("Rows", "=")}, r"attributes\[0\].value: .*missing"),
        ({"when": attribute("Rows", "<", "tall")}, r"attributes\[0\].value: 'tall'"),
        ({"when": attribute("Rows", "<", [1, 2])}, r"attributes\[0\].value: < takes one value"),
        ({"when": attribute("StudyDescription", "<", "m")}, "no order"),
        ({"when": attribute("PatientAge", "<", "18")}, "an age is written 018Y"),
        ({"colour": "red"}, "colour: there is no such field"),
        ({"comment": "x" * 1001}, "comment"),
        ({"options": {"x": "y" * MOST_BYTES}}, "bytes at most"),
    ],
)
def test_a_rule_that_will_not_do_is_answered_with_the_name_of_the_field(fields, told) -> None:
    with pytest.raises(RuleInvalid, match=told):
        a_rule(**fields)


@pytest.mark.parametrize("document", [None, "rule", 5, {"rule": {}}, [1], {}])
def test_what_is_no_list_of_rules_is_refused(document) -> None:
    with pytest.raises(RuleInvalid):
        read_rules(document)


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
FIELDS = st.sampled_from(
    [
        "name",
        "destinations",
        "when",
        "from",
        "attributes",
        "attribute",
        "is",
        "value",
        "priors",
        "options",
        "between",
        "order",
    ]
)
DOCUMENTS = st.recursive(LEAVES, lambda one: st.lists(one, max_size=4) | st.dictionaries(FIELDS, one, max_size=6))


@settings(max_examples=300, deadline=None)
@given(DOCUMENTS, DOCUMENTS)
def test_whatever_is_written_is_a_rule_or_is_refused_with_a_sentence(document, when) -> None:
    for one in (document, {"name": "a rule", "destinations": ["NEURO"], "when": when}):
        try:
            read_rule(one).holds(an_arrival())
        except RuleInvalid as error:
            assert str(error)


def test_no_pattern_takes_long() -> None:
    rule = a_rule(when={"study_description": "*a" * 400 + "b"})
    facts = Facts(an_arrival().stored, {"00081030": {"vr": "LO", "Value": ["a" * 100_000]}}, SETTINGS)
    began = time.perf_counter()
    assert not rule.holds(facts)
    assert time.perf_counter() - began < 1.0


def test_the_rules_of_the_documentation_can_be_read() -> None:
    page = (Path(__file__).parents[3] / "docs" / "routing.md").read_text()
    rules = read_rules(tomllib.loads(re.search(r"```toml\n(.*?)```", page, re.DOTALL)[1]))
    assert [rule.level for rule in rules] == ["object", "study"]
    assert len(rules[0].conditions) == 12
