"""Which rules take an object, and why the others do not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from charrua_routing.facts import Facts
from charrua_routing.rule import Rule

State = Literal["took it", "did not match", "disabled", "not reached"]


@dataclass(frozen=True, slots=True)
class Check:
    """One condition of a rule, tried on an object."""

    what: str
    wanted: str
    found: str
    holds: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a rule makes of an object; `because` says why it was not reached."""

    rule: Rule
    state: State
    checks: tuple[Check, ...] = ()
    because: str = ""


def need_attributes(rules: Iterable[Rule], facts: Facts) -> bool:
    """Whether the rules cannot be applied without reading the object's attributes."""
    return any(
        rule.enabled and rule.holds(facts, reading=False)
        for rule in rules
        if any(one.reads_attributes for one in rule.conditions)
    )


def taking(rules: Iterable[Rule], facts: Facts) -> list[Rule]:
    """Give the rules that take the object, in their order, up to one that stops."""
    taken = []
    for rule in rules:
        if rule.enabled and rule.holds(facts):
            taken.append(rule)
            if rule.stops:
                break
    return taken


def verdicts(rules: Sequence[Rule], facts: Facts) -> list[Verdict]:
    """Give what each rule makes of the object, with every condition that was compared."""
    told: list[Verdict] = []
    stopped_by = ""
    for rule in rules:
        checks = tuple(Check(one.what, one.wanted, one.found(facts), one.holds(facts)) for one in rule.conditions)
        if not rule.enabled:
            told.append(Verdict(rule, "disabled", checks))
        elif stopped_by:
            told.append(Verdict(rule, "not reached", checks, f"{stopped_by} stops"))
        elif all(check.holds for check in checks):
            told.append(Verdict(rule, "took it", checks))
            stopped_by = rule.name if rule.stops else ""
        else:
            told.append(Verdict(rule, "did not match", checks))
    return told


def destinations(rules: Iterable[Rule], facts: Facts) -> frozenset[str]:
    """Give where the object goes, whatever the level and the time of the rules that take it."""
    named = {destination for rule in taking(rules, facts) for destination in rule.destinations}
    return frozenset(named - {facts.stored.origin.calling_aet})
