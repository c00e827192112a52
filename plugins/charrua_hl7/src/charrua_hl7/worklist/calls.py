"""The calls on the worklist: the manual's `POST /worklist`, and those of the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from charrua_core.archive.index.levels import STUDY_INSTANCE_UID, tag_of, text_of
from charrua_core.archive.search import OneOf, Query, search
from charrua_core.types import DicomJson, Level
from charrua_core.web import (
    Fields,
    HttpError,
    Parameter,
    Request,
    Response,
    WebRoute,
    fields_of,
    json_response,
    number_in_path,
)
from charrua_hl7.worklist import by_hand, trail
from charrua_hl7.worklist.answers import told
from charrua_hl7.worklist.assign_calls import ASSIGN_ROUTES
from charrua_hl7.worklist.changing import add, bring, change
from charrua_hl7.worklist.entries import Status, value
from charrua_hl7.worklist.listing import DAYS, MOST, asked_of, listed
from charrua_hl7.worklist.seeing import seen
from charrua_hl7.worklist.trail import By

JSON = ("application/json",)
LONGEST_REASON = 200
_PATIENT = ("PatientName", "IssuerOfPatientID", "PatientBirthDate", "PatientSex")


async def add_entry(request: Request) -> Response:
    """Add an entry as the manual's App. 5.7 has it."""
    fields = await fields_of(request)
    given = by_hand.read(fields, by_hand.MANUAL)
    status = status_in(fields)
    fields.end()
    _require(fields, given)
    source = "api" if "authorization" in request.headers else "page"
    added = await add(request.app, By.of(request), given, status, source)
    return json_response(
        {
            "entry": added.id,
            "study": value(added.attributes, STUDY_INSTANCE_UID),
            "accession": value(added.attributes, tag_of("AccessionNumber")),
            "status": str(added.status),
        }
    )


def _require(fields: Fields, given: DicomJson) -> None:
    names = {keyword: name for name, keyword in by_hand.MANUAL.items()}
    for keyword in by_hand.NEEDED:
        if not text_of(given.get(tag_of(keyword))).strip("^= "):
            raise fields.wrong(names[keyword], "it is missing")


def status_in(fields: Fields) -> Status | None:
    """Read a Scheduled Procedure Step Status; None where none is given."""
    given = fields.text("status", 16).upper()
    if given and given not in Status.__members__:
        raise fields.wrong("status", f"one of {', '.join(Status)} is expected")
    return Status(given) if given else None


async def list_entries(request: Request) -> Response:
    """Tell a page of entries, by their scheduled start."""
    today = request.app.jobs.clock.now().astimezone().date()
    asked = asked_of(request.query, today)
    async with request.app.db.reading() as connection:
        found = await listed(connection, request.identity, asked)
    trail.searched(request, len(found.entries))
    answer = {"entries": [told(one) for one in found.entries], "next": found.next}
    return replace(json_response(answer), headers=[("Cache-Control", "no-store")])


async def show_entry(request: Request) -> Response:
    """Tell an entry: what can be changed by keyword, and the whole of it as DICOM JSON."""
    async with request.app.db.reading() as connection:
        found = await seen(connection, request.identity, number_in_path(request, "entry"))
    trail.looked_at(request, found)
    return replace(json_response(told(found, dataset=found.attributes)), headers=[("Cache-Control", "no-store")])


async def change_entry(request: Request) -> Response:
    """Give an entry other values."""
    number = number_in_path(request, "entry")
    fields = await fields_of(request)
    version, texts = fields.version(), fields.table("attributes")
    given = by_hand.read(texts, {keyword: keyword for keyword in by_hand.EDITABLE if keyword in texts})
    texts.end()
    fields.end()
    if not version:
        raise fields.wrong("version", "the version that you looked at is missing")
    for keyword in by_hand.NEEDED:
        if tag_of(keyword) in given and not text_of(given[tag_of(keyword)]).strip("^= "):
            raise texts.wrong(keyword, "it can be changed, not emptied")
    return json_response(told(await change(request.app, By.of(request), number, version, given)))


async def bring_to_status(request: Request) -> Response:
    """Discontinue an entry, complete it, or have it begin again."""
    number = number_in_path(request, "entry")
    fields = await fields_of(request)
    status, reason, version = status_in(fields), fields.text("reason", LONGEST_REASON), fields.version()
    fields.end()
    if status is None:
        raise fields.wrong("status", "it is missing")
    changed = await bring(request.app, By.of(request), number, status, reason, version)
    return json_response(told(changed))


async def look_up_patient(request: Request) -> Response:
    """Tell who a patient ID is, by the newest study of it that the one who asks may see."""
    given = request.query.first("id").strip()
    if not given or len(given) > 64:
        raise HttpError(400, "id: a patient ID of 64 characters at most is expected")
    wanted = frozenset(tag_of(keyword) for keyword in _PATIENT)
    query = Query(Level.STUDY, keys={tag_of("PatientID"): OneOf("LO", (given,))}, return_keys=wanted, limit=1)
    found: dict[str, Any] = {}
    async for one in search(request.app, query, request.identity):
        found = {keyword: text_of(one.attributes.get(tag_of(keyword))) for keyword in _PATIENT}
    trail.searched(request, len(found and [found]), patient=True)
    return replace(json_response({"known": bool(found), **found}), headers=[("Cache-Control", "no-store")])


_NONE = {404: "There is no such entry, or none that the caller may see"}
_BAD = {400: "The field that `detail` names will not do"}
_CONFLICT = {409: "Somebody has changed the entry since, or it does not fit its state"}
_SEARCH = (
    Parameter("search", "Words, each in any of: name, ID, accession number, description, physician, station, modality"),
    Parameter("status", "SCHEDULED (with ARRIVED, READY and STARTED), COMPLETED, DISCONTINUED, all"),
    Parameter("date", f"{', '.join(DAYS)}, or all"),
    Parameter("from", "The first day of the scheduled start, as 2026-01-31"),
    Parameter("to", "The last day of the scheduled start"),
    Parameter("modality", "Those of this modality"),
    Parameter("station", "Those of this Scheduled Station AE Title"),
    Parameter("patient_id", "Those of this patient"),
    Parameter("accession_number", "That of this accession number"),
    Parameter("after", "What `next` of the page before says"),
    Parameter("limit", "How many, 100 where nothing is said", {"type": "integer", "minimum": 1, "maximum": MOST}),
)

WORKLIST_ROUTES: Sequence[WebRoute] = (
    WebRoute(
        *("POST", "/worklist", add_entry, "worklist", "Add an entry to the worklist (manual, appendix 5.7)"),
        tag="Manual",
        consumes=JSON,
        statuses={
            200: "It is in the worklist: `entry` is its number, `study` its Study Instance UID",
            **_BAD,
            403: "The caller would not see it",
            409: "The accession number is another patient's, or its order is over or has several steps",
        },
        description="`id` accession number, `descr` requested procedure description, `date` and `starttime` of the scheduled "
        "step as YYYYMMDD or YYYY-MM-DD and HHMM, HHMMSS or HH:MM, `patid` and `patname`, which are needed, `patbd`, `patsex`, "
        "`origin` current patient location, `modality`, `aet` scheduled station, `referring` physician, `clinicaldata` reason "
        "for the procedure, `status`. The accession number of an entry that is there already, of the same patient, changes "
        "that entry.",
    ),
    WebRoute(
        *("GET", "/worklist/entries", list_entries, "worklist", "Search the worklist"),
        tag="Worklist",
        query=_SEARCH,
        statuses={200: "The entries by their scheduled start, and where the `next` page begins", **_BAD},
    ),
    WebRoute(
        *("GET", "/worklist/entries/{entry}", show_entry, "worklist", "Tell an entry of the worklist"),
        tag="Worklist",
        statuses={200: "The entry", **_NONE},
    ),
    WebRoute(
        *("PUT", "/worklist/entries/{entry}", change_entry, "worklist", "Change an entry of the worklist"),
        tag="Worklist",
        consumes=JSON,
        statuses={200: "The entry as it is now", **_BAD, **_NONE, **_CONFLICT},
        description="`attributes` has texts by keyword, those that are to be changed; an empty one takes the value away. "
        "`version` is that of the entry that you looked at.",
    ),
    WebRoute(
        *("POST", "/worklist/entries/{entry}/status", bring_to_status, "worklist", "Bring an entry to a status"),
        tag="Worklist",
        consumes=JSON,
        statuses={200: "The entry as it is now", **_BAD, **_NONE, **_CONFLICT},
        description="`status` is SCHEDULED, ARRIVED, READY, STARTED, COMPLETED or DISCONTINUED, `reason` is kept with it; "
        "with `version` it is done only where nobody has changed the entry since. An entry that begins again times out anew.",
    ),
    WebRoute(
        *("GET", "/worklist/patient", look_up_patient, "worklist", "Tell who a patient ID is, by the studies"),
        tag="Worklist",
        query=(Parameter("id", "The patient ID"),),
        statuses={200: "Whether it is `known`, and the patient", **_BAD},
    ),
    *ASSIGN_ROUTES,
)
