"""What an administrator may choose of storing."""

from __future__ import annotations

from charrua_core.settings import Setting

KEEP, STAMP, REFUSE = "keep", "accept", "refuse"


def _empty(name: str, attribute: str) -> Setting:
    return Setting(
        name,
        str,
        KEEP,
        choices=(KEEP, STAMP, REFUSE),
        help=f"An object whose {attribute} is empty: keep it as it is, accept it with a time stamp in that place, or "
        "refuse it.",
        since="0.1",
        effect="now",
    )


SETTINGS = [
    _empty("accept_empty_patient_name", "Patient Name"),
    _empty("accept_empty_patient_id", "Patient ID"),
    Setting(
        "same_patient",
        str,
        "off",
        choices=("check", "off"),
        help="Check that Patient Name and ID remain the same within a study, and refuse objects in which they differ.",
        since="0.1",
        effect="now",
    ),
    Setting(
        "accept_missing_study",
        bool,
        True,
        help="Take objects without Study or Series Instance UID: they are filed under UIDs derived from patient, study and "
        "series. Otherwise they are refused (A900H).",
        since="0.1",
        effect="now",
    ),
    Setting(
        "duplicate_policy",
        str,
        "keep both",
        choices=("keep both", "first", "refuse"),
        help="Another object of a SOP Instance UID that is here: keep both and show the new one, keep both and show the "
        "first one, or refuse it (0111H). The same object again is always a success.",
        since="0.1",
        effect="now",
    ),
    Setting(
        "unknown_sop_classes",
        bool,
        True,
        help="Also store objects of private SOP classes and of those that this release does not know.",
        since="0.1",
        effect="now",
    ),
    Setting(
        "unknown_transfer_syntaxes",
        bool,
        True,
        help="Also store objects in transfer syntaxes that this release does not know.",
        since="0.1",
        effect="now",
    ),
]
