"""A query made ready: what the database selects, and what is then looked at in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from charrua_core.archive.index.levels import level_of
from charrua_core.archive.search.answers import supported
from charrua_core.archive.search.columns import (
    COMPUTED,
    HELD,
    INSTITUTION_NAME,
    LEVELS_DOWN,
    PATIENT_NAME,
    SOP_CLASSES_IN_STUDY,
    SOP_UID,
    STUDY_DATE,
    STUDY_UID,
    UNIQUE_KEYS,
)
from charrua_core.archive.search.conditions import Clause, Condition, condition_of
from charrua_core.archive.search.counted import STORED, Counted, counted_for
from charrua_core.archive.search.matching import Test, test_of
from charrua_core.archive.search.model import Match, NoValue, OneOf, Query
from charrua_core.archive.search.of_series import with_series
from charrua_core.archive.search.orders import ORDERS, Order, with_columns
from charrua_core.archive.search.patterns import has_wildcard
from charrua_core.archive.search.scope import scope
from charrua_core.archive.search.statements import with_overlaid
from charrua_core.errors import QueryInvalid
from charrua_core.tables import series, study
from charrua_core.types import Identity, Level

_STUDY_ROW = (Level.PATIENT, Level.STUDY)
_WALKED = {Level.PATIENT: {PATIENT_NAME}, Level.STUDY: {PATIENT_NAME, "00081030", "00080090"}}
"""Texts that indexes study_by_patient and study_by_date hold beside their order."""


@dataclass(slots=True)
class Plan:
    """Conditions on the study row (`upper`) and below it (`lower`), and tests of what no column tells."""

    query: Query
    scope: list[Clause]
    upper: list[Clause] = field(default_factory=list)
    lower: list[Clause] = field(default_factory=list)
    tests: dict[str, Test] = field(default_factory=dict)
    dates: list[Clause] = field(default_factory=list)
    """Those on the study's date, in whose order studies are walked; not among `upper`."""
    named: Condition | None = None
    """A text that may be rare or frequent, which has steps of its own; not among `upper`."""
    counted: Counted = STORED
    """What studies tell that is counted."""
    of_study: Clause | None = None
    """What the key Study Instance UID asks; also among `upper`."""
    exactly: dict[str, Clause] = field(default_factory=dict)
    """Of tested attributes: what makes the conditions select just what matches."""
    in_index: bool = False
    """The text is one that the walked index holds."""
    order: Order | None = None
    """What studies are sorted by; None: the newest first."""

    @property
    def plain(self) -> list[Clause]:
        """All conditions on the study row."""
        return [*([self.named.clause] if self.named else []), *self.dates, *self.upper]

    @property
    def countable(self) -> bool:
        """Whether the database can tell how many match, without a look at each."""
        return self.tests.keys() <= self.exactly.keys()

    @property
    def counting(self) -> list[Clause]:
        """The conditions on the study row, of all that is counted."""
        return [*self.chosen, *self.exactly.values()]

    @property
    def chosen(self) -> list[Clause]:
        """The same with the index of the text."""
        if self.named is None or self.named.chosen is None:
            return self.plain
        return [self.named.chosen, *self.dates, *self.upper]


def plan_of(query: Query, identity: Identity, ignore_case: bool, rows: Level | None = None) -> Plan:
    """Make a query ready; `rows` is the level of what is selected, if not the query's.

    Raises QueryInvalid, and NotPermitted for a filter that cannot be told.
    """
    _check_hierarchy(query)
    rows = rows or query.level
    visible = scope(identity, rows)
    counted = counted_for(
        identity,
        sop_classes=_tells(query, SOP_CLASSES_IN_STUDY),
        institution=rows is Level.STUDY and INSTITUTION_NAME in query.return_keys,
        facts=query.facts or query.order == "size",
    )
    plan = Plan(query, visible, counted=counted, order=_order(query, counted))
    (plan.upper if rows in _STUDY_ROW else plan.lower).extend(visible)
    if query.statuses:
        plan.upper.append(study.c.status.in_(sorted(query.statuses)))
    if query.of_series:
        plan.upper.append(with_series(query.of_series, identity, ignore_case))
    texts: dict[str, Condition] = {}
    few = False
    for tag, match in query.keys.items():
        if supported(tag, rows):
            condition = condition_of(tag, match, ignore_case, plan.counted.by_tag)
            few |= condition is not None and condition.few
            if tag == STUDY_UID and condition is not None:
                plan.of_study = condition.clause
            _take(plan, texts, tag, match, condition)
            if condition is None or not condition.exact or _may_be_edited(tag):
                plan.tests[tag] = test_of(tag, match, ignore_case, query.fuzzy)
                if condition is not None and condition.exactly is not None and not query.fuzzy:
                    plan.exactly[tag] = condition.exactly
    _name_one(plan, texts, few)
    return plan


def _order(query: Query, counted: Counted) -> Order | None:
    if not query.order or query.level is not Level.STUDY:
        return None
    if query.order not in ORDERS:
        raise QueryInvalid(f"studies are not sorted by {query.order[:64]!r}, but by {', '.join(ORDERS)}")
    if query.order == "date" and not query.ascending:
        return None
    return with_columns(ORDERS[query.order], counted)


def _check_hierarchy(query: Query) -> None:
    """One unique key of each level above, unless relational queries were agreed on (PS3.4 C.4.1.2.1)."""
    if query.level is Level.PATIENT and query.root != "PATIENT":
        raise QueryInvalid("the Study Root model has no PATIENT level")
    if query.relational:
        return
    first = LEVELS_DOWN.index(Level.PATIENT if query.root == "PATIENT" else Level.STUDY)
    for level in LEVELS_DOWN[first : LEVELS_DOWN.index(query.level)]:
        if not _is_single(query.keys.get(UNIQUE_KEYS[level])):
            raise QueryInvalid(f"a query at {query.level} level names one {level} (PS3.4 C.4.1.2.1)")


def _tells(query: Query, tag: str) -> bool:
    """Whether the attribute is asked for or matched."""
    return not query.return_keys or tag in query.return_keys or tag in query.keys


def _is_single(match: Match | None) -> bool:
    return isinstance(match, OneOf) and len(match.values) == 1 and not has_wildcard(match.values[0])


def _take(plan: Plan, texts: dict[str, Condition], tag: str, match: Match, condition: Condition | None) -> None:
    if condition is None or (plan.query.fuzzy and match.vr == "PN"):
        _take_attribute(plan, tag, match)
    elif HELD[tag].level in _STUDY_ROW:
        if condition.chosen is not None:
            texts[tag] = condition
        else:
            (plan.dates if tag == STUDY_DATE else plan.upper).append(condition.clause)
    else:
        plan.lower.append(with_overlaid(condition.clause) if _may_be_edited(tag) else condition.clause)


def _may_be_edited(tag: str) -> bool:
    """Whether an edit may have changed what the columns of an image say: its UIDs never change."""
    return tag in HELD and HELD[tag].level is Level.IMAGE and tag != SOP_UID


def _take_attribute(plan: Plan, tag: str, match: Match) -> None:
    """Select the rows that have an attribute without a column of its own."""
    level = Level.IMAGE if tag in COMPUTED or tag in HELD else level_of(tag)
    if isinstance(match, NoValue) or level is Level.IMAGE:
        return
    if level in _STUDY_ROW:
        plan.upper.append(study.c.attributes.op("?")(tag))
    else:
        plan.lower.append(series.c.attributes.op("?")(tag))


def _name_one(plan: Plan, texts: Mapping[str, Condition], few: bool) -> None:
    """Have one text be searched in steps, the patient's name if it is asked; the others are plain conditions."""
    first = PATIENT_NAME if PATIENT_NAME in texts else next(iter(texts), None)
    for tag, condition in texts.items():
        if tag == first and not few:
            plan.named, plan.in_index = condition, tag in _WALKED.get(plan.query.level, ())
        else:
            plan.upper.append(condition.clause)
