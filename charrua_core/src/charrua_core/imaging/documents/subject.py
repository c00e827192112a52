"""Whose document it is and of which study: what stands at the head of every page."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from charrua_core.imaging.documents import attributes as a
from charrua_core.types import DicomJson

_SEXES = {"F": "female", "M": "male", "O": "other"}


@dataclass(frozen=True, slots=True)
class Subject:
    """Patient and study as people read them; what an object does not say is empty."""

    patient_name: str
    patient_id: str
    birth_date: str
    sex: str
    age: str
    study_date: str
    study_description: str
    series_description: str
    accession_number: str
    referring_physician: str
    institution: str
    manufacturer: str
    study_uid: str

    def rows(self) -> list[tuple[str, str]]:
        """Label and text of what the head of a page shows, without what is empty; the patient is always named."""
        told = [
            ("Patient", self.patient_name or "(no name)"),
            ("Patient ID", self.patient_id or "(none)"),
            ("Birth date", self.birth_date),
            ("Sex, age", ", ".join(part for part in (self.sex, self.age) if part)),
            ("Study date", self.study_date),
            ("Study", self.study_description),
            ("Series", self.series_description),
            ("Accession number", self.accession_number),
            ("Referring physician", self.referring_physician),
            ("Institution", self.institution),
            ("Device", self.manufacturer),
        ]
        return [(label, text) for label, text in told if text]

    def plain(self) -> dict[str, Any]:
        """Patient and study as JSON."""
        told = {name: text for name, text in asdict(self).items() if text}
        patient = {name: told.pop(name) for name in _OF_PATIENT if name in told}
        return {"patient": patient, "study": told}


_OF_PATIENT = ("patient_name", "patient_id", "birth_date", "sex", "age")


def read_subject(header: DicomJson) -> Subject:
    """Patient and study of an object, from its header with edits applied."""
    return Subject(
        patient_name=a.text(header, "00100010"),
        patient_id=a.text(header, "00100020"),
        birth_date=a.date(a.text(header, "00100030")),
        sex=_SEXES.get(a.text(header, "00100040"), a.text(header, "00100040")),
        age=_age(a.text(header, "00101010")),
        study_date=f"{a.date(a.text(header, '00080020'))} {a.time(a.text(header, '00080030'))}".strip(),
        study_description=a.text(header, "00081030"),
        series_description=a.text(header, "0008103E"),
        accession_number=a.text(header, "00080050"),
        referring_physician=a.text(header, "00080090"),
        institution=a.text(header, "00080080"),
        manufacturer=" ".join(part for part in (a.text(header, "00080070"), a.text(header, "00081090")) if part),
        study_uid=a.text(header, "0020000D"),
    )


def _age(value: str) -> str:
    """An AS such as `042Y` as `42 years`."""
    units = {"D": "days", "W": "weeks", "M": "months", "Y": "years"}
    number, unit = value[:-1], units.get(value[-1:])
    return f"{int(number)} {unit}" if unit and number.isascii() and number.isdigit() else value
