"""Orders and appointments as they come: each message's steps, done to the entries of their order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core.archive.index.levels import tag_of
from charrua_core.types import DicomJson
from charrua_hl7 import mapping
from charrua_hl7.errors import (
    EventUnsupported,
    FieldMissing,
    KeyTaken,
    KeyUnknown,
    MessageRefused,
    MessageTooLarge,
    TooLate,
    ValueInvalid,
)
from charrua_hl7.mapping import OrderedStep
from charrua_hl7.mapping.steps import BOOKINGS
from charrua_hl7.orders.book import Book, Order, Page
from charrua_hl7.orders.controls import CANCELLED, DEEDS, DISCONTINUED, HELD, STATUSES, Change, Deed
from charrua_hl7.orders.missing import completed, root_of
from charrua_hl7.processing import Outcome, Received
from charrua_hl7.worklist.entries import OPEN, STEP, Draft, Status, columns_of, step_of, value
from charrua_hl7.worklist.identity import is_another_person

if TYPE_CHECKING:
    from charrua_core.app import App

EVENTS = {
    "ORM": {"", "O01", "001"},
    "OMI": {"", "O23"},
    "OMG": {"", "O19"},
    "SIU": {*BOOKINGS},
}
"""By message code; "" is of senders that leave the event out, "001" is seen for O01."""

_STEPS = frozenset({"OBR", "IPC", "AIS"})
MOST_STEPS = 200

Asked = list[tuple[Order, OrderedStep]]
_PATIENT = ("PatientID", "PatientName")
_ACCESSION = tag_of("AccessionNumber")
_STEP_ID = tag_of("ScheduledProcedureStepID")


@dataclass(frozen=True, slots=True)
class _Made:
    """What every message of a batch may need: the root of UIDs, and the modality of steps that name none."""

    root: str
    modality: str
    message_id: int


async def take_orders(
    app: App, tx: AsyncConnection, received: Sequence[Received]
) -> Sequence[Outcome | MessageRefused]:
    """Do what the messages say to the worklist (a handler as of `charrua_hl7.processing.Several`)."""
    asked = [await _asked(app, tx, one) for one in received]
    book = await Book.of(tx, [order for one in asked if isinstance(one, list) for order, _ in one])
    root, modality = await root_of(app, tx), app.settings["worklist_default_modality"]
    outcomes = [_done(book, one, _Made(root, modality, of.id)) for one, of in zip(asked, received, strict=True)]
    await book.write(app, tx)
    return outcomes


async def _asked(app: App, tx: AsyncConnection, one: Received) -> Asked | MessageRefused:
    code, _, event = one.message.type.partition("^")
    try:
        if event not in EVENTS[code]:
            raise EventUnsupported(f"{code} is not taken for this event", "MSH^1^9")
        if sum(segment.name in _STEPS for segment in one.message.segments) > MOST_STEPS:
            raise MessageTooLarge(f"it orders more than {MOST_STEPS} steps")
        steps = await mapping.ordered_steps(app, tx, one.message)
        return [(Order.of(step.attributes), step) for step in steps]
    except MessageRefused as refused:
        return refused


def _done(book: Book, asked: Asked | MessageRefused, made: _Made) -> Outcome | MessageRefused:
    if isinstance(asked, MessageRefused):
        return asked
    page = Page()
    try:
        sentences = [
            sentence
            for order, steps in groupby(asked, key=lambda pair: pair[0])
            for sentence in _order(book, page, order, [step for _, step in steps], made)
        ]
    except MessageRefused as refused:
        return refused
    book.turn(page)
    first = asked[0][1].attributes
    patient_id, accession = value(first, tag_of("PatientID")), value(first, _ACCESSION)
    return Outcome("; ".join(dict.fromkeys(sentences)), patient_id, accession)


def _order(book: Book, page: Page, order: Order, steps: list[OrderedStep], made: _Made) -> Iterator[str]:
    """Do what is said of one order; give it as sentences.

    What ends an order ends all of its steps; only where others of them are spoken of besides, those that are named.
    """
    parts = [list(part) for _, part in groupby(steps, key=lambda step: step.control)]
    for part in parts:
        named = {_step_id(step) for step in part} if len(parts) > 1 else None
        known = book.order(order, page)
        yield _part(page, order, known, part, made, named)


def _part(
    page: Page, order: Order, known: list[Draft], steps: list[OrderedStep], made: _Made, named: set[str] | None
) -> str:
    deed = DEEDS.get(steps[0].control)
    if deed is None:
        raise ValueInvalid("its order control code is not known here", "ORC^1^1")
    if deed is Deed.NOTE:
        return "it changes nothing in the worklist"
    if not order.key:
        raise FieldMissing("the order has no number of its placer or filler, and no accession number", "ORC^1^2")
    if deed in (Deed.NEW, Deed.CHANGE):
        return _write(page, known[0].order_key if known else order.key, known, steps, made, deed)
    known = [one for one in known if named is None or one.step_id in named]
    if not known:
        raise KeyUnknown("no order of this number is known here", "ORC^1^2")
    return _ENDS[deed](page, known, made)


# -- new and changed -----------------------------------------------------------------------------------------------------
def _write(page: Page, key: str, known: list[Draft], steps: list[OrderedStep], made: _Made, deed: Deed) -> str:
    _require_same_person(known, steps[0])
    pairs = _paired(known, _named_apart(steps), deed)
    for number, (step, before) in enumerate(pairs, 1):
        change = STATUSES.get(step.control, {}).get(step.order_status)
        draft = _new(step, key, number, made) if before is None else _changed(before, step, deed)
        page.write(replace(_with(draft, change), message_id=made.message_id))
    if deed is Deed.CHANGE:
        for one in _others(known, pairs):
            page.write(
                replace(one, attributes=_of_order(one.attributes, steps[0].attributes), message_id=made.message_id)
            )
    return _told(pairs, deed)


def _require_same_person(known: Sequence[Draft], step: OrderedStep) -> None:
    """Raise KeyTaken where an order that was performed would become another person's: its number was given out twice."""
    begun = [one for one in known if one.status in (Status.STARTED, Status.COMPLETED)]
    if any(is_another_person(one.attributes, step.attributes) for one in begun):
        raise KeyTaken("the order of this number has begun or is over, and is of another patient", "ORC^1^2")


def _named_apart(steps: Sequence[OrderedStep]) -> list[OrderedStep]:
    """Give the steps with an ID of its own each: where one names another's, both are entries, the same ones each time."""
    count: Counter[str] = Counter()
    found = []
    for step in steps:
        own = _step_id(step)
        count[own] += 1
        if own and count[own] > 1:
            item = step_of(step.attributes) | {_STEP_ID: {"vr": "SH", "Value": [f"{own[:12]}-{count[own]}"]}}
            step = replace(step, attributes=step.attributes | {STEP: {"vr": "SQ", "Value": [item]}})
        found.append(step)
    return found


def _paired(known: Sequence[Draft], steps: Sequence[OrderedStep], deed: Deed) -> list[tuple[OrderedStep, Draft | None]]:
    """Give each step with the entry that it is: that of its ID; one without an ID is the next that no other one is.

    So is, in a change that has as many steps as the order, one whose ID is not known: it is another name of the same.
    """
    renamed = deed is Deed.CHANGE and len(steps) == len(known)
    by_id = {one.step_id: one for one in known}
    named = {_step_id(step) for step in steps} & by_id.keys()
    left = [one for one in known if one.step_id not in named]
    found: list[tuple[OrderedStep, Draft | None]] = []
    for step in steps:
        if (own := _step_id(step)) in by_id:
            found.append((step, by_id[own]))
        else:
            found.append((step, left.pop(0) if left and (renamed or not own) else None))
    return found


def _step_id(step: OrderedStep) -> str:
    return value(step_of(step.attributes), _STEP_ID)


def _new(step: OrderedStep, key: str, number: int, made: _Made) -> Draft:
    attributes = _with_values(step.complete)
    if not any(value(attributes, tag_of(keyword)) for keyword in _PATIENT):
        raise FieldMissing("it names no patient", "PID^1^3")
    return Draft(key, completed(attributes, root=made.root, order_key=key, number=number, modality=made.modality))


def _changed(before: Draft, step: OrderedStep, deed: Deed) -> Draft:
    """Give the entry with what the step says. What has not begun begins again where it is ordered, or moved, anew."""
    item = step_of(before.attributes) | step_of(step.attributes)
    item[_STEP_ID] = {"vr": "SH", "Value": [before.step_id]}
    attributes = _of_order(before.attributes, step.attributes) | {STEP: {"vr": "SQ", "Value": [_with_values(item)]}}
    after = replace(before, attributes=attributes)
    moved = before.reason not in (CANCELLED, DISCONTINUED, HELD) and _start(after) != _start(before)
    if before.status is Status.DISCONTINUED and (deed is Deed.NEW or moved):
        return replace(after, status=Status.SCHEDULED, reason="")
    return after


def _of_order(before: DicomJson, said: Mapping[str, Any]) -> DicomJson:
    """Give attributes with what is said of the order as a whole."""
    kept = {tag_of("StudyInstanceUID"), tag_of("RequestedProcedureID")}  # a null takes none of these away
    new = {tag: one for tag, one in said.items() if tag != STEP and (one.get("Value") or tag not in kept)}
    return _with_values(before | new)


def _with_values(attributes: Mapping[str, Any]) -> DicomJson:
    return {tag: one for tag, one in attributes.items() if one.get("Value")}


def _with(draft: Draft, change: Change | None) -> Draft:
    """Give the draft with a status; what is over stays so."""
    if change is None or draft.status not in OPEN:
        return draft
    return replace(draft, status=change.status, reason=change.reason)


def _start(draft: Draft) -> Any:
    return columns_of(draft.attributes)["start_moment"]


def _others(known: Sequence[Draft], pairs: Sequence[tuple[OrderedStep, Draft | None]]) -> list[Draft]:
    said = {before.step_id for _, before in pairs if before is not None}
    return [one for one in known if one.step_id not in said]


def _told(pairs: Sequence[tuple[OrderedStep, Draft | None]], deed: Deed) -> str:
    added = sum(before is None for _, before in pairs)
    told = [f"{added} {'entry' if added == 1 else 'entries'} added"] if added else []
    if changed := len(pairs) - added:
        told.append(f"{changed} {'entry' if changed == 1 else 'entries'} changed")
        if deed is Deed.NEW:
            told.append("the order was here already")
    elif deed is Deed.CHANGE:
        told.append("the order was not known before")
    return ", ".join(told)


# -- ended and held ------------------------------------------------------------------------------------------------------
def _cancel(page: Page, known: list[Draft], made: _Made) -> str:
    if any(one.status in (Status.STARTED, Status.COMPLETED) for one in known):
        raise TooLate("the order has begun or is over, and cannot be cancelled", "ORC^1^1")
    return _end(page, known, made, CANCELLED)


def _discontinue(page: Page, known: list[Draft], made: _Made) -> str:
    if all(one.status is Status.COMPLETED for one in known):
        raise TooLate("the order is over, and cannot be discontinued", "ORC^1^1")
    return _end(page, known, made, DISCONTINUED)


def _hold(page: Page, known: list[Draft], made: _Made) -> str:
    if any(one.status in (Status.STARTED, Status.COMPLETED) for one in known):
        raise TooLate("the order has begun or is over, and cannot be held", "ORC^1^1")
    return _end(page, known, made, HELD)


def _end(page: Page, known: list[Draft], made: _Made, reason: str) -> str:
    ending = [one for one in known if one.status in OPEN or (one.reason == HELD != reason)]
    for one in ending:
        page.write(replace(one, status=Status.DISCONTINUED, reason=reason, message_id=made.message_id))
    return f"{len(ending)} {'entry' if len(ending) == 1 else 'entries'} {reason}"


def _release(page: Page, known: list[Draft], made: _Made) -> str:
    held = [one for one in known if one.reason == HELD]
    for one in held:
        page.write(replace(one, status=Status.SCHEDULED, reason="", message_id=made.message_id))
    return f"{len(held)} {'entry' if len(held) == 1 else 'entries'} scheduled again"


_ENDS = {Deed.CANCEL: _cancel, Deed.DISCONTINUE: _discontinue, Deed.HOLD: _hold, Deed.RELEASE: _release}
