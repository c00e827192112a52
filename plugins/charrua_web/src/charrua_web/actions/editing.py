"""Editing what the archive says of a study, of its series and of its patient, with a look at what would change before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, cast

from charrua_core.archive.edit import edit
from charrua_core.archive.edit.record import Overlay
from charrua_core.archive.edit.series import edit_series
from charrua_core.archive.edit.status import STATUSES, permission_for_status, set_status
from charrua_core.archive.index.levels import TAGS, tag_of, text_of
from charrua_core.archive.search import OneOf, Query, count
from charrua_core.archive.search.columns import ISSUER
from charrua_core.errors import NotPermitted
from charrua_core.types import Level
from charrua_core.web import Fields, HttpError, Request, Response, WebRoute, fields_of, json_response
from charrua_web.actions import attributes as texts
from charrua_web.actions.answered import DONE, JSON, REFUSED, Step, done, in_turn
from charrua_web.actions.looked_up import Series, Study, sees_whole, study_of

_MOST_STUDIES = 10_000
_MODALITY = tag_of("Modality")
_OTHERS = frozenset(
    {
        *("SR", "PR", "KO", "DOC", "SEG", "REG", "RTSTRUCT", "RTPLAN", "RTDOSE", "RTRECORD", "AU", "ECG", "HD"),
        *("PLAN", "STAIN"),
    }
)
"""Modalities of what accompanies images, and stays what it is when those are called otherwise."""


@dataclass(slots=True)
class Edit:
    """What is asked for, against what is there: only what differs is left."""

    study: Study
    wanted: texts.Wanted
    status: str = ""
    whole_patient: bool = False
    series: Sequence[Series] = ()
    reason: str = ""

    def of_study(self) -> Overlay:
        """Give the new values of the study's row, without the patient's where they go to all studies of the patient."""
        left = self.wanted.left_of(self.study.attributes)
        return {tag: new for tag, new in left.items() if not self.whole_patient or tag not in TAGS[Level.PATIENT]}

    def of_patient(self) -> Overlay:
        """Give the new values that go to all studies of the patient."""
        left = self.wanted.left_of(self.study.attributes)
        return {tag: new for tag, new in left.items() if self.whole_patient and tag in TAGS[Level.PATIENT]}

    def of_series(self) -> list[tuple[Overlay, list[Series]]]:
        """Give the new values of series, each with the series that say something else now."""
        found = []
        for tag, new in self.wanted.series.items():
            concerned = [one for one in self.series if texts.differs(new, one.attributes.get(tag))]
            if tag == _MODALITY and len(self.series) > 1:
                concerned = [one for one in concerned if one.text("Modality") not in _OTHERS]
            if concerned:
                found.append(({tag: new}, concerned))
        return found

    def changes(self) -> list[dict[str, str]]:
        """Give what would be changed, before and after."""
        now = self.study.attributes
        told = [texts.change(tag, now.get(tag), new) for tag, new in {**self.of_patient(), **self.of_study()}.items()]
        for over, concerned in self.of_series():
            [(tag, new)] = over.items()
            before = texts.together(one.text(texts.described(tag)["keyword"]) for one in concerned)
            told.append({**texts.change(tag, None, new), "before": before, "series": str(len(concerned))})
        if self.status and self.status != self.study.status:
            named = {"keyword": "Status", "name": "Status", "vr": "CS", "level": "STUDY"}
            told.append({**named, "before": self.study.status, "after": self.status})
        return told

    def steps(self, request: Request) -> list[Step]:
        """Give the edits to make, one after another."""
        app, who = request.app, request.identity
        told: dict[str, Any] = {"reason": self.reason, "origin": request.origin}
        steps: list[Step] = []
        if over := self.of_patient():
            patient = self.study.text("PatientID"), self.study.text("IssuerOfPatientID")
            steps.append(partial(edit.edit_patient, app, who, patient, over, **told))
        if over := self.of_study():
            steps.append(partial(edit.edit, app, who, Level.STUDY, self.study.uid, over, **told))
        for over, concerned in self.of_series():
            uids = [one.uid for one in concerned]
            steps.append(partial(edit_series, app, who, self.study.uid, uids, over, **told))
        if self.status and self.status != self.study.status:
            steps.append(partial(set_status, app, who, self.study.uid, self.status, **told))
        return steps


async def show(request: Request) -> Response:
    """Tell what a dialog shows of a study."""
    study = await study_of(request, request.parameters["study"])
    whole = await sees_whole(request, study.uid)
    return json_response(
        {
            "study": study.uid,
            "status": study.status,
            "statuses": list(STATUSES),
            "whole": whole,
            "fields": _fields(study),
            "series_fields": [_series_field(study, tag) for tag in texts.editable(Level.SERIES)],
            "series": [_series(one) for one in study.series],
            "patient_studies": await _studies_of_patient(request, study),
        }
    )


def _fields(study: Study) -> list[dict[str, Any]]:
    main = texts.tags_of(texts.MAIN)
    others = [tag for tag in texts.editable(Level.STUDY) if tag not in main]
    told = []
    for tag in [*main, *others]:
        value = text_of(study.attributes.get(tag))
        told.append({**texts.described(tag), "value": value, "main": tag in main or bool(value)})
    return told


def _series_field(study: Study, tag: str) -> dict[str, Any]:
    described = texts.described(tag)
    value = texts.together(one.text(described["keyword"]) for one in study.series)
    return {**described, "value": value, "main": described["keyword"] in texts.MAIN_OF_SERIES}


def _series(one: Series) -> dict[str, Any]:
    return {
        "series": one.uid,
        "number": one.text("SeriesNumber"),
        "modality": one.text("Modality"),
        "description": one.text("SeriesDescription"),
        "institution": one.text("InstitutionName"),
        "images": int(one.text("NumberOfSeriesRelatedInstances") or 0),
    }


async def _studies_of_patient(request: Request, study: Study) -> int:
    """How many studies of the study's patient the caller sees."""
    if not study.text("PatientID"):
        return 1
    keys = {
        texts.PATIENT_ID: OneOf("LO", (study.text("PatientID"),)),
        ISSUER: OneOf("LO", (study.text("IssuerOfPatientID"),)),
    }
    keys = {tag: key for tag, key in keys.items() if key.values[0]}
    return await count(request.app, Query(Level.STUDY, keys=keys), request.identity, _MOST_STUDIES) or 1


async def preview(request: Request) -> Response:
    """Tell what an edit would change."""
    asked = await _asked(request)
    studies = await _studies_of_patient(request, asked.study) if asked.of_patient() else 1
    return json_response({"changes": asked.changes(), "studies": studies})


async def edit_study(request: Request) -> Response:
    """Edit a study."""
    asked = await _asked(request)
    return await carried_out(request, asked)


async def carried_out(request: Request, asked: Edit) -> Response:
    """Make the edits, and tell what was changed."""
    changes = asked.changes()
    records = await in_turn(request, asked.steps(request))
    return done(records, changes=changes)


async def _asked(request: Request) -> Edit:
    fields = await fields_of(request)
    wanted = texts.wanted_of(fields.table("attributes"))
    of, status = fields.uids("series"), status_in(fields, "status")
    whole_patient, reason = fields.truth("patient"), fields.text("reason", 500)
    fields.end()
    study = await study_of(request, request.parameters["study"])
    series = [one for one in study.series if not of or one.uid in of]
    if len(series) < len(of):
        raise HttpError(404, "series: the study has none of this UID, or none that you may see")
    texts.require_patient_id(wanted.study, study.attributes)
    if whole_patient and not study.text("PatientID"):
        raise fields.wrong("patient", "the study has no patient ID, by which the patient's other studies were known")
    await _require_whole(request, study, bool(of), wanted, status)
    return Edit(study, wanted, status, whole_patient, series, reason)


async def _require_whole(request: Request, study: Study, some: bool, wanted: texts.Wanted, status: str) -> None:
    """HttpError 403 before anything is looked at further, where a part of what is to be changed is hidden."""
    if (wanted.study or status or not some) and not await sees_whole(request, study.uid):
        raise HttpError(403, "the study has series that you may not see: edit those that you see one by one")


def status_in(fields: Fields, name: str) -> str:
    """Read a status as a word, or as its number of the manual; empty where it is not there."""
    given = fields.anything(name)
    if given is None or given == "":
        return ""
    number = int(given) if isinstance(given, str) and given in ("0", "1", "2", "3", "4") else given
    if isinstance(number, int) and not isinstance(number, bool) and 0 <= number < len(STATUSES):
        return STATUSES[number]
    if isinstance(given, str) and given.upper() in STATUSES:
        return given.upper()
    raise fields.wrong(name, f"0 to 4, or one of {', '.join(STATUSES)} is expected")


def one_modality(study: Study, given: str, name: str) -> bool:
    """Whether a modality is to be given to the images; not where the text says what the study's are now.

    HttpError 400 where images are of several: they are not made one.
    """
    now = sorted({one.text("Modality") for one in study.series})
    if not given or sorted(given.split("\\")) == now:
        return False
    images = [modality for modality in now if modality not in _OTHERS]
    if len(images) > 1:
        several = " and ".join(images)
        raise HttpError(400, f"{name}: the study has series of {several}; change the modality of each series")
    return True


async def put_status(request: Request) -> Response:
    """Set the status."""
    fields = await fields_of(request)
    status, reason = status_in(fields, "status"), fields.text("reason", 500)
    fields.end()
    if not status:
        raise fields.wrong("status", "it is missing")
    if not request.identity.may(permission_for_status(request.identity)):
        raise NotPermitted("it takes the permission to report or to edit")
    study = await study_of(request, request.parameters["study"], with_series=False)
    steps: list[Step] = []
    if study.status != status:
        told: dict[str, Any] = {"reason": reason, "origin": request.origin}
        steps.append(partial(set_status, request.app, request.identity, study.uid, status, **told))
    return done(await in_turn(request, steps), status=status)


def _route(method: str, path: str, handle: Any, permission: str, summary: str, **more: Any) -> WebRoute:
    kind = cast("Literal['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS']", method)
    consumes = () if method == "GET" else JSON
    return WebRoute(kind, path, handle, permission, summary, tag="Actions", consumes=consumes, **more)


_BODY = (
    "The body has `attributes`, texts by keyword of patient, study and series; those of series go to all of the study, or to "
    "those that `series` names. `status` is 0 to 4 or the word, `patient` true gives what is the patient's to all studies of "
    "the patient, `reason` is kept with the edit."
)
ROUTES = (
    _route(
        "GET",
        "/actions/studies/{study}",
        show,
        "query",
        "Tell what can be edited of a study, and what it says",
        statuses={200: "The study", 404: REFUSED[404]},
    ),
    _route(
        "POST",
        "/actions/studies/{study}/edit/preview",
        preview,
        "edit",
        "Tell what an edit would change",
        statuses={200: "Each attribute before and after", **REFUSED},
        description=_BODY,
    ),
    _route(
        "POST",
        "/actions/studies/{study}/edit",
        edit_study,
        "edit",
        "Edit a study, its series, its patient",
        statuses=DONE,
        description=_BODY,
    ),
    _route(
        "PUT",
        "/actions/studies/{study}/status",
        put_status,
        "query",
        "Set the status of a study",
        statuses=DONE,
        description="The body has `status`: 0 to 4, or UNREAD, PRELIMINARY, DICTATED, TRANSCRIBED, FINAL. It takes the "
        "permission to report or to edit.",
    ),
)
