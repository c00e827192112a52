"""The page of what messages have changed of patients."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from charrua_core.web import Navigation, Page, Request, Shown
from charrua_hl7.marking import N_
from charrua_hl7.patients.calls import changes, number_in

MOST_SHOWN = 50
KINDS: Mapping[str, str] = {"update": N_("Corrected"), "merge": N_("Merged"), "move": N_("Visit moved")}
STATES: Mapping[str, tuple[str, str]] = {
    "done": (N_("in force"), "good"),
    "waiting": (N_("studies wait"), "busy"),
    "failed": (N_("studies not corrected"), "bad"),
    "undoing": (N_("being taken back"), "busy"),
    "undone": (N_("taken back"), "plain"),
}
"""How far a change is, with the look of its pill."""
LABELS: Mapping[str, str] = {
    "PatientName": N_("Name"),
    "PatientID": N_("Patient ID"),
    "IssuerOfPatientID": N_("Issuer of patient ID"),
    "PatientBirthDate": N_("Birth date"),
    "PatientSex": N_("Sex"),
    "PatientAddress": N_("Address"),
    "PatientComments": N_("Comments"),
    "PatientMotherBirthName": N_("Mother's birth name"),
    "AdmissionID": N_("Visit number"),
    "CurrentPatientLocation": N_("Location"),
}


async def show_changes(request: Request) -> Shown:
    """Show the changes, newest first; those of one message where the query names it."""
    found = await changes(request, MOST_SHOWN + 1)
    message = number_in(request, "message")
    shown = found[:MOST_SHOWN]
    more = {"before": shown[-1].change.id, **({"message": message} if message else {})} if shown else {}
    return {
        "changes": shown,
        "older": "?" + urlencode(more) if len(found) > MOST_SHOWN else "",
        "message": message,
        "is_first": number_in(request, "before") is None,
        "sees_none": bool(request.identity.row_filters),
        "kinds": KINDS,
        "states": STATES,
        "labels": LABELS,
    }


PATIENT_PAGES = (
    Page(
        *("/setup/hl7/patients", "charrua_hl7/patient_changes.html", show_changes, "edit", "Patients changed by HL7"),
        navigation=Navigation("setup", "HL7 patients", icon="person", order=49),
    ),
)
