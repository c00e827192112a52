"""The scheduled procedure steps of a message: which segments belong to each, and what the mapping makes of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from charrua_core.archive.index.levels import tag_of
from charrua_core.types import DicomJson
from charrua_hl7.errors import FieldMissing, TypeUnsupported
from charrua_hl7.mapping.evaluate import Evaluated, evaluate
from charrua_hl7.mapping.lines import STEP, Lines
from charrua_hl7.mapping.places import Scope, layer
from charrua_hl7.mapping.transforms import ISSUER, PATIENT_ID
from charrua_hl7.message import Message, Segment

STEP_TAG = tag_of(STEP)
STEP_ID, PROTOCOLS = tag_of("ScheduledProcedureStepID"), tag_of("ScheduledProtocolCodeSequence")
MODALITY, OTHER_IDS = tag_of("Modality"), tag_of("OtherPatientIDsSequence")
ORDER_KEYS = tuple(
    tag_of(keyword)
    for keyword in (
        "PlacerOrderNumberImagingServiceRequest",
        "FillerOrderNumberImagingServiceRequest",
        "AccessionNumber",
        "RequestedProcedureID",
        "StudyInstanceUID",
    )
)
"""What an order is known by: one of these it must have."""

ORDERS = frozenset({"ORM", "OMI", "OMG", "SIU"})
BOOKINGS = {
    "S12": "NW",
    "S13": "XO",
    "S14": "XO",
    "S15": "CA",
    "S16": "DC",
    "S17": "CA",
    "S18": "XO",
    "S19": "XO",
    "S20": "XO",
    "S21": "XO",
    "S22": "XO",
    "S24": "NW",
    "S26": "CA",
}
"""What an event of an appointment does with it, as an order control code (tables 0003 and 0119)."""
_RESOURCES = ("AIS", "AIG", "AIL", "AIP")


@dataclass(frozen=True, slots=True)
class OrderedStep:
    """One scheduled procedure step that a message speaks of."""

    control: str
    """What is to be done with it: NW, CA, DC, XO, SC … (ORC-1, table 0119); of SIU what its event stands for."""
    order_status: str
    """ORC-5 (table 0038), "" where it says none."""
    attributes: DicomJson
    """What Modality Worklist shall tell of it: patient, request, and one item in Scheduled Procedure Step Sequence.

    An attribute without Value is one that the message deletes (HL7's null); one that it does not speak of is absent."""
    defaults: DicomJson = field(default_factory=dict)
    """What the message does not say and a new entry has to have, in the same form. A change must not write these over what
    is there."""

    @property
    def complete(self) -> DicomJson:
        """The attributes with the defaults: what a new entry tells."""
        step = _step_of(self.defaults) | _step_of(self.attributes)
        return self.defaults | self.attributes | {STEP_TAG: {"vr": "SQ", "Value": [step]}}


@dataclass(frozen=True, slots=True)
class Group:
    """The segments of one step."""

    control: str
    order_status: str
    scope: Scope


@dataclass(frozen=True, slots=True)
class MappedStep:
    """A step with how its attributes came."""

    step: OrderedStep
    evaluated: Evaluated


def code_of(message: Message) -> str:
    """Give the message code, by which mappings are kept: ORM of ORM^O01."""
    return message.type.partition("^")[0]


def mapped_steps(message: Message, lines: Lines, modality: str) -> list[MappedStep]:
    """Give the steps of an order or appointment; `modality` is for steps that name none. Raises MessageRefused."""
    if code_of(message) not in ORDERS:
        raise TypeUnsupported(f"{message.type[:20]} orders nothing", "MSH^1^9")
    mapped = [_mapped(one, lines, modality) for one in groups(message)]
    if not mapped:
        raise FieldMissing("it has no order: no segment ORC or OBR, and no appointment", "ORC^1")
    return _numbered(_merged(mapped))


def mapped_patient(message: Message, lines: Lines) -> Evaluated:
    """Give what a message says of its patient: of orders the lines to attributes of group 0010 alone. Raises MessageRefused."""
    if code_of(message) in ORDERS or code_of(message) == "ORU":
        lines = [line for line in lines if line.tags[0].startswith("0010")]
    starts = ("ORC", "OBR") if code_of(message) != "SIU" else ("RGS", *_RESOURCES)
    head, _ = _split(message.segments, starts)
    found = evaluate(lines, Scope(layer(head, notes=False)))
    _check_patient(found)
    return found


def groups(message: Message) -> Iterator[Group]:
    """Give the segments of each step that a message speaks of."""
    return _bookings(message) if code_of(message) == "SIU" else _orders(message)


def _orders(message: Message) -> Iterator[Group]:
    """Each OBR of each ORC is a step, of imaging orders each IPC of it."""
    head, rest = _split(message.segments, ("ORC", "OBR"))
    everywhere = _alone(message)
    top = layer(head, notes=False)
    for order in _parted(rest, "ORC"):
        shared, procedures = _split(order, ("OBR",))
        orc = next((one for one in shared if one.name == "ORC"), None)
        told = (orc.text("1").strip().upper() or "NW", orc.text("5").strip().upper()) if orc else ("NW", "")
        for procedure in _parted(procedures, "OBR") or [[]]:
            own = [one for one in procedure if one.name != "IPC"]
            for ipc in [[one] for one in procedure if one.name == "IPC"] or [[]]:
                yield Group(*told, Scope(layer(ipc), layer(own), layer(shared), everywhere, top))


def _bookings(message: Message) -> Iterator[Group]:
    """Each service (AIS) of an appointment is a step; one that names none is a step itself."""
    head, rest = _split(message.segments, ("RGS", *_RESOURCES))
    control = BOOKINGS.get(message.type.partition("^")[2].partition("^")[0], "")
    everywhere, top = _alone(message), layer(head, notes=False)
    if not any(one.name in ("AIS", "SCH") for one in message.segments):
        return
    if not any(one.name == "AIS" for one in rest):
        yield Group(control, "", Scope(layer(rest), everywhere, top))
    for resources in _parted(rest, "RGS"):
        for service in _parted(resources, "AIS"):
            if service[0].name == "AIS":
                own = [one for one in service if one.name in ("AIS", "NTE")]
                others = [one for one in resources if one.name not in ("AIS", "NTE")]
                gone = service[0].text("2").strip().upper() == "D"
                yield Group("CA" if gone else control, "", Scope(layer(own), layer(others), everywhere, top))


def _alone(message: Message) -> dict[str, list[Segment]]:
    """Segments that senders add, ZDS with its Study Instance UID, are of all orders where there is one of them."""
    counts = Counter(one.name for one in message.segments)
    return {one.name: [one] for one in message.segments if one.name.startswith("Z") and counts[one.name] == 1}


def _split(segments: Sequence[Segment], starts: Sequence[str]) -> tuple[Sequence[Segment], Sequence[Segment]]:
    at = next((number for number, one in enumerate(segments) if one.name in starts), len(segments))
    return segments[:at], segments[at:]


def _parted(segments: Sequence[Segment], start: str) -> list[list[Segment]]:
    """Segments from each `start` to the next; what stands before the first is a part of its own."""
    parts: list[list[Segment]] = []
    for segment in segments:
        if segment.name == start or not parts:
            parts.append([])
        parts[-1].append(segment)
    return parts


def _mapped(group: Group, lines: Lines, modality: str) -> MappedStep:
    found = evaluate(lines, group.scope)
    _check_patient(found)
    if not any(found.attributes.get(tag, {}).get("Value") for tag in ORDER_KEYS):
        raise FieldMissing("nothing tells which order it is: placer, filler or accession number", "ORC^1^2")
    if MODALITY not in _step_of(found.attributes) | _step_of(found.defaults):
        _into_step(found.defaults, MODALITY, {"vr": "CS", "Value": [modality]})
    found.attributes.setdefault(STEP_TAG, {"vr": "SQ", "Value": [{}]})
    return MappedStep(OrderedStep(group.control, group.order_status, found.attributes, found.defaults), found)


def _check_patient(found: Evaluated) -> None:
    numbers = found.attributes.get(PATIENT_ID, {}).get("Value")
    if not numbers:
        raise FieldMissing("it names no patient: Patient ID is empty", "PID^1^3")
    issuers = found.attributes.get(ISSUER, {}).get("Value", [""])
    others = [
        one for one in found.attributes.get(OTHER_IDS, {}).get("Value", ()) if not _is(one, numbers[0], issuers[0])
    ]
    if others:
        found.attributes[OTHER_IDS]["Value"] = others
    else:
        found.attributes.pop(OTHER_IDS, None)


def _is(item: DicomJson, number: str, issuer: str) -> bool:
    return bool(item[PATIENT_ID]["Value"] == [number] and item.get(ISSUER, {}).get("Value", [""]) == [issuer])


def _merged(mapped: Sequence[MappedStep]) -> list[MappedStep]:
    """What names the same step of the same order is one step with several protocol codes (IHE RAD TF-2 4.4.4.1.2.2)."""
    kept: dict[Any, MappedStep] = {}
    for number, one in enumerate(mapped):
        named = _step_of(one.step.attributes).get(STEP_ID, {}).get("Value")
        keys = (one.step.control, *_order_of(one.step)[2:], named[0]) if named else (number,)
        if keys in kept:
            _add_protocols(kept[keys].step, one.step)
        else:
            kept[keys] = one
    return list(kept.values())


def _add_protocols(step: OrderedStep, other: OrderedStep) -> None:
    items = [*_step_of(step.attributes).get(PROTOCOLS, {}).get("Value", ())]
    items += [one for one in _step_of(other.attributes).get(PROTOCOLS, {}).get("Value", ()) if one not in items]
    if items:
        _into_step(step.attributes, PROTOCOLS, {"vr": "SQ", "Value": items})


def _numbered(mapped: Sequence[MappedStep]) -> list[MappedStep]:
    """A step that has no ID is known by its place within its order."""
    places: Counter[Any] = Counter()
    for one in mapped:
        order = _order_of(one.step)
        places[order] += 1
        if not _step_of(one.step.complete).get(STEP_ID, {}).get("Value"):
            _into_step(one.step.attributes, STEP_ID, {"vr": "SH", "Value": [str(places[order])]})
    return list(mapped)


def _order_of(step: OrderedStep) -> tuple[str, ...]:
    return tuple(str((step.attributes.get(tag, {}).get("Value") or [""])[0]) for tag in ORDER_KEYS)


def _step_of(attributes: DicomJson) -> DicomJson:
    items = attributes.get(STEP_TAG, {}).get("Value") or [{}]
    return items[0]  # type: ignore[no-any-return]


def _into_step(attributes: DicomJson, tag: str, element: dict[str, Any]) -> None:
    sequence = attributes.setdefault(STEP_TAG, {"vr": "SQ", "Value": [{}]})
    sequence["Value"][0][tag] = element
