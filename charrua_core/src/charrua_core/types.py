"""The values that cross between the rooms of the archive, all immutable, and the words they share."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, NamedTuple, TypeVar

IMPLEMENTATION_CLASS_UID = "2.25.289170464205436846213391236045018224361"
IMPLEMENTATION_VERSION_NAME = "CHARRUA_0_1"

_UID = re.compile(r"[0-9]+(?:\.[0-9]+)*", re.ASCII)

DicomJson = dict[str, dict[str, Any]]
"""A data set in the DICOM JSON Model (PS3.18 F): tag as 8 upper-case hex digits → {"vr": …, "Value": […]}."""

_Value = TypeVar("_Value")


def is_valid_uid(text: str) -> bool:
    """Whether the text is safe and usable as a UID: digits and single inner dots, 1 to 64 characters (PS3.5 9.1).

    Leading zeros in a component, which PS3.5 forbids but modalities send, are let through.
    """
    return 0 < len(text) <= 64 and _UID.fullmatch(text) is not None


def without_nul(value: _Value) -> _Value:
    """Give a value of JSON with a replacement character for each NUL, which PostgreSQL takes in no text."""
    cleaned: Any = value
    if isinstance(value, str):
        cleaned = value.replace("\0", "\N{REPLACEMENT CHARACTER}")
    elif isinstance(value, Mapping):
        cleaned = {name: without_nul(one) for name, one in value.items()}
    elif isinstance(value, list | tuple):
        cleaned = [without_nul(one) for one in value]
    return cleaned  # type: ignore[no-any-return]


def is_valid_aet(text: str) -> bool:
    """Whether the text, without blanks around it, is an AE title (PS3.5 6.2, VR AE)."""
    return 0 < len(text) <= 16 and text.isascii() and text.isprintable() and "\\" not in text


_EXTENSION = r"ISO 2022 IR (?:6|13|58|87|100|101|109|110|126|127|138|144|148|149|159|166|203)"
_CHARACTER_SETS = re.compile(
    r"(?:ISO_IR (?:6|13|100|101|109|110|126|127|138|144|148|166|192|203)|GB18030|GBK)?"
    rf"|(?:ISO_IR 6|{_EXTENSION})?(?:\\{_EXTENSION}){{0,15}}"
)


def is_character_set(text: str) -> bool:
    """Whether the text is a value of Specific Character Set, terms parted by a backslash, or empty (PS3.3 C.12.1.1.2)."""
    return _CHARACTER_SETS.fullmatch(text) is not None


class Level(StrEnum):
    """Query/Retrieve Level (0008,0052), PS3.4 C.3.1 to C.3.4."""

    PATIENT = "PATIENT"
    STUDY = "STUDY"
    SERIES = "SERIES"
    IMAGE = "IMAGE"


@dataclass(frozen=True, slots=True)
class FileRange:
    """`length` bytes of the file at `path` from byte `offset`."""

    path: str | os.PathLike[str]
    offset: int
    length: int


class Finding(NamedTuple):
    """A thing that works or does not, for people: what the hook `health` gives."""

    name: str
    works: bool
    sentence: str
    mend: str = ""
    """What to do where it does not work."""
    vital: bool = False
    """Whether the archive as a whole fails where this does not work."""


OriginKind = Literal["dimse", "web", "hl7", "import", "job", "cli"]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request came from: the peer of an association, or the user of a page or a command."""

    kind: OriginKind
    calling_aet: str = ""
    called_aet: str = ""
    address: str = ""
    association_id: str = ""
    user: str = ""


@dataclass(frozen=True, slots=True)
class AsReceived:
    """How an object's data set came, where the archive has put it into a transfer syntax of its own since."""

    transfer_syntax_uid: str
    dataset_digest: bytes
    """BLAKE3."""
    transcoded_at: datetime


@dataclass(frozen=True, slots=True)
class Arrival:
    """One object's arrival: kept in its file, so that the index can be built from the files alone."""

    arrival_id: str
    """32 hex digits that sort by time (UUID version 7)."""
    received_at: datetime
    origin: Origin
    as_received: AsReceived | None = None
    """None where the data set is in the file as it came."""


@dataclass(frozen=True, slots=True)
class RowFilter:
    """What a person may see: keyword of an indexed attribute → admitted values (`*` and `?` are wildcards).

    All keywords must match; one of a keyword's values suffices.
    """

    admits: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks: a user, a peer AE or the archive itself, with what they may do and see."""

    name: str
    kind: Literal["user", "peer", "system"]
    roles: frozenset[str] = frozenset()
    permissions: frozenset[str] = frozenset()
    row_filters: tuple[RowFilter, ...] = ()

    def may(self, permission: str) -> bool:
        """Whether the permission, or all of them (`*`), was granted."""
        return permission in self.permissions or "*" in self.permissions


SYSTEM = Identity("charrua", "system", permissions=frozenset({"*"}))


@dataclass(frozen=True, slots=True)
class ExpectedObjects:
    """Objects of a study that somebody says to have made."""

    sender: str
    """Who says so: an AE title."""
    objects: int
    received: int
    """How many of them are here, of those that the one who asks may see."""
    is_final: bool = True
    """Whether these are all; else more are to come."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """A judge stops the action, with what the peer is told."""

    reason: str
    dimse_status: int = 0x0124
    http_status: int = 403


@dataclass(frozen=True, slots=True)
class StudyIdentity:
    """Whose study it is, as the index has it."""

    study_uid: str
    patient_id: str
    issuer: str
    patient_name: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """An object that was received whole and is not yet stored."""

    origin: Origin
    transfer_syntax_uid: str
    header: Any
    """`charrua_core.archive.datasets.header.Header`: what its data set says."""
    study: StudyIdentity | None
    """The study that it would join, None for the first object of a study."""


@dataclass(frozen=True, slots=True)
class Coercion:
    """Attributes that an object is given on arrival, laid over its bytes as an edit (DESIGN §5)."""

    attributes: DicomJson
    reason: str


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One stored object, as `on_object_stored` tells it."""

    study_uid: str
    series_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    modality: str
    size_bytes: int
    received_at: datetime
    origin: Origin
    version: int = 1


@dataclass(frozen=True, slots=True)
class FinalReport:
    """A report that was signed, or an addendum to one, as `on_report_final` tells it."""

    study_uid: str
    patient_id: str
    issuer: str
    patient_name: str
    """As DICOM writes it: `PÉREZ^ANA`."""
    accession_number: str
    title: str
    text: str
    """Plain, its lines parted by `\\n`."""
    author: str
    """Who has signed it, as DICOM writes names."""
    signed_at: datetime
    status: Literal["F", "C"] = "F"
    """F: it is final; C: it takes the place of one that was final (HL7 table 0123)."""
    sop_instance_uid: str = ""
    """Of the object that holds it, where there is one."""
    birth_date: str = ""
    """Of the patient, as `YYYYMMDD`."""
    sex: str = ""


@dataclass(frozen=True, slots=True)
class StudyEdited:
    """One edit that was made, as `on_study_edited` tells it."""

    edit: str
    """Its number, as the studies' history has it."""
    kind: str
    """`edit`, `assign_study`, `assign_series`, `merge`, `status`, `delete`, `purge`, `undo`."""
    study_uids: tuple[str, ...]
    at: datetime
    undoes: str = ""
    """The number of the edit that it takes back, where it is an `undo`."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where an object goes next: the AE title of a known peer, or the name of another destination."""

    destination: str
    priority: int = 0
    delay_s: float = 0.0
    options: Mapping[str, Any] = field(default_factory=dict)
    """What the sending is asked for, as JSON: `transfer_syntaxes`, a list of UIDs, the most wanted first. A job whose options
    its destination does not know sends nothing, and is dead at once."""


@dataclass(frozen=True, slots=True)
class Destination:
    """A place to which objects are sent; a peer is one of kind `dicom`."""

    name: str
    kind: str
    """That of a `DestinationKind`."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Those of its kind, and after them `transfer_syntaxes`, `coerce` and `deidentify` for all that is sent there."""
    enabled: bool = True
    """What is sent to one that is not waits."""
    concurrency: int = 1
    """How many jobs may send there at the same time."""
    window: str = ""
    """When it is sent to, in the local time of the archive, as `22:00-06:00`; empty: always."""
    timeout_s: float = 60.0
    """How long one answer may take."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A remote AE that this archive knows, its address and how to talk to it."""

    aet: str
    host: str
    port: int
    tls_mode: Literal["off", "encrypt", "require"] = "off"
    timeout_s: float = 30.0
    permissions: frozenset[str] = field(default=frozenset({"echo", "store", "query", "retrieve"}))
    certificate: str = ""
    """What proves in TLS that it is this peer: `sha256:` and the fingerprint, or a subject as `CN=ct1,O=Hospital`."""
    character_set: str = ""
    """Specific Character Set of what C-FIND tells it, terms parted by a backslash; "": what it asks in, or Unicode."""
