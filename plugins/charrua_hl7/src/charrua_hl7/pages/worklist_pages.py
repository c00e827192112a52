"""The pages of the worklist: its entries, one of them, and to which one a study is assigned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from pydicom.datadict import dictionary_description, keyword_for_tag
from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from charrua_core.archive.index.levels import tag_of, text_of
from charrua_core.archive.search import OneOf, search
from charrua_core.archive.search import Query as Search
from charrua_core.archive.search.columns import STUDY_UID
from charrua_core.errors import StudyNotFound
from charrua_core.types import DicomJson, Level, is_valid_uid
from charrua_core.web import PUBLIC, HttpError, Navigation, Page, Request, Response, Shown, WebRoute, number_in_path
from charrua_hl7 import tables
from charrua_hl7.marking import N_
from charrua_hl7.performed import performed_of_entry
from charrua_hl7.performed.verdict import REASONS
from charrua_hl7.worklist import standing, trail
from charrua_hl7.worklist.answers import texts
from charrua_hl7.worklist.arrivals import ARRIVED, TIMED_OUT
from charrua_hl7.worklist.assign_calls import named
from charrua_hl7.worklist.assigning import ASSIGNED, changes, described, study_seen
from charrua_hl7.worklist.by_hand import EDITABLE
from charrua_hl7.worklist.candidates import candidates
from charrua_hl7.worklist.changing import BY_HAND
from charrua_hl7.worklist.entries import OPEN, Entry, value
from charrua_hl7.worklist.listing import asked_of, listed
from charrua_hl7.worklist.seeing import seen
from charrua_hl7.worklist.trail import By

_STATIC = Path(__file__).parents[1] / "static"
_ASKED = ("search", "date", "from", "to", "status", "modality", "station")
_MOST_MESSAGES = 20
STATUS_WORDS: Mapping[str, tuple[str, str]] = {
    "SCHEDULED": (N_("scheduled"), "info"),
    "ARRIVED": (N_("arrived"), "info"),
    "READY": (N_("ready"), "info"),
    "STARTED": (N_("started"), "busy"),
    "COMPLETED": (N_("completed"), "good"),
    "DISCONTINUED": (N_("discontinued"), "warn"),
}
"""Statuses as the page says them, with the look of their pill."""
OURS = (N_(ARRIVED), N_(TIMED_OUT), N_(ASSIGNED), N_(BY_HAND), *REASONS)
"""Reasons that the archive gives itself; what people have written is never translated."""
STATES: Mapping[str, str] = {
    "waiting": N_("is being given the order's identity"),
    "corrected": N_("was given the order's identity"),
    "alike": N_("says what the order says"),
    "left": N_("was left as it came"),
    "mismatch": N_("is another patient's"),
    "other": N_("is not this entry's"),
    "handed over": N_("was assigned to another entry"),
    "undone": N_("was taken back"),
}
LABELS: Mapping[str, str] = {
    "PatientName": N_("Patient name"),
    "PatientID": N_("Patient ID"),
    "IssuerOfPatientID": N_("Issuer of patient ID"),
    "PatientBirthDate": N_("Birth date"),
    "PatientSex": N_("Sex"),
    "CurrentPatientLocation": N_("Location"),
    "AccessionNumber": N_("Accession number"),
    "RequestedProcedureDescription": N_("Procedure"),
    "ReferringPhysicianName": N_("Referring physician"),
    "RequestingPhysician": N_("Requesting physician"),
    "ReasonForTheRequestedProcedure": N_("Reason for the procedure"),
    "RequestedProcedurePriority": N_("Priority"),
    "PatientWeight": N_("Weight (kg)"),
    "MedicalAlerts": N_("Medical alerts"),
    "Allergies": N_("Allergies"),
    "ScheduledProcedureStepStartDate": N_("Day"),
    "ScheduledProcedureStepStartTime": N_("Time"),
    "Modality": N_("Modality"),
    "ScheduledStationAETitle": N_("Station (AE title)"),
    "ScheduledStationName": N_("Station name"),
    "ScheduledPerformingPhysicianName": N_("Performing physician"),
    "ScheduledProcedureStepDescription": N_("Step"),
    "CommentsOnTheScheduledProcedureStep": N_("Comments"),
}
INPUTS: Mapping[str, str] = {
    "PatientBirthDate": "date",
    "ScheduledProcedureStepStartDate": "date",
    "ScheduledProcedureStepStartTime": "time",
}
"""The kind of input of those that are no plain text."""


async def show_worklist(request: Request) -> Shown:
    """Show a day's entries, today's where nothing else is asked for."""
    today = request.app.jobs.clock.now().astimezone().date()
    asked = asked_of(request.query, today, "today", "SCHEDULED")
    async with request.app.db.reading() as connection:
        found = await listed(connection, request.identity, asked)
    trail.searched(request, len(found.entries), page="worklist")
    given = {name: request.query.first(name)[:200] for name in _ASKED}
    given["status"] = given["status"] or "SCHEDULED"
    given["date"] = given["date"] or ("range" if given["from"] or given["to"] else "today")
    return {
        "rows": [_row(one, today) for one in found.entries],
        "next": found.next,
        "asked": given,
        "address": lambda **other: "?" + urlencode({name: to for name, to in {**given, **other}.items() if to}),
        "default_modality": request.app.settings["worklist_default_modality"],
        "today": today.isoformat(),
        "statuses": STATUS_WORDS,
        "ours": OURS,
        "can_assign": request.identity.may("edit"),
    }


def _row(one: Entry, today: date) -> dict[str, Any]:
    said = texts(one)
    day = said["ScheduledProcedureStepStartDate"]
    return {"entry": one, "said": said, "is_today": day == f"{today:%Y%m%d}", "step": value(one.step, _DESCRIBED)}


_DESCRIBED = tag_of("ScheduledProcedureStepDescription")


async def show_entry(request: Request) -> Shown:
    """Show one entry: what it says, what became of it, and what can be done with it."""
    async with request.app.db.reading() as connection:
        one = await seen(connection, request.identity, number_in_path(request, "entry"))
        studies = await standing.of_entry(connection, one.id)
        messages = await _messages(connection, one) if _sees_messages(request) else []
    steps = await performed_of_entry(request.app, request.identity, one.id)
    trail.looked_at(request, one)
    visible = await _visible(request, [study.study_uid for study in studies])
    return {
        "one": one,
        "said": texts(one),
        "labels": LABELS,
        "inputs": INPUTS,
        "editable": EDITABLE,
        "is_open": one.status in OPEN,
        "studies": [(study, study.study_uid in visible) for study in studies],
        "assigned": any(study.found_by == "assigned" and study.state != "undone" for study in studies),
        "messages": messages,
        "performed": steps,
        "every": _every(one.attributes),
        "statuses": STATUS_WORDS,
        "states": STATES,
        "ours": OURS,
        "typed": typed,
    }


def typed(name: str) -> str:
    """A name as people type it, where it has a family and a given name alone: `Silva, Ana`."""
    return name.replace("^", ", ") if name.count("^") == 1 and not {"=", ","} & set(name) else name


def _sees_messages(request: Request) -> bool:
    """Messages hold what no row filter can part."""
    return request.identity.may("configure") and not request.identity.row_filters


async def _messages(connection: AsyncConnection, one: Entry) -> Sequence[Any]:
    """The messages that speak of the entry's order, the latest first."""
    message, accession = tables.message.c, value(one.attributes, tag_of("AccessionNumber"))
    of_entry = select(tables.entry.c.message_id).where(tables.entry.c.id == one.id).scalar_subquery()
    ours = [message.id == of_entry] + [message.accession_number == accession] * bool(accession)
    columns = (message.id, message.message_type, message.at, message.direction, message.acknowledgement)
    statement = select(*columns).where(or_(*ours)).order_by(message.id.desc()).limit(_MOST_MESSAGES)
    return (await connection.execute(statement)).all()


async def _visible(request: Request, uids: Sequence[str]) -> set[str]:
    """Which of these studies are here, and seen by who asks."""
    found = set()
    for uid in uids:
        try:
            await study_seen(request.app, request.identity, uid)
            found.add(uid)
        except StudyNotFound:
            continue
    return found


def _every(attributes: DicomJson, depth: int = 0) -> list[tuple[int, str, str, str]]:
    """All attributes, those of items below their sequence: depth, tag, name, value."""
    lines: list[tuple[int, str, str, str]] = []
    for tag, element in sorted(attributes.items()):
        number = int(tag, 16)
        name = dictionary_description(number) if keyword_for_tag(number) else ""
        is_sequence = element.get("vr") == "SQ"
        told = "" if is_sequence else text_of(element)
        lines.append((depth, f"({tag[:4]},{tag[4:]})", name, told))
        for item in element.get("Value", ()) if is_sequence else ():
            lines += _every(item, depth + 1)
    return lines


async def show_assign(request: Request) -> Shown:
    """Show to which entries a study may belong; of the chosen one what would change."""
    uid, number = request.query.first("study"), request.query.first("entry")
    if not is_valid_uid(uid):
        raise HttpError(400, "study: the UID of a study is expected")
    study = await study_seen(request.app, request.identity, uid)
    searched = request.query.first("search").strip()[:200]
    async with request.app.db.reading() as connection:
        ranked = await candidates(connection, request.identity, study, searched)
    trail.searched(request, len(ranked), page="assign", study=uid)
    return {
        "uid": uid,
        "study": {keyword: text_of(study.get(tag_of(keyword))) for keyword in _OF_STUDY},
        "candidates": [(one, texts(one.entry)) for one in ranked],
        "search": searched,
        "chosen": await _chosen(request, uid, number),
        "series": await _series(request, uid),
        "statuses": STATUS_WORDS,
    }


_OF_STUDY = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyDate", "StudyTime"),
    *("StudyDescription", "ModalitiesInStudy"),
)


async def _chosen(request: Request, uid: str, number: str) -> dict[str, Any] | None:
    if not number.isascii() or not number.isdigit() or len(number) > 18:
        return None
    one, study, over = await changes(request.app, By.of(request), int(number), uid)
    told = [named(change) for change in described(over, study)]
    return {"entry": one, "said": texts(one), "changes": told}


async def _series(request: Request, uid: str) -> list[dict[str, str]]:
    wanted = ("SeriesInstanceUID", "SeriesNumber", "Modality", "SeriesDescription", "NumberOfSeriesRelatedInstances")
    query = Search(Level.SERIES, keys={STUDY_UID: OneOf("UI", (uid,))}, by_number=True, limit=200)
    return [
        {keyword: text_of(one.attributes.get(tag_of(keyword))) for keyword in wanted}
        async for one in search(request.app, query, request.identity)
    ]


async def worklist_script(_request: Request) -> Response:
    """Give the script of these pages."""
    return Response(200, (_STATIC / "worklist.js").read_bytes(), "text/javascript", [("cache-control", "no-cache")])


PAGE_SCRIPTS = ("pages/main.ts", "/worklist/static/worklist.js")
WORKLIST_PAGES = (
    Page(
        *("/worklist", "charrua_hl7/worklist.html", show_worklist, "worklist", "Worklist"),
        navigation=Navigation("main", "Worklist", icon="worklist", order=20),
        scripts=PAGE_SCRIPTS,
    ),
    Page(
        *("/worklist/{entry}", "charrua_hl7/worklist_entry.html", show_entry, "worklist", "Worklist entry"),
        scripts=PAGE_SCRIPTS,
    ),
    Page(
        *("/worklist/assign", "charrua_hl7/worklist_assign.html", show_assign, "edit", "Assign to the worklist"),
        scripts=PAGE_SCRIPTS,
    ),
)
WORKLIST_SCRIPTS = (
    WebRoute(
        *("GET", "/worklist/static/worklist.js", worklist_script, PUBLIC, "The script of the worklist"),
        tag="Worklist",
        produces=("text/javascript",),
        hidden=True,
    ),
)
