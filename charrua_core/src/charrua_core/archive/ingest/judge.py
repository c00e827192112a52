"""Whether an object may come in, and with which attributes: its header against the command, then the hooks' word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from charrua_core.archive.datasets.derived import WITHOUT_PATIENT
from charrua_core.archive.edit.record import Record
from charrua_core.errors import DatasetMismatch, ObjectRefused
from charrua_core.types import Arrival, Candidate, Coercion, DicomJson

if TYPE_CHECKING:
    from charrua_core.app import App
    from charrua_core.archive.datasets.header import Header


@dataclass(frozen=True, slots=True)
class Admission:
    """What an admitted object is given: the sum of the coercions, None if there are none, and their records."""

    overlay: DicomJson | None = None
    records: tuple[Record, ...] = ()


AS_IT_IS = Admission()


def check_command(header: Header, sop_class_uid: str, sop_instance_uid: str) -> None:
    """Raise DatasetMismatch where the data set is not the object that the command announced (PS3.4 B.2.3, 0xA900)."""
    if header.sop_instance_uid != sop_instance_uid:
        raise DatasetMismatch("the SOP Instance UID differs from the command's")
    if header.sop_class_uid != sop_class_uid:
        raise DatasetMismatch("the SOP Class UID differs from the command's")


def check_study(header: Header, study_uid: str) -> None:
    """Raise DatasetMismatch where a study is named and the data set is of another (PS3.18 10.5.1.1, 409)."""
    if study_uid and header.study_instance_uid != study_uid:
        mismatch = DatasetMismatch("the object belongs to another study")
        mismatch.http_status = 409
        raise mismatch


def admit(app: App, candidate: Candidate, arrival: Arrival) -> Admission:
    """Ask the judges, then those who coerce; raises ObjectRefused, or PluginFailed (0x0110)."""
    refused = app.hooks.judge("accept_object", app=app, candidate=candidate)
    if refused is not None:
        raise ObjectRefused(refused.reason, refused.dimse_status, refused.http_status)
    coercions = app.hooks.gather_by_plugin("coerce_object", app=app, candidate=candidate)
    if candidate.header.derived and candidate.header.sop_class_uid not in WITHOUT_PATIENT:
        coercions.insert(0, ("core", _with_uids(candidate.header)))
    return _coerced(candidate.header, coercions, arrival) if coercions else AS_IT_IS


def _with_uids(header: Header) -> Coercion:
    """The UIDs that the data set lacks, so that whoever gets the object from here finds it in its study."""
    given: DicomJson = {tag: {"vr": "UI", "Value": [uid]} for tag, uid in header.derived.items()}
    return Coercion(given, "without a study or series on arrival")


def _coerced(header: Header, coercions: Sequence[tuple[str, Coercion]], arrival: Arrival) -> Admission:
    overlay: DicomJson = {}
    records = []
    received: DicomJson = orjson.loads(header.json)
    for plugin, coercion in coercions:
        before = {tag: received[tag] for tag in coercion.attributes if tag in received} | {
            tag: overlay[tag] for tag in coercion.attributes if tag in overlay
        }
        records.append(
            Record.coercion(
                header.study_instance_uid,
                header.series_instance_uid,
                header.sop_instance_uid,
                arrival.arrival_id,
                {"attributes": before},
                {"attributes": coercion.attributes},
                made_by=plugin,
                reason=coercion.reason,
            )
        )
        overlay |= coercion.attributes
    return Admission(overlay, tuple(records))
