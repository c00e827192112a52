"""A rule: which objects it takes, what is sent, where, when and how. Read from JSON or TOML, and shown as that again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, cast

import orjson

from charrua_core.errors import EditInvalid
from charrua_core.sending import BY_NUMBER, ON_THE_WAY, check_on_the_way
from charrua_core.types import Route
from charrua_routing.conditions import Condition, read_conditions
from charrua_routing.errors import RuleInvalid
from charrua_routing.facts import Facts
from charrua_routing.reading import Fields
from charrua_routing.times import Window

RuleLevel = Literal["object", "series", "study"]

ORDER = 100
"""Of a rule that says none."""
MOST_DESTINATIONS = 20
LONGEST_DESTINATION = 64
MOST_PRIORS = 20
MOST_BYTES = 64 * 1024
"""Of a rule as JSON."""
_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Priors:
    """Which of the patient's earlier studies go as well: so many, that have one of these in common with the study."""

    count: int = 0
    same: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as it is applied; `number` and `version` are those of the database, 0 for one that is only tried."""

    name: str
    destinations: tuple[str, ...]
    conditions: tuple[Condition, ...] = ()
    enabled: bool = True
    order: int = ORDER
    level: RuleLevel = "object"
    quiet_s: int = 60
    send_as: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)
    priority: int = 0
    delay_s: int = 0
    send_between: Window | None = None
    priors: Priors = Priors()
    stops: bool = False
    number: int = 0
    version: int = 0

    def holds(self, facts: Facts, *, reading: bool | None = None) -> bool:
        """Whether all conditions hold; with `reading` those alone that do, or do not, look at attributes."""
        return all(one.holds(facts) for one in self.conditions if reading is None or one.reads_attributes is reading)

    def route(self, destination: str, now: datetime, *, later: bool = False) -> Route:
        """Give the route to one of its destinations; what goes `later` is of lower priority than the rest."""
        due = now + timedelta(seconds=self.delay_s)
        if self.send_between is not None:
            due = self.send_between.opens(due)
        syntaxes = BY_NUMBER[self.send_as]
        options = {**self.options, **({"transfer_syntaxes": list(syntaxes)} if syntaxes else {})}
        delay_s = max((due - now).total_seconds(), 0.0)
        return Route(destination, self.priority - later, delay_s, options)


def read_rule(document: Any, *, number: int = 0, version: int = 0) -> Rule:
    """Read a rule; raises RuleInvalid, which names the field that will not do."""
    fields = Fields(document)
    _check_size(document)
    level = cast("RuleLevel", fields.one_of("level", ("object", "series", "study"), "object"))
    rule = Rule(
        name=_name(fields),
        destinations=_destinations(fields),
        conditions=read_conditions(fields.table("when")),
        enabled=fields.truth("enabled", True),
        order=fields.whole("order", ORDER, 0, 1_000_000),
        level=level,
        quiet_s=fields.whole("quiet_s", 60, 1, _DAY_S),
        send_as=fields.whole("send_as", 0, 0, max(BY_NUMBER)),
        options=_options(fields),
        priority=fields.whole("priority", 0, -100, 100),
        delay_s=fields.whole("delay_s", 0, 0, 30 * _DAY_S),
        send_between=_window(fields),
        priors=_priors(fields.table("priors")),
        stops=fields.one_of("then", ("continue", "stop"), "continue") == "stop",
        number=number,
        version=version,
    )
    fields.text("comment")
    fields.end()
    return rule


def read_rules(document: Any) -> list[Rule]:
    """Read a set of rules: a list, or a table with the list `rule` as a TOML file has it. Raises RuleInvalid."""
    listed = document.get("rule") if isinstance(document, Mapping) else document
    if not isinstance(listed, list) or len(listed) > 1000:
        raise RuleInvalid("a list of rules is expected, 1,000 at most: in TOML [[rule]] before each")
    rules = []
    for number, one in enumerate(listed):
        try:
            rules.append(read_rule(one, number=-1 - number))
        except RuleInvalid as error:
            raise RuleInvalid(f"rule[{number}]: {error}") from error
    return sorted(rules, key=lambda rule: rule.order)


def _check_size(document: Any) -> None:
    try:
        written = orjson.dumps(document)
    except TypeError as error:
        raise RuleInvalid(f"the rule has a value that JSON does not know: {error}") from error
    if len(written) > MOST_BYTES:
        raise RuleInvalid(f"the rule may have {MOST_BYTES} bytes at most")
    if b"\\u0000" in written:  # the database has no place for it
        raise RuleInvalid("the rule holds a null character")


def _name(fields: Fields) -> str:
    name = fields.text("name", longest=100)
    if not name or name.isdigit():
        raise fields.wrong("name", "a rule has a name, which is no number")
    return name


def _destinations(fields: Fields) -> tuple[str, ...]:
    names = fields.texts("destinations")
    if not 0 < len(names) <= MOST_DESTINATIONS:
        raise fields.wrong("destinations", f"1 to {MOST_DESTINATIONS} destinations are expected")
    if long := [name for name in names if len(name) > LONGEST_DESTINATION]:
        raise fields.wrong("destinations", f"{long[0][:80]!r} is longer than {LONGEST_DESTINATION} characters")
    return tuple(dict.fromkeys(names))


def _options(fields: Fields) -> dict[str, Any]:
    """What else is asked of the sending; whether the destination heeds it is told when it sends."""
    options = fields.anything("options", {})
    if not isinstance(options, Mapping):
        raise fields.wrong("options", "a table is expected")
    if "transfer_syntaxes" in options:
        raise fields.wrong("options", "transfer_syntaxes are chosen by send_as")
    known = {name: value for name, value in options.items() if name in ON_THE_WAY}
    try:
        return {**options, **check_on_the_way(known)}
    except EditInvalid as error:
        raise fields.wrong("options", str(error)) from error


def _window(fields: Fields) -> Window | None:
    given = fields.text("send_between")
    try:
        return Window.parsed(given) if given else None
    except ValueError as error:
        raise fields.wrong("send_between", str(error)) from error


def _priors(fields: Fields) -> Priors:
    count = fields.whole("count", 0, 0, MOST_PRIORS)
    same = fields.texts("same")
    if strange := [one for one in same if one not in ("modality", "body part")]:
        raise fields.wrong("same", f"{strange[0]!r} is none of modality, body part")
    fields.end()
    return Priors(count, same)
