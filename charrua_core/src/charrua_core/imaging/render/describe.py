"""What rendering needs to know of an object: a few attributes, those of the frame's functional groups among them.

Runs in the server: it keeps what goes to a worker small, and says which values are still to be read from the file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from charrua_core.archive.datasets.elements import EXPLICIT_VR_BIG_ENDIAN
from charrua_core.errors import ImageInvalid
from charrua_core.imaging.attributes import Attributes, Elements, bulk_elements, with_bytes
from charrua_core.imaging.frames import read_ranges
from charrua_core.imaging.headers import bulk_range
from charrua_core.imaging.stored import StoredObject
from charrua_core.imaging.tags import tags

_MOST_BULK_BYTES = 64 << 20
_WORDS = frozenset({"OW", "US", "SS"})


_SHOWN = tags("""
    SOPInstanceUID Modality PixelIntensityRelationship ModalityLUTSequence RescaleSlope RescaleIntercept
    VOILUTSequence WindowCenter WindowWidth VOILUTFunction PresentationLUTSequence PresentationLUTShape
    PixelPaddingValue PixelPaddingRangeLimit FloatPixelPaddingValue FloatPixelPaddingRangeLimit
    DoubleFloatPixelPaddingValue DoubleFloatPixelPaddingRangeLimit SegmentationType MaximumFractionalValue
    RedPaletteColorLookupTableDescriptor GreenPaletteColorLookupTableDescriptor BluePaletteColorLookupTableDescriptor
    RedPaletteColorLookupTableData GreenPaletteColorLookupTableData BluePaletteColorLookupTableData
    SegmentedRedPaletteColorLookupTableData SegmentedGreenPaletteColorLookupTableData
    SegmentedBluePaletteColorLookupTableData PixelPresentation ICCProfile
    PixelAspectRatio PixelSpacing ImagerPixelSpacing NominalScannedPixelSpacing
    ShutterShape ShutterLeftVerticalEdge ShutterRightVerticalEdge ShutterUpperHorizontalEdge ShutterLowerHorizontalEdge
    CenterOfCircularShutter RadiusOfCircularShutter VerticesOfThePolygonalShutter ShutterPresentationValue ShutterOverlayGroup
    FrameTime FrameTimeVector CineRate RecommendedDisplayFrameRate
    PatientName PatientID PatientBirthDate PatientSex StudyDate SeriesDescription SeriesNumber InstanceNumber KVP
    XRayTubeCurrent SliceThickness SliceLocation RepetitionTime EchoTime Manufacturer InstitutionName
""")
_OF_FRAMES = tags("""
    PixelValueTransformationSequence FrameVOILUTSequence PixelMeasuresSequence FrameDisplayShutterSequence
    MRImageFrameTypeSequence CTImageFrameTypeSequence PETFrameTypeSequence
""")
"""Functional group macros whose attributes stand for the image's own (PS3.3 C.7.6.16.2)."""
_OF_PATHS = tags("ICCProfile")


def described(attributes: Attributes, frame: int) -> Elements:
    """Give the attributes that say how frame `frame` (from 1) is shown, those of its functional groups at the top."""
    kept = _kept(attributes.elements)
    optical_path = attributes.item("OpticalPathSequence")
    if optical_path is not None:
        kept |= {tag: optical_path.elements[tag] for tag in _OF_PATHS if tag in optical_path.elements}
    frames = attributes.values("PerFrameFunctionalGroupsSequence")
    for group in [*attributes.items("SharedFunctionalGroupsSequence"), *map(Attributes, frames[frame - 1 : frame])]:
        for macro in map(group.item, _OF_FRAMES):
            kept |= _kept(macro.elements) if macro is not None else {}
    return kept


def _kept(elements: Elements) -> dict[str, Mapping[str, Any]]:
    return {tag: element for tag, element in elements.items() if tag in _SHOWN or tag[:2] == "60"}


async def with_bulk(image: StoredObject, several: Sequence[Elements]) -> list[Attributes]:
    """Give attributes of the object with the values that the index left in its file, each of which is read once.

    Raises as `read_ranges` does, and ImageInvalid where they are too large.
    """
    left = [element for elements in several for element in bulk_elements(elements)]
    if not left:
        return [Attributes(elements) for elements in several]
    ranges = {element["BulkDataURI"]: bulk_range(element["BulkDataURI"]) for element in left}
    if sum(length for _, length in ranges.values()) > _MOST_BULK_BYTES:
        raise ImageInvalid("the tables, overlays and profiles of the object are too large to be shown")
    read = dict(zip(ranges, await read_ranges(image, list(ranges.values())), strict=True))
    if image.transfer_syntax_uid == EXPLICIT_VR_BIG_ENDIAN:
        words = {element["BulkDataURI"] for element in left if element["vr"] in _WORDS}
        read |= {uri: _swapped(read[uri]) for uri in words}
    return [Attributes(with_bytes(elements, read)) for elements in several]


def _swapped(words: bytes) -> bytes:
    swapped = bytearray(len(words) // 2 * 2)
    swapped[::2], swapped[1::2] = words[1::2], words[: len(swapped)][::2]
    return bytes(swapped)


def frame_time_ms(attributes: Attributes) -> float:
    """Give the milliseconds from one frame to the next: as told for the display, as acquired, else 100."""
    vector = attributes.numbers("FrameTimeVector")[1:]
    rate = attributes.number("RecommendedDisplayFrameRate") or attributes.number("CineRate")
    told = 1000 / rate if rate and rate > 0 else attributes.number("FrameTime")
    told = told or (sum(vector) / len(vector) if vector else None)
    return min(max(told, 1.0), 60_000.0) if told else 100.0
