"""The routes of the study list."""

from __future__ import annotations

from charrua_core.web import Parameter, WebRoute, WebSocketRoute
from charrua_web.studies import details, exports, history, listing, live, preferences
from charrua_web.studies.asked import MOST_SHOWN, STATUSES

_TAG = "Study list"
_KEYS = (
    Parameter(
        "PatientName", "Words of the name, in any order; as all attributes of patient, study and series, by keyword."
    ),
    Parameter("PatientID", "A part of it."),
    Parameter("AccessionNumber", "A part of it."),
    Parameter("StudyDescription", "Words of it."),
    Parameter("ModalitiesInStudy", "CT, or several with commas."),
    Parameter("Status", "Of the report.", {"type": "string", "enum": list(STATUSES)}, repeated=True),
    Parameter("date", "today, yesterday, week, or range for `from` and `to`, in the archive's time zone."),
    Parameter("from", "The first day, as 2026-11-23.", {"type": "string", "format": "date"}),
    Parameter("to", "The last day.", {"type": "string", "format": "date"}),
)
_ORDER = Parameter("order", "What rows are sorted by, with - for the other way round: patient, -date …")
_PAGE = (
    _ORDER,
    Parameter("after", "UID of the study after which the page begins."),
    Parameter("limit", "Rows of the page.", {"type": "integer", "minimum": 1, "maximum": MOST_SHOWN}),
)
_COLUMNS = Parameter("columns", "Names of columns with commas.")
_STATUSES = {
    200: "What matches",
    400: "Something of it cannot be asked",
    413: "Too much would have to be looked through",
}
_HIDDEN = {404: "There is none, or none that the caller may see"}
STUDY = "/studies/{study}"

ROUTES = (
    WebRoute(
        "GET",
        "/studies/rows",
        listing.rows,
        "query",
        "Search for rows of the study list",
        _TAG,
        query=(*_KEYS, *_PAGE),
        statuses=_STATUSES,
    ),
    WebRoute(
        "GET",
        "/studies/count",
        listing.number,
        "query",
        "Count the studies that match",
        _TAG,
        query=_KEYS,
        statuses=_STATUSES,
    ),
    WebRoute(
        "GET",
        "/studies/list.csv",
        exports.table,
        "query",
        "Export the study list as a table",
        _TAG,
        query=(*_KEYS, _ORDER, _COLUMNS),
        produces=("text/csv",),
        statuses=_STATUSES,
    ),
    WebRoute(
        "GET",
        "/studies/list.pdf",
        exports.document,
        "query",
        "Export the study list as a document",
        _TAG,
        query=(*_KEYS, _ORDER, _COLUMNS),
        produces=("application/pdf",),
        statuses=_STATUSES,
    ),
    WebRoute(
        "GET",
        f"{STUDY}/details",
        details.details,
        "query",
        "Tell of a study, its series, documents and priors",
        _TAG,
        statuses={200: "What there is", **_HIDDEN},
    ),
    WebRoute(
        "GET",
        f"{STUDY}/series/{{series}}/images",
        details.images,
        "query",
        "List the images of a series",
        _TAG,
        query=(Parameter("after", "UID of the image after which the page begins."),),
        statuses={200: "What there is", **_HIDDEN},
    ),
    WebRoute(
        "GET",
        f"{STUDY}/ledger",
        history.study_ledger,
        "query",
        "Tell what became of a study",
        _TAG,
        statuses={200: "What there is", **_HIDDEN},
    ),
    WebSocketRoute("/studies/changes", live.tell_changes, "query", "Hear of new and changed studies", _TAG),
    *preferences.ROUTES,
)
