"""The routes of QIDO-RS (PS3.18 10.6.1.1)."""

from __future__ import annotations

from charrua_core.web import Parameter, WebRoute
from charrua_core.web.datasets import CSV, DATASETS
from charrua_web.dicomweb import qido

_NUMBER = {"type": "integer", "minimum": 0, "maximum": 999_999_999}
_FLAG = {"type": "string", "enum": ["true", "false"]}
_PARAMETERS = (
    Parameter("includefield", "Attributes to tell as well, by keyword, tag or dotted path; all.", repeated=True),
    Parameter("limit", "How many matches are told at most.", _NUMBER),
    Parameter("offset", "How many matches are left out.", _NUMBER),
    Parameter("after", "UID of the last match that the client has: the page begins after it."),
    Parameter("orderby", "Attributes to sort by, - before one for the other way round.", repeated=True),
    Parameter("fuzzymatching", "Names match by the beginnings of their words.", _FLAG),
    Parameter("emptyvaluematching", 'Whether "" matches what has no value.', _FLAG),
    Parameter("multiplevaluematching", "Whether backslashes part several values of which one has to match.", _FLAG),
)
_KEYS = {
    "studies": ("PatientID", "PatientName", "StudyModality", "StudyDescription", "StudyDate", "AccessionNumber"),
    "series": ("Modality", "SeriesInstanceUID", "SeriesNumber"),
    "instances": ("SOPClassUID", "SOPInstanceUID", "InstanceNumber"),
}
_SORT_ORDER = Parameter("sortorder", "0 to 5, as the manual has it.", {"type": "string", "enum": list("012345")})
_SEARCHES = {
    "studies": qido.search_studies,
    "series": qido.search_series,
    "instances": qido.search_instances,
}
_STATUSES = {
    200: "What matches, which may be nothing",
    304: "The page is as the client has it",
    400: "The query says something that it cannot",
    406: "None of the media types that are accepted can be given",
    413: "Too much would have to be looked through, or sorted",
}


def _route(path: str) -> WebRoute:
    resource = path.rpartition("/")[2]
    keys = [
        Parameter(name, "An attribute that has to match, as all others by keyword or tag.") for name in _KEYS[resource]
    ]
    order = [_SORT_ORDER] if resource == "instances" else []
    within = " of a series" if "{series}" in path else " of a study" if "{study}" in path else ""
    return WebRoute(
        "GET",
        path,
        _SEARCHES[resource],
        "view" if path.startswith("/studies/") else "query",  # who may look at a study may see what is in it
        f"Search for {resource}{within}",
        tag="QIDO-RS",
        bases=qido.BASES,
        query=(*keys, *_PARAMETERS, *order),
        produces=(*DATASETS, CSV),
        statuses=_STATUSES,
    )


ROUTES = tuple(
    _route(path)
    for path in (
        "/studies",
        "/studies/{study}/series",
        "/studies/{study}/instances",
        "/studies/{study}/series/{series}/instances",
        "/series",
        "/instances",
    )
)
