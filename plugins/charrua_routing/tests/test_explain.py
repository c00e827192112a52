"""What would happen: one object explained, many of the past replayed, nothing sent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from charrua_core.errors import HeaderDamaged, StudyNotFound
from charrua_core.testing.objects import a_study, an_object, part10
from charrua_core.types import SYSTEM, Identity, RowFilter
from charrua_routing import facts, rules
from charrua_routing.explaining import explain, facts_of_file, in_words
from charrua_routing.replaying import replay
from charrua_routing.rule import read_rules

ONLY_MR = Identity("ana", "user", permissions=frozenset({"*"}), row_filters=(RowFilter({"Modality": ("MR",)}),))


async def present(app):
    return [kept.rule for kept in await rules.every(app)]


async def test_an_object_is_explained_with_the_values_that_were_compared(app, add_rule, come):
    await add_rule("chest", ["CHEST"], {"modality": "CT", "study_description": "chest*"}, order=1)
    await add_rule("thorax", ["NEURO", "CT1"], {"study_description": "thorax"}, order=2, then="stop", delay_s=60)
    await add_rule("rest", ["REST"], order=3)
    [told] = await come(*a_study())
    explained = await explain(app, await facts.one(app, SYSTEM, told.sop_instance_uid), await present(app))
    assert [(one["rule"], one["state"]) for one in explained["rules"]] == [
        ("chest", "did not match"),
        ("thorax", "took it"),
        ("rest", "not reached"),
    ]
    assert explained["rules"][0]["conditions"] == [
        {"what": "modality", "wanted": "CT", "found": "CT", "holds": True},
        {"what": "study_description", "wanted": "chest*", "found": "Thorax", "holds": False},
    ]
    assert [(one["destination"], one["kept_by"]) for one in explained["destinations"]] == [
        ("NEURO", ""),
        ("CT1", "it came from there"),
    ]
    words = "\n".join(in_words(explained))
    assert "FAILS  study_description: wants chest*, has Thorax" in words
    assert "to NEURO in 60 s by thorax" in words
    assert "not to CT1: it came from there" in words


async def test_what_was_sent_before_is_said(app, add_rule, come):
    await add_rule()
    [told] = await come(*a_study())
    async with app.db.driver() as connection:
        await connection.execute("INSERT INTO core.delivered VALUES ($1, 'NEURO', 1)", told.sop_instance_uid)
    explained = await explain(app, await facts.one(app, SYSTEM, told.sop_instance_uid), await present(app))
    assert explained["destinations"][0]["kept_by"] == "it was sent there before"


async def test_an_object_out_of_sight_is_not_explained(app, come):
    [told] = await come(*a_study())
    for uid, identity in ((told.sop_instance_uid, ONLY_MR), ("1.2.3", SYSTEM)):
        with pytest.raises(StudyNotFound):
            await facts.one(app, identity, uid)


async def test_a_file_is_explained_as_if_it_came(app, add_rule, tmp_path):
    await add_rule(when={"from": "MR*", "between": "08:00-18:00", "modality": "MR"})
    file = tmp_path / "image.dcm"
    file.write_bytes(part10(an_object(Modality="MR")))
    at = datetime(2026, 3, 6, 20).astimezone()
    explained = await explain(app, facts_of_file(app, file, calling="MR1", called="", at=at), await present(app))
    held = {one["what"]: one["holds"] for one in explained["rules"][0]["conditions"]}
    assert held == {"from": True, "modality": True, "between, weekdays": False}
    file.write_bytes(b"no DICOM")
    for path in (file, tmp_path / "nothing.dcm"):
        with pytest.raises(HeaderDamaged):
            facts_of_file(app, path, calling="", called="", at=at)


async def test_a_replay_shows_what_would_go_elsewhere_and_sends_nothing(app, add_rule, come):
    await add_rule("ct", ["NEURO"], {"modality": "CT"})
    came = await come(*a_study(images=3), *a_study(Modality="MR", images=2))
    jobs = await app.jobs.list()
    edited = read_rules([{"name": "mr", "destinations": ["NEURO", "MR"], "when": {"modality": "MR"}}])
    now = datetime.now(UTC)
    span = (now - timedelta(hours=1), now + timedelta(hours=1))
    told = await replay(app, SYSTEM, await present(app), edited, *span)
    assert (told["objects"], told["cut"], told["differ"], told["taken"]) == (5, False, 5, {"mr": 2})
    assert (told["gained"], told["lost"]) == ({"NEURO": 2, "MR": 2}, {"NEURO": 3})
    assert {one["sop_instance_uid"] for one in told["differences"]} == {one.sop_instance_uid for one in came}
    assert told["differences"][0]["before"] == ["NEURO"]
    assert await app.jobs.list() == jobs
    assert (await replay(app, ONLY_MR, await present(app), edited, *span))["objects"] == 2
    assert (await replay(app, SYSTEM, [], edited, *span, at_most=4))["cut"]
    assert (await replay(app, SYSTEM, [], edited, span[0], span[0]))["objects"] == 0


async def test_a_replay_goes_through_more_than_a_page(app, come, monkeypatch):
    monkeypatch.setattr(facts, "PAGE", 2)
    came = await come(*a_study(images=5))
    span = (came[0].received_at - timedelta(hours=1), came[0].received_at + timedelta(hours=1))
    found = [one.stored.sop_instance_uid async for one in facts.received(app, SYSTEM, *span)]
    assert found == [one.sop_instance_uid for one in came]
