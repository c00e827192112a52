"""What stands in the archive, what a request may name of it, and who asks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count

from pydicom.dataset import Dataset
from pydicom.uid import ComputedRadiographyImageStorage, MRImageStorage, generate_uid

from charrua_core.testing.objects import an_object
from charrua_core.web import PUBLIC

KINDS = {"CR": ("CR",), "MR": ("MR",), "BOTH": ("CR", "MR")}
"""Studies by the modalities of their series, each of one object."""
_CLASSES = {"CR": ComputedRadiographyImageStorage, "MR": MRImageStorage}
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Series:
    """A series of one object, and the words in it that its study does not have."""

    uid: str
    instance: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Study:
    """A study with its series by modality, and the words that it has at its own level."""

    kind: str
    uid: str
    patient_id: str
    words: tuple[str, ...]
    series: Mapping[str, Series]

    def hidden_from(self, caller: Caller | None) -> Iterator[str]:
        """Give the words that must not reach the caller; None sees nothing."""
        sees = None if caller is None or (caller.only is not None and self.uid not in caller.only) else caller.sees
        if sees is None or (sees and sees not in self.series):
            yield from (self.uid, *self.words)
        for modality, series in self.series.items():
            if sees is None or (sees and sees != modality):
                yield from (series.uid, series.instance, *series.words)


def a_shelved_study(kind: str) -> tuple[Study, list[Dataset]]:
    """Give a study of a kind with its objects; each text in it is found nowhere else."""
    number = next(_numbers)
    uid, mark = generate_uid(), f"{kind.title()}{number:04}"
    told = {
        "PatientID": f"ID-{mark}",
        "PatientName": f"Name{mark}^Given{mark}",
        "AccessionNumber": f"ACC{mark}",
        "StudyDescription": f"Study{mark}",
        "ReferringPhysicianName": f"Doctor{mark}",
    }
    objects, series = [], {}
    for modality in KINDS[kind]:
        own = {"SeriesDescription": f"Series{mark}{modality}", "ProtocolName": f"Protocol{mark}{modality}"}
        kept = {"StudyInstanceUID": uid, "Modality": modality, "SOPClassUID": _CLASSES[modality]}
        image = an_object(**told, **own, **kept)
        objects.append(image)
        series[modality] = Series(image.SeriesInstanceUID, image.SOPInstanceUID, tuple(own.values()))
    return Study(kind, uid, told["PatientID"], tuple(told.values()), series), objects


@dataclass(frozen=True, slots=True)
class Target:
    """What a request names: a study, a series and an object; of what is not there, modalities and modality are empty."""

    name: str
    study: str
    series: str
    instance: str
    patient_id: str
    modalities: tuple[str, ...] = ()
    modality: str = ""

    @classmethod
    def of(cls, study: Study, modality: str) -> Target:
        """Give a series of a study, with its object."""
        one = study.series[modality]
        name = f"{study.kind}/{modality}"
        return cls(name, study.uid, one.uid, one.instance, study.patient_id, tuple(study.series), modality)

    @classmethod
    def absent(cls) -> Target:
        """Give what is not in the archive."""
        return cls("absent", generate_uid(), generate_uid(), generate_uid(), f"ID-Absent{next(_numbers):04}")

    @classmethod
    def crossed(cls, study: Study, other: Study) -> Target:
        """Give a study with the series and the object of another."""
        one = next(iter(other.series.values()))
        return cls("crossed", study.uid, one.uid, one.instance, study.patient_id, tuple(study.series))

    def seen_by(self, caller: Caller, names: Iterable[str]) -> bool:
        """Whether the caller sees what is named by these of study, series and instance."""
        if caller.only is not None and self.study not in caller.only:
            return False
        there = (self.modality,) if {"series", "instance"} & set(names) else self.modalities
        return any(one and caller.sees in ("", one) for one in there)


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody with or without credentials; `sees` is the only modality that the row filter admits, "" without filter.

    `only` are the studies for which a visitor came, None for who has an account.
    """

    name: str
    headers: Mapping[str, str] = field(default_factory=dict)
    permissions: frozenset[str] = frozenset()
    sees: str = ""
    known: bool = True
    only: frozenset[str] | None = None

    def refusal(self, permission: str) -> int | None:
        """Give the status with which a route of this permission refuses the caller, None where it lets it in."""
        if not self.known and (self.headers or permission != PUBLIC):
            return 401
        return None if permission == PUBLIC or permission in self.permissions else 403
