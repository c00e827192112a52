"""What would happen to an object: which rules take it, which condition of the others failed, and where it would go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from charrua_core.archive.datasets.header import scan
from charrua_core.archive.datasets.part10 import read_file_meta
from charrua_core.errors import HeaderDamaged
from charrua_core.sending import had
from charrua_core.types import Origin, StoredObject
from charrua_routing.deciding import Verdict, taking, verdicts
from charrua_routing.errors import RuleInvalid
from charrua_routing.facts import Facts
from charrua_routing.marking import N_
from charrua_routing.rule import Rule
from charrua_routing.values import attribute_named

if TYPE_CHECKING:
    from charrua_core.app import App


async def explain(app: App, facts: Facts, rules: Sequence[Rule]) -> dict[str, Any]:
    """Give what the rules make of the object, as JSON."""
    stored = facts.stored
    return {
        "sop_instance_uid": stored.sop_instance_uid,
        "study_uid": stored.study_uid,
        "from": stored.origin.calling_aet,
        "to": stored.origin.called_aet,
        "received_at": stored.received_at.isoformat(),
        "rules": [_as_json(one) for one in verdicts(rules, facts)],
        "destinations": await _destinations(app, facts, taking(rules, facts)),
    }


def _as_json(verdict: Verdict) -> dict[str, Any]:
    rule = verdict.rule
    told = {"rule": rule.name, "number": rule.number, "version": rule.version, "state": verdict.state}
    because = {"because": verdict.because} if verdict.because else {}
    return {**told, **because, "conditions": [asdict(check) for check in verdict.checks]}


async def _destinations(app: App, facts: Facts, taken: Sequence[Rule]) -> list[dict[str, Any]]:
    """Where it would go by the first rule that names the place, when, and what may keep it from being sent there."""
    now = app.jobs.clock.now()
    told: dict[str, dict[str, Any]] = {}
    for rule in taken:
        for name in rule.destinations:
            if name not in told:
                route = rule.route(name, now)
                told[name] = {
                    "destination": name,
                    "rule": rule.name,
                    "level": rule.level,
                    "delay_s": round(route.delay_s),
                    "options": dict(route.options),
                    "kept_by": await _kept_by(app, facts, name),
                }
    return list(told.values())


async def _kept_by(app: App, facts: Facts, destination: str) -> str:
    if destination == facts.stored.origin.calling_aet:
        return N_("it came from there")
    found = await had(app.db, destination, [facts.stored.sop_instance_uid])
    if facts.stored.sop_instance_uid not in found:
        return ""
    circles = found[facts.stored.sop_instance_uid]
    return N_("it comes round again and again") if circles else N_("it was sent there before")


def facts_of_file(app: App, path: Path, *, calling: str, called: str, at: datetime) -> Facts:
    """Give a DICOM file as if it had come from an AE at a moment; blocks. Raises HeaderDamaged."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise HeaderDamaged(f"{path} cannot be read: {error.strerror}") from error
    meta = read_file_meta(content)
    header = scan(content, meta.transfer_syntax_uid, dataset_offset=meta.dataset_offset)
    stored = StoredObject(
        study_uid=header.study_instance_uid,
        series_uid=header.series_instance_uid,
        sop_instance_uid=header.sop_instance_uid,
        sop_class_uid=header.sop_class_uid,
        transfer_syntax_uid=meta.transfer_syntax_uid,
        modality=header.value("00080060"),
        size_bytes=len(content),
        received_at=at,
        origin=Origin("dimse", calling_aet=calling, called_aet=called),
    )
    return Facts(stored, orjson.loads(header.json), app.settings)


def facts_of_attributes(app: App, given: Mapping[str, str], *, calling: str, called: str, at: datetime) -> Facts:
    """Give an object that has these attributes, by keyword, as if it had come from an AE at a moment; raises RuleInvalid."""
    attributes: dict[str, Any] = {}
    for keyword, text in given.items():
        try:
            tag, vr = attribute_named(keyword)
        except ValueError as error:
            raise RuleInvalid(f"attributes: {error}") from error
        values = text.split("\\")
        attributes[tag] = {"vr": vr, "Value": [{"Alphabetic": one} for one in values] if vr == "PN" else values}

    def value(tag: str) -> str:
        return str(attributes[tag]["Value"][0]) if tag in attributes else ""

    uids = (value("0020000D"), value("0020000E"), value("00080018"), value("00080016"), value("00020010"))
    stored = StoredObject(*uids, value("00080060"), 0, at, Origin("dimse", calling_aet=calling, called_aet=called))
    return Facts(stored, attributes, app.settings)


def in_words(told: Mapping[str, Any]) -> list[str]:
    """Give the explanation as lines for a person."""
    lines = [f"object {told['sop_instance_uid']} from {told['from'] or '-'} at {told['received_at']}"]
    for rule in told["rules"]:
        because = f" ({rule['because']})" if "because" in rule else ""
        lines.append(f"rule {rule['number']} {rule['rule']}: {rule['state']}{because}")
        for check in rule["conditions"]:
            sign = "holds" if check["holds"] else "FAILS"
            lines.append(f"    {sign}  {check['what']}: wants {check['wanted']}, has {check['found'] or 'nothing'}")
    lines += [_destination_in_words(one) for one in told["destinations"]]
    return lines if told["destinations"] else [*lines, "it goes nowhere"]


def _destination_in_words(one: Mapping[str, Any]) -> str:
    if one["kept_by"]:
        return f"not to {one['destination']}: {one['kept_by']}"
    when = f" in {one['delay_s']} s" if one["delay_s"] else ""
    whole = "" if one["level"] == "object" else f", the whole {one['level']}, once it is quiet"
    return f"to {one['destination']}{when} by {one['rule']}{whole}"
