"""The page of the study list and the page of a study."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from charrua_core import preferences
from charrua_core.archive.search import Query, about
from charrua_core.errors import QueryInvalid, TooManyResults
from charrua_core.types import Level
from charrua_core.web import Navigation, Page, Request, Shown
from charrua_web.rendering.words import N_
from charrua_web.rendering.words import gettext as _
from charrua_web.studies.asked import CONTROLS, STATUSES, is_open, read_asked
from charrua_web.studies.details import details_for
from charrua_web.studies.listing import columns_of, rows_for
from charrua_web.studies.rows import BY_NAME, COLUMNS

COLUMNS_KEPT, SEARCHES_KEPT = "studies.columns", "studies.searches"
"""The names of what a person's list looks like, and of the searches that were saved."""
FIELDS = (
    ("PatientName", N_("Patient")),
    ("PatientID", N_("ID")),
    ("AccessionNumber", N_("Accession")),
    ("StudyDescription", N_("Description")),
    ("ReferringPhysicianName", N_("Referring")),
)
"""What is always asked for in words, by keyword."""
MODALITIES = (
    *("BMD", "CR", "CT", "DX", "ECG", "ES", "IO", "MG", "MR", "NM", "OCT", "OPT", "OT", "PT", "PX", "RF"),
    *("RTDOSE", "RTIMAGE", "RTPLAN", "RTSTRUCT", "SC", "SM", "SR", "US", "XA", "XC"),
)
MORE_FIELDS = (
    ("StudyID", N_("Study ID")),
    ("PatientBirthDate", N_("Born")),
    ("PatientSex", N_("Sex")),
    ("IssuerOfPatientID", N_("Issuer of ID")),
    ("InstitutionName", N_("Institution")),
    ("SeriesDescription", N_("Series description")),
    ("BodyPartExamined", N_("Body part")),
    ("ProtocolName", N_("Protocol")),
    ("StationName", N_("Station")),
    ("Manufacturer", N_("Manufacturer")),
    ("PerformingPhysicianName", N_("Performing physician")),
    ("OperatorsName", N_("Operator")),
    ("NameOfPhysiciansReadingStudy", N_("Reading physician")),
    ("AdmittingDiagnosesDescription", N_("Diagnosis")),
    ("PatientComments", N_("Comments on the patient")),
    ("StudyInstanceUID", N_("Study Instance UID")),
    ("SeriesInstanceUID", N_("Series Instance UID")),
)
"""What may be asked for as well; any other keyword of patient, study and series may be typed."""


async def show_list(request: Request) -> Shown:
    """Show the first page of what the address asks for: there at once, and without scripts."""
    kept = await preferences.preferences_of(request.app.db, request.identity.name)
    chosen = kept.get(COLUMNS_KEPT) or {}
    query, wrong = _asked(request, str(chosen.get("order") or ""))
    rows, more = [], False
    try:
        shown = await rows_for(request, query)
        rows, more = shown.rows, shown.more
    except (QueryInvalid, TooManyResults) as error:
        wrong = str(error)
    columns = [BY_NAME[name] for name in columns_of(chosen.get("columns") or [])]
    order = ("" if query.ascending else "-") + query.order
    return {
        "rows": rows,
        "more": more,
        "wrong": wrong,
        "columns": columns,
        "fields": FIELDS,
        "more_fields": _more_fields(request),
        "modalities": MODALITIES,
        "statuses": STATUSES,
        "asked": {name: value for name, value in request.query if value},
        "order": order,
        "is_open": is_open(query),
        "none_yet": not rows and is_open(query) and not wrong and (await about(request.app, request.identity))[0] == 0,
        "server": _server(request),
        "list": {**_list(request, columns, kept), "rows": rows, "more": more, "order": order},
    }


def _asked(request: Request, order: str) -> tuple[Query, str]:
    """Give what is asked for, and what is wrong with it: the list then shows nothing."""
    try:
        query = read_asked(request.query, date.today(), strict=False)
    except QueryInvalid as error:
        return replace(Query(Level.STUDY, order="date", facts=True, limit=1), statuses=frozenset({"?"})), str(error)
    if "order" not in request.query and order.removeprefix("-") in {column.order for column in COLUMNS} - {""}:
        query = replace(query, order=order.removeprefix("-"), ascending=not order.startswith("-"))
    return query, ""


def _more_fields(request: Request) -> list[tuple[str, str]]:
    """Give the further fields that the address fills."""
    always = {name for name, _ in FIELDS} | {"ModalitiesInStudy"} | CONTROLS
    named = dict(MORE_FIELDS)
    return [(name, named.get(name, name)) for name, value in request.query if value and name not in always][:20]


def _list(request: Request, columns: list[Any], kept: dict[str, Any]) -> dict[str, Any]:
    """Give what the scripts of the list need beside its rows."""
    every = [{"name": one.name, "label": _(one.label), "order": one.order, "number": one.number} for one in COLUMNS]
    searches = kept.get(SEARCHES_KEPT)
    return {
        "columns": every,
        "chosen": [one.name for one in columns],
        "usual": [one.name for one in COLUMNS if one.shown],
        "searches": searches if isinstance(searches, list) else [],
        "fields": [{"name": name, "label": _(label)} for name, label in MORE_FIELDS],
        **_may(request),
    }


def _may(request: Request) -> dict[str, Any]:
    permissions = ("view", "retrieve", "send", "edit", "delete", "share", "store", "report")
    return {"may": [one for one in permissions if request.identity.may(one)]}


def _server(request: Request) -> dict[str, Any]:
    """Give what a modality is told to send the first study here."""
    settings = request.app.settings
    host = request.base.partition("://")[2].partition("/")[0].rsplit(":", 1)[0]
    return {"aet": settings["dicom_aet"], "host": host, "port": settings["dicom_port"]}


async def show_study(request: Request) -> Shown:
    """Show a study: on a phone, and where a link leads to it. StudyNotFound where the caller may not see it."""
    told = await details_for(request, request.parameters["study"])
    return {"told": told, "study": {**told, **_may(request)}}


PAGES = (
    Page(
        "/studies",
        "charrua_web/studies.html",
        show_list,
        "query",
        "Studies",
        Navigation("main", "Studies", icon="list", order=10),
    ),
    Page("/studies/{study}", "charrua_web/study.html", show_study, "query", "Study"),
)
