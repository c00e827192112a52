"""The codes that measurements and key object selections are told with, and the words of this archive for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Coding(NamedTuple):
    """A coded concept: value, coding scheme, meaning."""

    value: str
    scheme: str
    meaning: str


# -- structure (PS3.16 TID 1500, 1501, 1001, 1003, 1204, 1600, 2010) -----------------------------------------------------
REPORT = Coding("126000", "DCM", "Imaging Measurement Report")
MEASUREMENTS = Coding("126010", "DCM", "Imaging Measurements")
GROUP = Coding("125007", "DCM", "Measurement Group")
TRACKING_IDENTIFIER = Coding("112039", "DCM", "Tracking Identifier")
TRACKING_UID = Coding("112040", "DCM", "Tracking Unique Identifier")
IMAGE_REGION = Coding("111030", "DCM", "Image Region")
COMMENT = Coding("121106", "DCM", "Comment")
FINDING = Coding("121071", "DCM", "Finding")
FINDING_SITE = Coding("363698007", "SCT", "Finding Site")
DERIVATION = Coding("121401", "DCM", "Derivation")
IMAGE_LIBRARY = Coding("111028", "DCM", "Image Library")
LIBRARY_GROUP = Coding("126200", "DCM", "Image Library Group")
PROCEDURE_REPORTED = Coding("121058", "DCM", "Procedure reported")
IMAGING_PROCEDURE = Coding("363679005", "SCT", "Imaging procedure")
LANGUAGE = Coding("121049", "DCM", "Language of Content Item and Descendants")
ENGLISH = Coding("en", "RFC5646", "English")
OBSERVER_TYPE = Coding("121005", "DCM", "Observer Type")
PERSON = Coding("121006", "DCM", "Person")
OBSERVER_NAME = Coding("121008", "DCM", "Person Observer Name")
LOGIN_NAME = Coding("128774", "DCM", "Person Observer's Login Name")
KEY_DESCRIPTION = Coding("113012", "DCM", "Key Object Description")

# -- what is measured -----------------------------------------------------------------------------------------------------
LENGTH = Coding("410668003", "SCT", "Length")
AREA = Coding("42798000", "SCT", "Area")
ATTENUATION = Coding("112031", "DCM", "Attenuation Coefficient")
SIGNAL = Coding("110852", "DCM", "MR signal intensity")
UPTAKE = Coding("126401", "DCM", "SUVbw")

QUANTITIES: Mapping[str, Coding] = {
    "length": LENGTH,
    "angle": Coding("1483009", "SCT", "Angle"),
    "area": AREA,
    "long axis": Coding("103339001", "SCT", "Long axis"),
    "short axis": Coding("103340004", "SCT", "Short axis"),
    "perimeter": Coding("131191004", "SCT", "Perimeter"),
    "radius": Coding("131190003", "SCT", "Radius"),
    "diameter": Coding("81827009", "SCT", "Diameter"),
}
"""The name of a value → the concept of its NUM."""

DERIVATIONS: Mapping[str, Coding] = {
    "mean": Coding("373098007", "SCT", "Mean"),
    "deviation": Coding("386136009", "SCT", "Standard Deviation"),
    "minimum": Coding("255605001", "SCT", "Minimum"),
    "maximum": Coding("56851009", "SCT", "Maximum"),
}
"""The name of a value → how it was made of the pixels in a region (CID 7464)."""

INTENSITIES: Mapping[str, Coding] = {"HU": ATTENUATION, "SUV": UPTAKE}
"""What pixels tell, by their unit; MR_INTENSITY by the modality."""

UNITS: Mapping[str, Coding] = {
    "mm": Coding("mm", "UCUM", "mm"),
    "cm": Coding("cm", "UCUM", "cm"),
    "mm²": Coding("mm2", "UCUM", "square millimeter"),
    "cm²": Coding("cm2", "UCUM", "square centimeter"),
    "°": Coding("deg", "UCUM", "Degree"),
    "px": Coding("{pixels}", "UCUM", "pixels"),
    "px²": Coding("{squarepixels}", "UCUM", "square pixels"),
    "HU": Coding("[hnsf'U]", "UCUM", "Hounsfield unit"),
    "SUV": Coding("{SUVbw}g/ml", "UCUM", "Standardized Uptake Value body weight"),
    "": Coding("1", "UCUM", "no units"),
}
"""A unit as people read it → its code (CID 7181)."""

SIGNS: Mapping[str, str] = {coding.value: sign for sign, coding in UNITS.items()} | {"{pixel}": "px", "pixels": "px"}
"""The other way round, with what others write."""

OLD_NAMES: Mapping[tuple[str, str], str] = {
    ("G-D7FE", "SRT"): "length",
    ("G-A166", "SRT"): "area",
    ("G-A185", "SRT"): "long axis",
    ("G-A186", "SRT"): "short axis",
    ("R-00317", "SRT"): "mean",
    ("R-10047", "SRT"): "deviation",
    ("R-404FB", "SRT"): "minimum",
    ("G-A437", "SRT"): "maximum",
    ("285285000", "SCT"): "angle",
    ("121211", "DCM"): "length",
}
"""Concepts as older and other programs code them."""

SELECTION_TITLES: Mapping[str, str] = {
    "113000": "Of Interest",
    "113001": "Rejected for Quality Reasons",
    "113002": "For Referring Provider",
    "113003": "For Surgery",
    "113004": "For Teaching",
    "113005": "For Conference",
    "113006": "For Therapy",
    "113007": "For Patient",
    "113008": "For Peer Review",
    "113009": "For Research",
    "113010": "Quality Issue",
}
"""What objects may be selected for (CID 7010)."""


def unit_coding(sign: str) -> Coding:
    """The code of a unit; one that has none becomes an annotation in braces, which UCUM has for that."""
    return UNITS.get(sign) or Coding(f"{{{sign}}}", "UCUM", sign)


def unit_sign(value: str) -> str:
    """The unit as people read it, by its code."""
    return SIGNS[value] if value in SIGNS else value.strip("{}")
