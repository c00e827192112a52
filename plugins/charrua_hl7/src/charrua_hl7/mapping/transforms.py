"""How a field becomes a value: the named ways that lines of a mapping may choose."""

from __future__ import annotations

import re
from base64 import b32encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from charrua_core.archive.index.levels import tag_of
from charrua_core.types import is_valid_aet, is_valid_uid
from charrua_hl7.mapping.moments import stamp
from charrua_hl7.mapping.names import clean, name_of, person_of
from charrua_hl7.mapping.places import Part
from charrua_hl7.marking import N_
from charrua_hl7.message import NULL

LENGTHS: Mapping[str, int] = {"AE": 16, "CS": 16, "LO": 64, "SH": 16, "ST": 1024, "LT": 10240, "UT": 65536, "UC": 65536}
"""The most characters of a value (PS3.5 6.2); of texts that have no limit one that is reasonable."""
PROSE = frozenset({"ST", "LT", "UT"})
TEXTS = frozenset({*PROSE, "LO", "SH", "UC"})

CODE_VALUE, LONG_CODE, SCHEME, MEANING = map(
    tag_of, ("CodeValue", "LongCodeValue", "CodingSchemeDesignator", "CodeMeaning")
)
PATIENT_ID, ISSUER, ID_TYPE = map(tag_of, ("PatientID", "IssuerOfPatientID", "TypeOfPatientID"))

SEXES = {"M": "M", "F": "F", "O": "O", "A": "O", "U": "", "N": ""}
"""Table 0001; what is unknown or does not apply has no value in DICOM."""
PRIORITIES = {"S": "STAT", "A": "HIGH", "P": "HIGH", "C": "HIGH", "T": "MEDIUM", "R": "ROUTINE"}
"""Tables 0027 and 0485 as IHE RAD TF-2 has them; words that DICOM has are taken as they are."""
PRIORITY_WORDS = frozenset({"STAT", "HIGH", "ROUTINE", "MEDIUM", "LOW"})
_TERMS = """
AR AU BDUS BI BMD CFM CR CT CTPROTOCOL DG DMS DX ECG EEG EMG EOG EPS ES FID GM HC HD IO IOL IVOCT IVUS KER LEN LS MG MR NM
OAM OCT OP OPM OPT OPTBSV OPTENF OPV OSS OT PA POS PT PX RESP RF RG RTIMAGE RTINTENT SM SR SRF STAIN TG US VA XA XC XAPROTOCOL
"""
MODALITIES = frozenset(_TERMS.split())
"""Defined Terms of Modality (PS3.3 C.7.3.1.1.1) that a step may be scheduled for."""
SECTIONS = {"NMR": "MR", "MRI": "MR", "NMS": "NM", "RUS": "US", "OUS": "US", "VUS": "US", "CUS": "US", "PET": "PT"}
"""Diagnostic services (table 0074), and what people write, that are one modality."""
_SPOKEN = {one: one for one in ("CT", "MR", "US", "XA", "NM", "CR", "DX")} | SECTIONS
_SPOKEN |= {"ULTRASOUND": "US", "MAMMOGRAPHY": "MG", "MAMMOGRAM": "MG", "MAMMO": "MG", "ANGIOGRAPHY": "XA"}
_WEIGHTS = {"": 1.0, "kg": 1.0, "g": 0.001, "lb": 0.45359237, "[lb_av]": 0.45359237, "lbs": 0.45359237}
_HEIGHTS = {"": 1.0, "m": 1.0, "cm": 0.01, "mm": 0.001, "in": 0.0254, "[in_i]": 0.0254}
_NUMBER = re.compile(r"[+-]?(?:\d{1,12}(?:[.,]\d{0,10})?|\.\d{1,10})")
_TERM = re.compile(r"[A-Z0-9 _]{1,16}")


@dataclass(frozen=True, slots=True)
class Target:
    """The attribute that a line fills."""

    vr: str
    many: bool


@dataclass(frozen=True, slots=True)
class Transform:
    """One way from a field to a value. `take` gives None where the field has no such value; `whole` takes all repetitions."""

    vrs: frozenset[str]
    help: str
    take: Callable[[Part, Target], Any] = lambda _part, _target: None
    whole: Callable[[Sequence[Part]], Any] | None = None


def fitted(text: str, vr: str) -> str:
    """Give a text as a VR admits it: its characters, and cut to its length."""
    if vr in PROSE:
        kept = "".join(one for one in text if one.isprintable() or one in "\n\t").strip()
        return kept[: LENGTHS[vr]]
    return _one_line(text)[: LENGTHS.get(vr, 64)].rstrip()


def _one_line(text: str) -> str:
    """Without what is not printed, and without backslashes, which part values."""
    if not text.isprintable():
        text = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return text.replace("\\", "/").strip()


def identifier(text: str, vr: str) -> str | None:
    """Give an identifier as a VR admits it; one that is too long is shortened so that two stay two."""
    kept, longest = clean_id(text), LENGTHS.get(vr, 64)
    if len(kept) <= longest:
        return kept or None
    if is_valid_uid(kept):  # no number that people give
        return None
    digest = b32encode(sha256(kept.encode()).digest()).decode()[:5]
    return f"{kept[: longest - 6]}~{digest}"


def clean_id(text: str) -> str:
    """Give an identifier without what no text of DICOM may have."""
    return _one_line(text)


def _text(part: Part, target: Target) -> str | None:
    return fitted(part.components[0][0], target.vr) or None


def _words(part: Part, target: Target) -> str | None:
    """CE and CWE: text, else alternate text, else original text, else the code."""
    found = (fitted(part.of(number), target.vr) for number in (2, 5, 9, 1, 4) if part.of(number) != NULL)
    return next(filter(None, found), None)


def _identifier(part: Part, target: Target) -> str | None:
    return identifier(part.text, target.vr)


def _issuer(part: Part, target: Target) -> str | None:
    """HD: the namespace, else the universal ID. In a CX, which has it as component 4, that one is meant."""
    return next(filter(None, (clean_id(part.of(number))[: LENGTHS[target.vr]] for number in (1, 2))), None)


def _person(part: Part, _: Target) -> dict[str, str] | None:
    return person_of(part)


def _day(part: Part, _: Target) -> str | None:
    found = stamp(part.text, here=False)
    return found.day if found else None


def _date(part: Part, _: Target) -> str | None:
    found = stamp(part.text)
    return found.day if found else None


def _time(part: Part, _: Target) -> str | None:
    found = stamp(part.text)
    return (found.time or None) if found else None


def _sex(part: Part, _: Target) -> str | None:
    return SEXES.get(part.text.upper()[:1])


def _modality(part: Part, _: Target) -> str | None:
    told = part.text.upper()
    return told if told in MODALITIES else SECTIONS.get(told) or _modality_in_words(part)


def _modality_in_words(part: Part) -> str | None:
    words = (word for one in part.components[:2] for word in re.split(r"[^A-Z]+", one[0][:200].upper()))
    return next((_SPOKEN[word] for word in words if word in _SPOKEN), None)


def _aet(part: Part, _: Target) -> str | None:
    return part.text if is_valid_aet(part.text) else None


def _uid(part: Part, _: Target) -> str | None:
    told = part.text
    return told if is_valid_uid(told) and told[:2] in ("0.", "1.", "2.") and told.count(".") > 2 else None


def _term(part: Part, _: Target) -> str | None:
    told = part.text.upper().replace("-", "_")
    return told if _TERM.fullmatch(told) else None


def _priority(part: Part, _: Target) -> str | None:
    told = part.text.upper()
    return told if told in PRIORITY_WORDS else PRIORITIES.get(told)


def _number(part: Part, target: Target) -> float | int | None:
    return _numeric(part.text, target.vr)


def _numeric(text: str, vr: str, factor: float = 1.0) -> float | int | None:
    if not _NUMBER.fullmatch(text):
        return None
    told = round(float(text.replace(",", ".")) * factor, 4)
    whole = told.is_integer() and abs(told) < 1 << 31
    if vr == "US":
        return int(told) if whole and 0 <= told < 1 << 16 else None
    return int(told) if whole else (None if vr == "IS" else told)


def _measured(units: Mapping[str, float]) -> Callable[[Part, Target], float | None]:
    def take(part: Part, target: Target) -> float | None:
        unit = part.segment.text("6").strip().casefold() if part.segment.name == "OBX" else ""
        return _numeric(part.text, target.vr, units[unit]) if unit in units else None

    return take


def _location(part: Part, target: Target) -> str | None:
    told = (clean_id(one[0]) for one in part.components if one[0] != NULL)
    return fitted(" ".join(filter(None, told)), target.vr) or None


def _address(part: Part, target: Target) -> str | None:
    told = (clean(one[0]) for one in part.components[:6])
    return fitted(", ".join(filter(None, told)), target.vr) or None


def _pregnancy(part: Part, _: Target) -> int | None:
    return 3 if part.text.upper() == "B6" else None


def _code(part: Part, _: Target) -> dict[str, Any] | None:
    """CE and CWE: a code without a scheme is a local one; one without a text has itself as its meaning."""
    code, meaning, scheme = (clean_id(part.of(number)) for number in (1, 2, 3))
    if not code or code == NULL:
        return None
    kept = (CODE_VALUE, "SH") if len(code) <= LENGTHS["SH"] else (LONG_CODE, "UC")
    told = {kept[0]: {"vr": kept[1], "Value": [code]}}
    told[SCHEME] = {"vr": "SH", "Value": [scheme[:16] or "L"]}
    told[MEANING] = {"vr": "LO", "Value": [fitted(meaning or code, "LO")]}
    return told


def _ids(part: Part, _: Target) -> dict[str, Any] | None:
    """CX: an item of Other Patient IDs Sequence."""
    number = identifier(part.text, "LO")
    if not number or number == NULL:
        return None
    told = {PATIENT_ID: {"vr": "LO", "Value": [number]}, ID_TYPE: {"vr": "CS", "Value": ["TEXT"]}}
    authority = part.components[3] if len(part.components) > 3 else ("",)
    if issuer := next(filter(None, map(clean_id, authority)), ""):
        told[ISSUER] = {"vr": "LO", "Value": [issuer[:64]]}
    return told


def _vrs(text: str) -> frozenset[str]:
    return frozenset(text.split())


TRANSFORMS: Mapping[str, Transform] = {
    "text": Transform(TEXTS, N_("The text as it is, cut to what the attribute may hold."), _text),
    "words": Transform(TEXTS, N_("Of a coded element (CE, CWE) what people read: its text, else its code."), _words),
    "id": Transform(
        _vrs("LO SH"), "An identifier (EI, CX, ST). One that is too long keeps its beginning.", _identifier
    ),
    "issuer": Transform(
        _vrs("LO SH UT"), "An assigning authority (HD): its namespace, else its universal ID.", _issuer
    ),
    "ids": Transform(_vrs("SQ"), N_("Identifiers of the patient (CX) as items of Other Patient IDs Sequence."), _ids),
    "name": Transform(_vrs("PN"), N_("A name (XPN), with how it is written in other characters."), whole=name_of),
    "person": Transform(_vrs("PN"), N_("The name of a person with an identifier (XCN, CN, NDL)."), _person),
    "day": Transform(_vrs("DA"), N_("The day of a time stamp as it is written, as of a birth."), _day),
    "date": Transform(_vrs("DA"), N_("The day of a time stamp, in local time where it has an offset."), _date),
    "time": Transform(_vrs("TM"), N_("The time of day of a time stamp, of the same day as the date beside it."), _time),
    "sex": Transform(_vrs("CS"), N_("Sex (table 0001): M, F, O; A is O; U and N are no value."), _sex),
    "modality": Transform(
        _vrs("CS"), N_("A modality that DICOM has, also where a text names it: CT CHEST."), _modality
    ),
    "term": Transform(_vrs("CS"), N_("A code in capitals."), _term),
    "aet": Transform(_vrs("AE"), N_("An AE title."), _aet),
    "uid": Transform(_vrs("UI"), N_("A UID."), _uid),
    "priority": Transform(_vrs("SH CS"), N_("A priority: S STAT, A P C HIGH, T MEDIUM, R ROUTINE."), _priority),
    "code": Transform(_vrs("SQ"), N_("A coded element (CE, CWE) as an item with value, scheme and meaning."), _code),
    "number": Transform(_vrs("DS IS US FD FL"), N_("A number."), _number),
    "kilograms": Transform(_vrs("DS"), N_("A weight, by the unit in OBX-6."), _measured(_WEIGHTS)),
    "metres": Transform(_vrs("DS"), N_("A height, by the unit in OBX-6."), _measured(_HEIGHTS)),
    "location": Transform(_vrs("LO SH ST"), N_("A location (PL): its parts in one text."), _location),
    "address": Transform(_vrs("LO ST UT"), N_("An address (XAD): its parts with commas."), _address),
    "pregnancy": Transform(_vrs("US"), N_("Ambulatory status (table 0009): B6 is definitely pregnant, 3."), _pregnancy),
}
"""By the word that a line has in `as`."""
