"""Rules as they are kept: versions of every change, who made it, nobody's change lost."""

from __future__ import annotations

import asyncio

import pytest

from charrua_core import audit
from charrua_core.errors import NotPermitted
from charrua_core.types import Identity, Origin, Peer
from charrua_routing import rules, watch
from charrua_routing.errors import RuleChanged, RuleInvalid, RuleNameTaken, RuleNotFound
from charrua_routing.known import KnownRules


async def test_every_change_keeps_the_version_before_with_who_made_it(app, who, add_rule):
    kept = await add_rule(comment="one")
    ana = rules.Who(Identity("ana", "user", permissions=frozenset({"configure"})), Origin("web", user="ana"))
    changed = await rules.change(app, ana, kept.number, 1, {**kept.document, "comment": "two"})
    assert (changed.version, changed.changed_by) == (2, "ana")
    told = [(one.version, one.document["comment"], one.changed_by) for one in await rules.versions(app, kept.number)]
    assert told == [(2, "two", "ana"), (1, "one", "charrua")]
    noted = await audit.read(app.db, event=audit.Event.SECURITY_ALERT, limit=2)
    assert [(one["action"], one["who"], one["detail"]) for one in noted] == [
        ("U", "ana", {"routing_rule": kept.number, "version": 2}),
        ("C", "charrua", {"routing_rule": kept.number, "version": 1}),
    ]


async def test_a_version_of_before_comes_back_as_a_new_one(app, who, add_rule):
    kept = await add_rule(comment="one")
    await rules.change(app, who, kept.number, 1, {**kept.document, "comment": "two"})
    restored = await rules.restore(app, who, kept.number, 1)
    assert (restored.version, restored.document["comment"]) == (3, "one")


async def test_a_removed_rule_comes_back_under_its_number(app, who, add_rule):
    kept = await add_rule()
    await rules.remove(app, who, kept.number, 1)
    assert await rules.every(app) == []
    assert [one.removed for one in await rules.versions(app, kept.number)] == [True, False]
    with pytest.raises(RuleNotFound):
        await rules.restore(app, who, kept.number, 2)  # the removal is no version to go back to
    restored = await rules.restore(app, who, kept.number, 1)
    assert (restored.number, restored.version) == (kept.number, 3)
    assert (await add_rule("another")).number > kept.number


async def test_of_two_who_change_the_same_version_one_is_told_to_look_again(app, who, add_rule):
    kept = await add_rule()
    both = [rules.change(app, who, kept.number, 1, {**kept.document, "comment": f"by {number}"}) for number in range(2)]
    outcomes = await asyncio.gather(*both, return_exceptions=True)
    assert sorted(type(one).__name__ for one in outcomes) == ["Kept", "RuleChanged"]
    with pytest.raises(RuleChanged, match="at version 2, not 1"):
        await rules.remove(app, who, kept.number, 1)


async def test_what_cannot_be_done_changes_nothing(app, who, add_rule):
    kept, _ = await add_rule(), await add_rule("another")
    viewer = rules.Who(Identity("viewer", "user", permissions=frozenset({"send"})), Origin("web"))
    for attempt, error in (
        (lambda: add_rule(), RuleNameTaken),
        (lambda: rules.change(app, who, kept.number, 1, {**kept.document, "name": "another"}), RuleNameTaken),
        (lambda: rules.change(app, who, kept.number, 1, {"name": "x"}), RuleInvalid),
        (lambda: rules.change(app, who, 99, 1, kept.document), RuleNotFound),
        (lambda: rules.remove(app, viewer, kept.number, 1), NotPermitted),
        (lambda: add_rule(options={"x": "a\0b"}), RuleInvalid),
    ):
        with pytest.raises(error):
            await attempt()
    assert [(one.version, one.document["name"]) for one in await rules.every(app)] == [(1, "a rule"), (1, "another")]


async def test_rules_without_an_order_stand_in_the_middle(add_rule, app):
    for name, order in (("late", 900), ("none", None), ("early", 5)):
        await add_rule(name, order=order)
    assert [rule.name for rule in await rules.understood(app)] == ["early", "none", "late"]


async def test_a_rule_whose_destination_is_not_there_is_told_by_status(app, who, add_rule):
    assert await watch.findings(app) == []
    kept = await add_rule(destinations=["NEURO", "NOWHERE"])
    await app.peers.add(Peer("NEURO", "127.0.0.1", 11112), by="test")
    [finding] = await watch.findings(app)
    assert (finding.works, "sends to NOWHERE" in finding.sentence) == (False, True)
    await rules.change(app, who, kept.number, 1, {**kept.document, "enabled": False})
    assert await watch.findings(app) == []


async def test_a_rule_that_is_not_understood_is_left_out_and_told(app, add_rule):
    await add_rule()
    await add_rule("of a newer release")
    async with app.db.driver() as connection:
        await connection.execute("""
            UPDATE routing.rule_version SET document = document || '{"weather": "rain"}' WHERE rule_id = 2
        """)
    assert [rule.name for rule in await KnownRules(app).all()] == ["a rule"]
    assert "weather: there is no such field" in (await watch.findings(app))[-1].sentence
