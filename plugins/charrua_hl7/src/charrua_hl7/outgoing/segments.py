"""What orders and results say alike: patient (PID), common order (ORC) and request (OBR), by field."""

from __future__ import annotations

from dataclasses import dataclass

from charrua_hl7.outgoing.composing import Fields, person

_SEXES = ("M", "F", "O")  # table 0001 has others, DICOM these (PS3.3 C.7.1.1)


@dataclass(frozen=True, slots=True)
class Patient:
    """Of whom it is."""

    id: str
    issuer: str = ""
    name: str = ""
    birth_date: str = ""
    sex: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """Which order it is of, by the numbers that placer and filler know it by."""

    placer: str = ""
    filler: str = ""
    accession_number: str = ""
    requested_procedure_id: str = ""
    step_id: str = ""
    code: tuple[str, str, str] = ("", "", "")
    """Code Value, Code Meaning, Coding Scheme Designator of what was requested."""
    modality: str = ""
    start: str = ""
    """YYYYMMDDHHMMSS."""

    @property
    def filler_number(self) -> str:
        """The number that this side has given; where it has given none, the accession number."""
        return self.filler or self.accession_number


def pid(patient: Patient) -> Fields:
    """Give PID."""
    return {
        1: "1",
        3: (patient.id, "", "", patient.issuer),
        5: person(patient.name),
        7: patient.birth_date,
        8: patient.sex if patient.sex in _SEXES else "",
    }


def orc(order: Order, control: str, state: str, at: str) -> Fields:
    """Give ORC: `control` of table 0119, `state` of table 0038."""
    return {
        1: control,
        2: order.placer,
        3: order.filler_number,
        5: state,
        7: ("1", "", "", order.start),
        9: at,
    }


def obr(order: Order, **more: str) -> Fields:
    """Give OBR: accession number in OBR-18, Requested Procedure ID in OBR-19, step in OBR-20, as IHE has them."""
    return {
        1: "1",
        2: order.placer,
        3: order.filler_number,
        4: order.code,
        18: order.accession_number,
        19: order.requested_procedure_id,
        20: order.step_id,
        24: order.modality,
        27: ("1", "", "", order.start),
        **{int(name.removeprefix("f")): value for name, value in more.items()},
    }
