"""A structured report or key object selection as a whole: who says what of whom, how finished it is, and its content tree.

PS3.3 C.17.2 (SR Document General), C.17.6.2 (Key Object Document).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from charrua_core.errors import NotRenderable
from charrua_core.imaging.documents import attributes as a
from charrua_core.imaging.documents.content import HAS_CONCEPT_MOD, ContentItem, Limits, read_content
from charrua_core.imaging.documents.sopclasses import KEY_OBJECT_SELECTION, class_name, is_report
from charrua_core.imaging.documents.stored import StoredFile
from charrua_core.imaging.documents.subject import Subject, read_subject
from charrua_core.imaging.documents.values import Coded
from charrua_core.types import DicomJson

_LANGUAGE = "121049"  # DCM, Language of Content Item and Descendants (PS3.16 TID 1204)
_COUNTRY = "121046"  # DCM, Country of Language
_TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Verification:
    """Someone took responsibility for the report (PS3.3 C.17.2, Verifying Observer Sequence)."""

    name: str
    organization: str
    at: str
    """As people read it, in the time of the place."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """An object that the document was made from or is about, with where it belongs."""

    study_uid: str
    series_uid: str
    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class Report:
    """One document."""

    sop_class_uid: str
    sop_instance_uid: str
    subject: Subject
    title: str
    content_at: str
    """Content Date and Time as people read them."""
    completion: str
    """Completion Flag: COMPLETE or PARTIAL; empty for key object selections."""
    completion_description: str
    verification: str
    """Verification Flag: VERIFIED or UNVERIFIED; empty for key object selections."""
    preliminary: str
    """Preliminary Flag: PRELIMINARY or FINAL, empty where the document does not say it."""
    verifications: tuple[Verification, ...]
    authors: tuple[str, ...]
    language: str
    """BCP 47 tag, empty where the document does not say it."""
    evidence: tuple[Evidence, ...]
    predecessors: tuple[Evidence, ...]
    root: ContentItem

    @property
    def is_key_object_selection(self) -> bool:
        """Whether the document selects objects rather than reports on them."""
        return self.sop_class_uid == KEY_OBJECT_SELECTION

    def plain(self) -> dict[str, Any]:
        """The document as JSON: see docs/documents.md."""
        told: dict[str, Any] = {
            "sop_class_uid": self.sop_class_uid,
            "sop_class": class_name(self.sop_class_uid),
            "sop_instance_uid": self.sop_instance_uid,
            "title": self.title,
            **self.subject.plain(),
            "content_at": self.content_at,
            "completion": self.completion,
            "completion_description": self.completion_description,
            "verification": self.verification,
            "preliminary": self.preliminary,
            "verified_by": [{"name": v.name, "organization": v.organization, "at": v.at} for v in self.verifications],
            "authors": list(self.authors),
            "language": self.language,
            "predecessors": [_plain(one) for one in self.predecessors],
            "evidence": [_plain(one) for one in self.evidence],
        }
        return {name: part for name, part in told.items() if part} | {"content": self.root.plain()}


def read_report(header: DicomJson, stored: StoredFile | None = None, limits: Limits | None = None) -> Report:
    """The document that an object is, from its header with edits applied; blocks where a text lies in the file.

    Raises NotRenderable for an object of another kind, else as `read_content`.
    """
    sop_class_uid = a.text(header, "00080016")
    if not is_report(sop_class_uid):
        raise NotRenderable("the object has no content tree")
    root = read_content(header, stored, limits)
    return Report(
        sop_class_uid,
        a.text(header, "00080018"),
        read_subject(header),
        root.name or class_name(sop_class_uid),
        f"{a.date(a.text(header, '00080023'))} {a.time(a.text(header, '00080033'))}".strip(),
        a.text(header, "0040A491").upper(),
        a.text(header, "0040A492"),
        a.text(header, "0040A493").upper(),
        a.text(header, "0040A496").upper(),
        tuple(_verification(item) for item in a.items(header, "0040A073")),
        tuple(name for item in a.items(header, "0040A078") if (name := _author(item))),
        language_of(root),
        tuple(_evidence(header, "0040A375")) + tuple(_evidence(header, "0040A385")),
        tuple(_evidence(header, "0040A360")),
        root,
    )


def language_of(item: ContentItem) -> str:
    """The language that an item says of itself and of what is below it, as a BCP 47 tag; empty where it says none."""
    for modifier in item.related(HAS_CONCEPT_MOD):
        if modifier.concept and modifier.concept.value == _LANGUAGE and isinstance(modifier.value, Coded):
            tag = modifier.value.code.value.replace("_", "-")
            country = _country(modifier)
            full = f"{tag}-{country}" if country and "-" not in tag else tag
            return full if _TAG.fullmatch(full) else ""
    return ""


def _country(language: ContentItem) -> str:
    for modifier in language.related(HAS_CONCEPT_MOD):
        if modifier.concept and modifier.concept.value == _COUNTRY and isinstance(modifier.value, Coded):
            return modifier.value.code.value
    return ""


def _verification(item: DicomJson) -> Verification:
    return Verification(a.text(item, "0040A075"), a.text(item, "0040A027"), a.moment(a.text(item, "0040A030")))


def _author(item: DicomJson) -> str:
    """A person's name, or what a device calls itself, with the institution (PS3.3 C.17.2, Author Observer Sequence)."""
    device = " ".join(part for part in (a.text(item, "00080070"), a.text(item, "00081090")) if part)
    name = a.text(item, "0040A123") or device or a.text(item, "00081010")
    return ", ".join(part for part in (name, a.text(item, "00080080")) if part)


def _evidence(header: DicomJson, sequence: str) -> Iterator[Evidence]:
    """The objects of a Hierarchical SOP Instance Reference (PS3.3 C.17.2.1)."""
    for study in a.items(header, sequence):
        for series in a.items(study, "00081115"):
            for found in a.items(series, "00081199"):
                yield Evidence(
                    a.text(study, "0020000D"),
                    a.text(series, "0020000E"),
                    a.text(found, "00081150"),
                    a.text(found, "00081155"),
                )


def _plain(one: Evidence) -> dict[str, str]:
    return {
        "study_uid": one.study_uid,
        "series_uid": one.series_uid,
        "sop_class_uid": one.sop_class_uid,
        "sop_instance_uid": one.sop_instance_uid,
    }
