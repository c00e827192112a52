"""What every document made here says of itself: whose it is, of which study, who made it when, and of which images.

PS3.3 A.35.3, A.35.4: modules Patient, General Study, SR Document Series, General Equipment, SR Document General, SOP Common.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from charrua_core.archive.index.levels import tag_of
from charrua_core.types import DicomJson
from charrua_web.documents import codes
from charrua_web.documents.images import Image
from charrua_web.documents.items import CONTEXT, coded, name_of, of, person, text

MANUFACTURER = "Charrua"
SERIES_NUMBERS = {"SR": 9000, "KO": 9100}
"""High ones, so that they stand behind what came from devices."""


def _tags(keywords: str) -> tuple[str, ...]:
    return tuple(map(tag_of, keywords.split()))


_COPIED = _tags("""
    StudyDate StudyTime AccessionNumber IssuerOfAccessionNumberSequence ReferringPhysicianName TimezoneOffsetFromUTC
    StudyDescription ProcedureCodeSequence PatientName PatientID IssuerOfPatientID IssuerOfPatientIDQualifiersSequence
    PatientBirthDate PatientSex PatientAge PatientSize PatientWeight StudyInstanceUID StudyID
""")
"""Patient and study, as the images have them."""
_REQUIRED = {
    "DA": _tags("StudyDate PatientBirthDate"),
    "TM": _tags("StudyTime"),
    "SH": _tags("AccessionNumber StudyID"),
    "PN": _tags("ReferringPhysicianName PatientName"),
    "LO": _tags("PatientID"),
    "CS": _tags("PatientSex"),
}
"""Of type 2: there, if need be empty."""


@dataclass(frozen=True, slots=True)
class Author:
    """Who made a document."""

    login: str
    at: datetime


def author_now(login: str, images: Collection[Image]) -> Author:
    """The author, at this moment in the time zone that the images tell, else in that of this machine."""
    told = str((next(iter(images)).header.get("00080201", {}).get("Value") or [""])[0])
    try:
        zone = datetime.strptime(told, "%z").tzinfo
    except ValueError:
        zone = None
    return Author(login, datetime.now(UTC).astimezone(zone))


def new_uid() -> str:
    """A UID of its own (PS3.5 B.2)."""
    return f"2.25.{uuid.uuid4().int}"


def head(sop_class_uid: str, modality: str, title: str, images: Collection[Image], author: Author) -> DicomJson:
    """Everything but the content: a document of its own in a series of its own, for the patient of the first image."""
    first = next(iter(images)).header
    made: DicomJson = {tag: of(vr) for vr, several in _REQUIRED.items() for tag in several}
    made |= {tag: first[tag] for tag in _COPIED if tag in first}
    day, clock = f"{author.at:%Y%m%d}", f"{author.at:%H%M%S}"
    return made | {
        "00080005": of("CS", "ISO_IR 192"),
        "00080012": of("DA", day),
        "00080013": of("TM", clock),
        "00080016": of("UI", sop_class_uid),
        "00080018": of("UI", new_uid()),
        "00080023": of("DA", day),
        "00080033": of("TM", clock),
        "00080060": of("CS", modality),
        "00080070": of("LO", MANUFACTURER),
        "0008103E": of("LO", title),
        "00081111": of("SQ"),
        "0020000E": of("UI", new_uid()),
        "00200011": of("IS", SERIES_NUMBERS[modality]),
        "00200013": of("IS", 1),
        "0040A375": evidence(images),
    }


def evidence(images: Iterable[Image]) -> dict[str, object]:
    """Current Requested Procedure Evidence: the objects by study and series (PS3.3 C.17.2.1)."""
    series: dict[tuple[str, str], dict[str, DicomJson]] = {}
    for one in images:
        record = one.record
        below = series.setdefault((record.study_uid, record.series_uid), {})
        below[record.sop_instance_uid] = reference(record.sop_class_uid, record.sop_instance_uid)
    studies: dict[str, list[DicomJson]] = {}
    for (study_uid, series_uid), found in series.items():
        item = {"00081199": of("SQ", *found.values()), "0020000E": of("UI", series_uid)}
        studies.setdefault(study_uid, []).append(item)
    return of("SQ", *({"0020000D": of("UI", uid), "00081115": of("SQ", *items)} for uid, items in studies.items()))


def reference(sop_class_uid: str, sop_instance_uid: str) -> DicomJson:
    """An item that names an object."""
    return {"00081150": of("UI", sop_class_uid), "00081155": of("UI", sop_instance_uid)}


def observer(author: Author) -> list[DicomJson]:
    """Who says it: a person, by the name of the account (PS3.16 TID 1002, 1003)."""
    return [
        coded(codes.OBSERVER_TYPE, codes.PERSON, CONTEXT),
        person(codes.OBSERVER_NAME, author.login, CONTEXT),
        text(codes.LOGIN_NAME, author.login, CONTEXT),
    ]


def author_item(author: Author) -> dict[str, object]:
    """Author Observer Sequence (PS3.3 C.17.2)."""
    item = {"0040A084": of("CS", "PSN"), "0040A123": name_of(author.login), "00401101": of("SQ")}
    return of("SQ", item | {"00080080": of("LO"), "00080082": of("SQ")})
