"""REPORTS, the virtual source: every structured report that came, from wherever, or was written here.

A rule's "from" is met by one of the names of `sources_of`; a rule from REPORTS distributes a report unless `withheld` says
why not.
"""

from __future__ import annotations

from charrua_core.db import Values
from charrua_core.imaging.documents.sopclasses import AUDIO, KEY_OBJECT_SELECTION, is_report
from charrua_core.settings import Setting
from charrua_core.types import DicomJson, StoredObject

REPORTS = "REPORTS"

SETTINGS = (
    Setting(
        "routing_preliminary_reports",
        bool,
        False,
        help="Whether reports that are partial or preliminary go to JSON servers, and to where REPORTS are routed.",
        since="0.1",
        effect="now",
    ),
    Setting(
        "routing_audio_reports",
        bool,
        False,
        help="Whether spoken reports (audio objects) go to where REPORTS are routed.",
        since="0.1",
        effect="now",
    ),
)

_COMPLETION_FLAG, _PRELIMINARY_FLAG = "0040A491", "0040A496"


def sources_of(stored: StoredObject) -> set[str]:
    """Give the names that a rule may call an object's source: the AE title that sent it, and REPORTS for a report."""
    spoken_or_written = is_written_report(stored.sop_class_uid) or stored.sop_class_uid in AUDIO
    return {stored.origin.calling_aet} - {""} | ({REPORTS} if spoken_or_written else set())


def is_written_report(sop_class_uid: str) -> bool:
    """Whether objects of the class are structured reports; key object selections are none."""
    return is_report(sop_class_uid) and sop_class_uid != KEY_OBJECT_SELECTION


def withheld(settings: Values, sop_class_uid: str, header: DicomJson) -> str:
    """Give why a report is not distributed, empty where it is (PS3.3 C.17.2: Completion Flag, Preliminary Flag)."""
    if sop_class_uid in AUDIO and not settings["routing_audio_reports"]:
        return "spoken reports are not distributed (routing_audio_reports)"
    partial = "PARTIAL" in header.get(_COMPLETION_FLAG, {}).get("Value", ())
    preliminary = "PRELIMINARY" in header.get(_PRELIMINARY_FLAG, {}).get("Value", ())
    if (partial or preliminary) and not settings["routing_preliminary_reports"]:
        return "preliminary reports are not distributed (routing_preliminary_reports)"
    return ""
