"""Structured reports and recordings for tests, small and valid, each with UIDs of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import UID, ComprehensiveSRStorage, TwelveLeadECGWaveformStorage

from charrua_core.testing.objects import an_object

_OF_IMAGES = (
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelData",
)


def a_document(*, transfer_syntax: str = "1.2.840.10008.1.2.1", **attributes: Any) -> Dataset:
    """An object without pixels and with the attributes given."""
    return an_object(transfer_syntax=transfer_syntax, **{**dict.fromkeys(_OF_IMAGES), **attributes})


def a_code(meaning: str, value: str = "1", scheme: str = "99TEST") -> list[Dataset]:
    """A code sequence of one item."""
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return [code]


def an_item(
    value_type: str, name: str = "", *children: Dataset, relationship: str = "CONTAINS", **attributes: Any
) -> Dataset:
    """A content item with the attributes given, and items below it."""
    item = Dataset()
    item.RelationshipType, item.ValueType = relationship, value_type
    if name:
        item.ConceptNameCodeSequence = a_code(name)
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    if children:
        item.ContentSequence = list(children)
    return item


def a_text(name: str, text: str, *children: Dataset, **attributes: Any) -> Dataset:
    """A content item that is text."""
    return an_item("TEXT", name, *children, TextValue=text, **attributes)


def a_number(name: str, number: str, units: str = "mm", *children: Dataset, **attributes: Any) -> Dataset:
    """A content item that is a number with UCUM units."""
    measured = Dataset()
    measured.NumericValue = number
    measured.MeasurementUnitsCodeSequence = a_code(units, units, "UCUM")
    return an_item("NUM", name, *children, MeasuredValueSequence=[measured], **attributes)


def a_section(name: str, *children: Dataset, **attributes: Any) -> Dataset:
    """A container."""
    return an_item("CONTAINER", name, *children, **{"ContinuityOfContent": "SEPARATE", **attributes})


def a_report(*children: Dataset, title: str = "Report", **attributes: Any) -> Dataset:
    """A Comprehensive SR of these content items, complete and verified."""
    root = a_section(title, *children)
    del root.RelationshipType
    kept: dict[str, Any] = {
        "SOPClassUID": ComprehensiveSRStorage,
        "Modality": "SR",
        "CompletionFlag": "COMPLETE",
        "VerificationFlag": "VERIFIED",
        "ContentDate": "20260102",
        "ContentTime": "101112",
    }
    report = a_document(**{**kept, **attributes})
    report.update(root)
    return report


def a_group(samples: bytes, channels: Sequence[str], **attributes: Any) -> Dataset:
    """A multiplex group of 16-bit samples, 500 a second, one step of each a microvolt; channels are named after leads."""
    group = Dataset()
    told: dict[str, Any] = {
        "WaveformOriginality": "ORIGINAL",
        "NumberOfWaveformChannels": len(channels),
        "NumberOfWaveformSamples": len(samples) // 2 // len(channels),
        "SamplingFrequency": "500",
        "ChannelDefinitionSequence": [_channel(name) for name in channels],
        "WaveformBitsAllocated": 16,
        "WaveformSampleInterpretation": "SS",
        "WaveformData": samples,
    }
    for keyword, value in {**told, **attributes}.items():
        setattr(group, keyword, value)
    group["WaveformData"].VR = "OW" if group.WaveformBitsAllocated > 8 else "OB"
    return group


def _channel(name: str) -> Dataset:
    channel = Dataset()
    channel.ChannelLabel = name
    channel.ChannelSourceSequence = a_code(f"Lead {name}", f"source {name}"[:16])
    channel.ChannelSensitivity, channel.ChannelSensitivityCorrectionFactor, channel.ChannelBaseline = "1", "1", "0"
    channel.ChannelSensitivityUnitsSequence = a_code("microvolt", "uV", "UCUM")
    channel.ChannelSampleSkew, channel.WaveformBitsStored = "0", 16
    return channel


def a_recording(*groups: Dataset, sop_class_uid: str = TwelveLeadECGWaveformStorage, **attributes: Any) -> Dataset:
    """A recording of these multiplex groups."""
    told = {"SOPClassUID": UID(sop_class_uid), "Modality": "ECG", "AcquisitionDateTime": "20260102101112"}
    return a_document(**{**told, "WaveformSequence": list(groups), **attributes})
