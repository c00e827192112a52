"""What STOW-RS answers: the Store Instances Response Module (PS3.18 I.2) and the status that sums it up (10.5.3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from charrua_core.errors import CharruaError
from charrua_core.types import DicomJson
from charrua_web.dicomweb.intake import Outcome

if TYPE_CHECKING:
    from charrua_core.archive.edit.record import Record

COERCED = 0xB000
"""Coercion of Data Elements (PS3.18 Table I.2-1)."""

REASONS = {
    0x0110: "processing failure, or not known whether it was stored",
    0x0111: "other bytes of a SOP Instance that is here (`duplicate_policy` refuse)",
    0x0122: "the SOP class is not stored here",
    0x0124: "not admitted by a rule of this archive",
    0xA700: "no room, larger than is taken, or disk or database failing",
    0xA900: "another study's, with an invalid UID, or not admitted by the rules on patients",
    0xC000: "damaged, or no DICOM object",
    0xC122: "the transfer syntax is not stored here",
}
"""The failure reasons (0008,1197) that are given (PS3.18 Table I.2-2, PS3.7 C)."""


def status_of(outcomes: Sequence[Outcome]) -> int:
    """Give the HTTP status: 200 all stored as they came, 202 some or with warnings, else what keeps all of them out.

    400 where nothing was a DICOM object; a status of the server (5xx) or 413 where all failed with it; 409 otherwise.
    """
    if any(one.stored for one in outcomes):
        clean = all(one.stored is not None and not one.stored.coercions for one in outcomes)
        return 200 if clean else 202
    if not any(one.sop_instance_uid for one in outcomes):
        return 400
    statuses = {one.failure.http_status for one in outcomes if one.failure is not None}
    shared = statuses.pop() if len(statuses) == 1 else 409
    return shared if shared >= 500 or shared == 413 else 409


def answer_of(outcomes: Sequence[Outcome], base: str) -> DicomJson:
    """Give the data set; `base` is the URL at which stored objects are retrieved."""
    stored = [_stored(one, base) for one in outcomes if one.stored is not None]
    failed = [_failed(one) for one in outcomes if one.failure is not None and one.sop_instance_uid]
    others = [_reason(one.failure) for one in outcomes if one.failure is not None and not one.sop_instance_uid]
    studies = {one.stored.study_uid for one in outcomes if one.stored is not None}
    answer: DicomJson = {"00081190": _of("UR", *(f"{base}/studies/{uid}" for uid in studies if len(studies) == 1))}
    for tag, items in (("00081198", failed), ("00081199", stored), ("0008119A", others)):
        if items:
            answer[tag] = _of("SQ", *items)
    return answer


def _stored(outcome: Outcome, base: str) -> DicomJson:
    stored = outcome.stored
    assert stored is not None  # noqa: S101 -- its caller has looked
    url = f"{base}/studies/{stored.study_uid}/series/{stored.series_uid}/instances/{stored.sop_instance_uid}"
    item = {**_reference(outcome), "00081190": _of("UR", url)}
    if stored.coercions:
        item["00081196"] = _of("US", COERCED)
        item["04000561"] = _of("SQ", *(_original(one) for one in stored.coercions))
    return item


def _original(coercion: Record) -> DicomJson:
    """What attributes were before the archive gave them other values (Original Attributes Sequence, PS3.3 C.12.1)."""
    return {
        "04000550": _of("SQ", coercion.before["attributes"]),
        "04000562": _of("DT", f"{coercion.made_at:%Y%m%d%H%M%S.%f}+0000"),
        "04000563": _of("LO", "Charrua"),
        "04000564": _of("LO"),
        "04000565": _of("CS", "COERCE"),
    }


def _failed(outcome: Outcome) -> DicomJson:
    return {**_reference(outcome), **_reason(outcome.failure)}


def _reference(outcome: Outcome) -> DicomJson:
    return {"00081150": _of("UI", outcome.sop_class_uid), "00081155": _of("UI", outcome.sop_instance_uid)}


def _reason(failure: CharruaError | None) -> DicomJson:
    assert failure is not None  # noqa: S101 -- its caller has looked
    return {"00081197": _of("US", failure.dimse_status)}


def _of(vr: str, *values: Any) -> dict[str, Any]:
    return {"vr": vr, "Value": list(values)} if values else {"vr": vr}
