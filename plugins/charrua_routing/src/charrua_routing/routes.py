"""The rules at work: where a stored object goes now, and which study or series is to go when it is quiet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from charrua_core.types import Route, StoredObject
from charrua_routing import quiet
from charrua_routing.deciding import need_attributes, taking
from charrua_routing.facts import Facts, attributes_of
from charrua_routing.known import known_rules
from charrua_routing.rule import Rule

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
    facts = Facts(stored, None, app.settings)
    if need_attributes(rules, facts):
        attributes = await attributes_of(app, stored)
        if attributes is None:  # gone meanwhile
            return ()
        facts = Facts(stored, attributes, app.settings)
    return taking(rules, facts)
