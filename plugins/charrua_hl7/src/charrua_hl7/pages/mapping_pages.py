"""The pages of the mappings: their list, and the editor of one with a bench beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import select

from charrua_core import audit
from charrua_core.web import PUBLIC, Navigation, Page, Request, Response, Shown, WebRoute
from charrua_hl7 import tables
from charrua_hl7.mapping import store
from charrua_hl7.mapping.defaults import DEFAULTS
from charrua_hl7.mapping.transforms import TRANSFORMS
from charrua_hl7.marking import N_

_STATIC = Path(__file__).parents[1] / "static"
MESSAGES_SHOWN, VERSIONS_SHOWN = 20, 20
TYPES: Mapping[str, str] = {
    "ORM": N_("General orders (ORM^O01)"),
    "OMI": N_("Imaging orders (OMI^O23)"),
    "OMG": N_("General clinical orders (OMG^O19)"),
    "SIU": N_("Appointments (SIU)"),
    "ADT": N_("Patients and visits (ADT)"),
    "ORU": N_("Results (ORU^R01)"),
}
_WORDS: Mapping[str, str] = {
    "gave": N_("{values} from {from}"),
    "defaulted": N_("{values} as default"),
    "deleted": N_("deleted, by {from}"),
    "passed": N_("what stands in {from} is no such value"),
    "step": N_("Step {number}"),
    "does": N_("order control {control}"),
    "patient": N_("The patient"),
    "refused": N_("This message would be refused: {sentence}."),
    "other": N_("This message is of type {type}; the lines are of another."),
    "structure": N_("What the structure of version {version} says"),
    "clean": N_("Nothing is missing or too much."),
    "attribute": N_("Attribute"),
    "value": N_("Value"),
    "line": N_("Line {number}"),
    "nothing": N_("Paste a message to see what it becomes."),
    "mend": N_("Mend the lines that are marked; then it can be tried and saved."),
    "saved": N_("Saved. It holds from now on."),
    "differ": N_("{differ} of the last {looked} messages of this type would be mapped otherwise:"),
    "same": N_("The last {looked} messages of this type would be mapped as before."),
    "message": N_("Message {message}: {attributes}"),
    "wouldfail": N_("Message {message} would be refused: {sentence}"),
    "loaded": N_("The lines of version {version} are here. Save them to put them in force."),
    "unreachable": N_("The archive does not answer. Nothing was saved; try again."),
    "changed": N_("There are changes that are not saved."),
}
SAMPLE = """MSH|^~\\&|RIS|HOSPITAL|CHARRUA|RADIOLOGY|20260309101500||{type}|1|P|2.5.1
PID|1||4711^^^HOSPITAL^MR||Silva^Ana^María||19800115|F
PV1|1|O|RAD^1^A||||1234^Pérez^Juan^^^Dr.|2345^Rojas^Elena
"""
_ORDER = """ORC|NW|P-1001^RIS|F-1001^CHARRUA||SC||||20260309101200
TQ1|1||||||20260310143000||S
OBR|1|P-1001^RIS|F-1001^CHARRUA|CTCHEST^CT chest^L||||||||||||2345^Rojas^Elena||A1001|RP1001|S1||||CT
"""
SAMPLES: Mapping[str, str] = {
    "ORM": SAMPLE.format(type="ORM^O01^ORM_O01") + _ORDER + "ZDS|1.2.826.0.1.3680043.8.498.1^^Application^DICOM\n",
    "OMG": SAMPLE.format(type="OMG^O19^OMG_O19") + _ORDER + "ZDS|1.2.826.0.1.3680043.8.498.1^^Application^DICOM\n",
    "OMI": SAMPLE.format(type="OMI^O23^OMI_O23")
    + _ORDER
    + "IPC|A1001|RP1001|1.2.826.0.1.3680043.8.498.1|S1|CT|CTCHEST^CT chest^L|CT room 1|Basement|CT1\n",
    "SIU": SAMPLE.format(type="SIU^S12^SIU_S12").replace(
        "PID|", "SCH|B-1|B-2|||||CT chest^CT chest||30|min|^^30^20260310143000\nPID|"
    )
    + "RGS|1\nAIS|1|A|CTCHEST^CT chest^L|20260310143000|30|min\nAIL|1|A|CT1^^^HOSPITAL\n",
    "ADT": SAMPLE.format(type="ADT^A08^ADT_A01").replace("PID|", "EVN|A08|20260309101500\nPID|"),
    "ORU": SAMPLE.format(type="ORU^R01^ORU_R01")
    + "OBR|1|P-1001|F-1001|CTCHEST^CT chest^L\nOBX|1|TX|||No finding.||||||F\n",
}
"""Messages to begin with."""


async def show_mappings(request: Request) -> Shown:
    """Show the types of messages with the mapping in force."""
    return {"mappings": (await store.in_force(request.app)).values(), "types": TYPES}


async def show_mapping(request: Request) -> Shown:
    """Show the lines of a type, its versions, and a bench."""
    kept = await store.find(request.app, request.parameters["type"])
    code = kept.message_type
    return {
        "kept": kept,
        "code": code,
        "types": TYPES,
        "transforms": TRANSFORMS,
        "keywords": sorted({line.to for lines in DEFAULTS.values() for line in lines}),
        "versions": (await store.versions(request.app, code))[:VERSIONS_SHOWN],
        "messages": await _messages(request, code),
        "sample": SAMPLES[code],
        "said": _WORDS,
    }


async def _messages(request: Request, code: str) -> Sequence[Any]:
    """The last messages of this type; none for those whom row filters keep from some studies."""
    if request.identity.row_filters:
        return []
    kept = tables.message.c
    wanted = select(kept.id, kept.at, kept.message_type, kept.sending_application, kept.control_id)
    of_code = wanted.where(kept.direction == "in", kept.message_type.like(f"{code}%"))
    async with request.app.db.reading() as connection:
        found = (await connection.execute(of_code.order_by(kept.id.desc()).limit(MESSAGES_SHOWN))).all()
    request.app.audit.later(audit.Event.QUERY, "E", request.identity.name, request.origin, hl7_messages=len(found))
    return found


async def mapping_script(_request: Request) -> Response:
    """Give the script of the editor."""
    return Response(200, (_STATIC / "mapping.js").read_bytes(), "text/javascript", [("cache-control", "no-cache")])


MAPPING_PAGES = (
    Page(
        *("/setup/hl7/mapping", "charrua_hl7/mappings.html", show_mappings, "configure", "HL7 mapping"),
        navigation=Navigation("setup", "HL7 mapping", icon="columns", order=46),
    ),
    Page(
        *("/setup/hl7/mapping/{type}", "charrua_hl7/mapping.html", show_mapping, "configure", "HL7 mapping"),
        scripts=("pages/main.ts", "/hl7/static/mapping.js"),
    ),
)
MAPPING_SCRIPTS = (
    WebRoute(
        *("GET", "/hl7/static/mapping.js", mapping_script, PUBLIC, "The script of the mapping editor"),
        tag="HL7",
        produces=("text/javascript",),
        hidden=True,
    ),
)
