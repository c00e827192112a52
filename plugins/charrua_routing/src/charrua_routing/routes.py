"""The rules at work: where a stored object goes now, and which study or series is to go when it is quiet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from charrua_core.types import Route, StoredObject
from charrua_routing import quiet
from charrua_routing.conditions import Like
from charrua_routing.deciding import need_attributes, taking
from charrua_routing.facts import Facts, attributes_of
from charrua_routing.known import known_rules
from charrua_routing.rule import Rule
from charrua_routing.virtual.reports import REPORTS, sources_of, withheld

if TYPE_CHECKING:
    from charrua_core.app import App


async def routes_of(app: App, stored: StoredObject) -> list[Route]:
    """Give the routes of an object, and note what else the rules that take it ask for."""
    taken = await _taking(app, stored)
    for rule in taken:
        if rule.level != "object" or rule.priors.count:
            await quiet.touch(app, rule, stored)
    now = app.jobs.clock.now()
    return [
        rule.route(destination, now) for rule in taken if rule.level == "object" for destination in rule.destinations
    ]


async def _taking(app: App, stored: StoredObject) -> Sequence[Rule]:
    rules = await known_rules(app).all()
    facts = Facts(stored)
    is_report = REPORTS in sources_of(stored)
    if is_report or need_attributes(rules, facts):
        attributes = await attributes_of(app, stored)
        if attributes is None:  # gone meanwhile
            return ()
        facts = Facts(stored, attributes)
    if is_report and withheld(app.settings, stored.sop_class_uid, facts.attributes or {}):
        rules = [rule for rule in rules if not _takes_reports(rule)]
    return taking(rules, facts)


def _takes_reports(rule: Rule) -> bool:
    """Whether the rule names the virtual source: others take a report as they take any object, as a backup does."""
    return any(isinstance(one, Like) and one.what == "from" and REPORTS in one.patterns for one in rule.conditions)
