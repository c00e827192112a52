"""What messages become, in a form that tests read well."""

from __future__ import annotations

from pydicom.datadict import keyword_for_tag

from charrua_hl7.mapping.defaults import DEFAULTS
from charrua_hl7.mapping.steps import code_of, mapped_patient, mapped_steps
from charrua_hl7.message import Message

HEAD = "MSH|^~\\&|RIS|H|PACS|R|20260309101500||{type}|1|P|2.5.1\r"
PID = "PID|1||4711^^^H^MR||Doe^Jane\r"


def steps_of(content: bytes | str, lines=None):
    """Give the steps of a message by the default mapping, or by lines."""
    message = Message.parse(content.encode() if isinstance(content, str) else content)
    return [one.step for one in mapped_steps(message, lines or DEFAULTS.get(code_of(message), ()), "CR")]


def told(attributes) -> dict:
    """Give attributes by keyword as texts: names with ^ and =, codes as value|scheme|meaning, the step's among the others."""
    found = {}
    for tag, element in attributes.items():
        keyword, values = keyword_for_tag(tag), element.get("Value", [])
        if keyword == "ScheduledProcedureStepSequence":
            found |= told(values[0])
        else:
            found[keyword] = "; ".join(_text(element["vr"], one) for one in values)
    return found


def _text(vr: str, value) -> str:
    if vr == "PN":
        groups = (value.get(group, "") for group in ("Alphabetic", "Ideographic", "Phonetic"))
        return "=".join(groups).rstrip("=")
    if vr == "SQ":
        item = told(value)
        order = ("CodeValue", "LongCodeValue", "CodingSchemeDesignator", "CodeMeaning")
        return "|".join(item.pop(keyword) for keyword in order if keyword in item) or "|".join(map(str, item.values()))
    return str(value)


def order_of(content, **more) -> dict:
    """Give the one step of an order, complete as a new entry has it."""
    [step] = steps_of(content, **more)
    return told(step.complete)


def an_order(*segments: str, kind: str = "ORM^O01", pid: str = PID) -> str:
    """Give an order of these segments."""
    return HEAD.format(type=kind) + pid + "\r".join(segments)


def patient_by(content: str | bytes) -> dict:
    """Give what a message says of its patient."""
    message = Message.parse(content.encode() if isinstance(content, str) else content)
    return told(mapped_patient(message, DEFAULTS[code_of(message)]).attributes)
