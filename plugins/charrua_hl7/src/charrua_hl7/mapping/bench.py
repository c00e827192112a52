"""The bench: what lines make of a message, told line by line, and what they change of messages that were kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydicom.datadict import keyword_for_tag
from sqlalchemy import select

from charrua_core.types import DicomJson
from charrua_hl7 import tables
from charrua_hl7.errors import MessageRefused
from charrua_hl7.mapping.evaluate import DEFAULT, Evaluated
from charrua_hl7.mapping.lines import Lines
from charrua_hl7.mapping.steps import ORDERS, code_of, mapped_patient, mapped_steps
from charrua_hl7.message import Message

if TYPE_CHECKING:
    from charrua_core.app import App

MOST_LOOKED_AT, MOST_DIFFERING = 50, 20
LONGEST_SHOWN = 400


def tried(message: Message, lines: Lines, modality: str) -> dict[str, Any]:
    """Give what a message becomes: its steps or its patient, which line gave what from where, or why it is refused."""
    told = {"type": message.type, "version": message.version, "character_set": message.separators.codec}
    try:
        return told | {"entries": list(_entries(message, lines, modality)), "refused": None}
    except MessageRefused as error:
        return told | {"entries": [], "refused": {"sentence": str(error), "location": error.location}}


def _entries(message: Message, lines: Lines, modality: str) -> Iterator[dict[str, Any]]:
    if code_of(message) not in ORDERS:
        found = mapped_patient(message, lines)
        yield {"control": "", "order_status": "", "attributes": by_keyword(found.attributes), **_how(found, lines)}
        return
    for one in mapped_steps(message, lines, modality):
        told = {"control": one.step.control, "order_status": one.step.order_status}
        yield told | {"attributes": by_keyword(one.step.complete), **_how(one.evaluated, lines)}


def _how(found: Evaluated, lines: Lines) -> dict[str, Any]:
    numbers = {id(line): number for number, line in enumerate(lines)}
    given = [
        {
            "line": numbers[id(one.line)],
            "to": one.line.to,
            "from": "" if one.source == DEFAULT else one.source,
            "deleted": not one.values,
            "values": [_plain(one.line.target.vr, value) for value in one.values],
        }
        for one in found.given
        if _is_told(found, one.line.tags)
    ]
    passed = [{"line": numbers[id(line)], "to": line.to, "from": source} for line, source in found.passed]
    return {"given": sorted(given, key=lambda one: one["line"]), "passed": passed}


def _is_told(found: Evaluated, tags: Sequence[str]) -> bool:
    """Whether what a line gave is in the result: Other Patient IDs may be none but the Patient ID."""
    return tags[0] in found.attributes or tags[0] in found.defaults


def by_keyword(attributes: DicomJson) -> dict[str, Any]:
    """Give attributes by keyword with plain values: a text or number, a list of several, of sequences a list of items."""
    told = {}
    for tag, element in sorted(attributes.items()):
        values = [_plain(element["vr"], value) for value in element.get("Value", ())]
        one = values[0] if len(values) == 1 and element["vr"] != "SQ" else values
        told[keyword_for_tag(int(tag, 16)) or tag] = one if values else ""
    return told


def _plain(vr: str, value: Any) -> Any:
    if vr == "SQ":
        return by_keyword(value)
    if vr == "PN":
        groups = [value.get(group, "") for group in ("Alphabetic", "Ideographic", "Phonetic")]
        return "=".join(groups).rstrip("=")
    return value[:LONGEST_SHOWN] if isinstance(value, str) else value


async def differing(app: App, code: str, present: Lines, edited: Lines) -> dict[str, Any]:
    """Try edited lines on the last messages of a code that were kept: which would be mapped otherwise, and in what."""
    modality = app.settings["worklist_default_modality"]
    looked, found = 0, []
    for number, control_id, content in await _kept_messages(app, code):
        looked += 1
        before, after = (_outcome(content, lines, modality) for lines in (present, edited))
        if before != after:
            told = {"attributes": _unlike(before, after), "refused": after.get("refused", "")}
            found.append({"message": number, "control_id": control_id, **told})
    return {"looked_at": looked, "differ": len(found), "messages": found[:MOST_DIFFERING]}


async def _kept_messages(app: App, code: str) -> Sequence[tuple[int, str, bytes]]:
    kept = tables.message
    of_code = (kept.c.direction == "in") & kept.c.message_type.like(f"{code}%")
    newest = select(kept.c.id, kept.c.control_id, kept.c.content).where(of_code).order_by(kept.c.id.desc())
    async with app.db.reading() as connection:
        rows = await connection.execute(newest.limit(MOST_LOOKED_AT))
        return [(row.id, row.control_id, row.content) for row in rows]


def _outcome(content: bytes, lines: Lines, modality: str) -> dict[str, Any]:
    """What a message becomes, by keyword and step; of one that is refused the sentence."""
    try:
        told = tried(Message.parse(content), lines, modality)
    except MessageRefused as error:
        return {"refused": str(error)}
    if told["refused"]:
        return {"refused": told["refused"]["sentence"]}
    return {
        f"{number}.{key}": value
        for number, one in enumerate(told["entries"])
        for key, value in _flat(one["attributes"])
    }


def _flat(attributes: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for keyword, value in attributes.items():
        if keyword == "ScheduledProcedureStepSequence" and value:
            yield from _flat(value[0])
        else:
            yield keyword, value


def _unlike(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The keywords whose values differ: no values, which are a patient's."""
    unlike = {key.partition(".")[2] for key in {*before, *after} if before.get(key) != after.get(key)}
    return sorted(filter(None, unlike))
