"""Whatever stands in an image's attributes, it is seen, or there is an error of ours that says why not."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from charrua_core.errors import CharruaError
from charrua_core.imaging.attributes import BYTES, Attributes
from charrua_core.imaging.pixels import PixelFormat
from charrua_core.imaging.render import RenderRequest, Viewport, work
from charrua_core.imaging.tags import TAGS

EVERYTHING = {
    "RescaleSlope": [1.0], "RescaleIntercept": [0.0], "WindowCenter": [9, 5], "WindowWidth": [9, 5],
    "PresentationLUTShape": ["INVERSE"], "PixelPaddingValue": [0], "PixelPaddingRangeLimit": [3],
    "PixelAspectRatio": [1, 2], "PixelSpacing": [1.0, 2.0], "PixelPresentation": ["MIXED"], "PatientName": ["A^B"],
    "ShutterShape": ["RECTANGULAR", "CIRCULAR", "POLYGONAL", "BITMAP"], "ShutterLeftVerticalEdge": [2],
    "ShutterRightVerticalEdge": [5], "ShutterUpperHorizontalEdge": [2], "ShutterLowerHorizontalEdge": [5],
    "CenterOfCircularShutter": [4, 4], "RadiusOfCircularShutter": [4], "ShutterPresentationValue": [9],
    "VerticesOfThePolygonalShutter": [1, 1, 1, 9, 9, 1], "ShutterOverlayGroup": [0x6000], "KVP": [120],
    "RedPaletteColorLookupTableDescriptor": [4, 9, 16], "GreenPaletteColorLookupTableDescriptor": [4, 9, 16],
    "BluePaletteColorLookupTableDescriptor": [4, 9, 16], "RedPaletteColorLookupTableData": b"abcdefgh",
    "GreenPaletteColorLookupTableData": b"abcdefgh", "SegmentedBluePaletteColorLookupTableData": b"\0\0\4\0abcdefgh",
    "60000010": [8], "60000011": [8], "60000015": [1], "60000050": [1, 1], "60000051": [1], "60000102": [0],
    "60003000": b"12345678",
}  # fmt: skip
LUT = {"LUTDescriptor": [4, 0, 8], "LUTData": b"abcdefgh"}
TEXT = {"AnchorPoint": [1, 1], "AnchorPointAnnotationUnits": ["PIXEL"], "UnformattedTextValue": ["a\r\nb"]}
STATE = {
    "ImageRotation": [90], "ImageHorizontalFlip": ["Y"], "VOILUTSequence": [LUT], "ModalityLUTSequence": [LUT],
    "PresentationLUTSequence": [LUT],
    "ReferencedSeriesSequence": [{"ReferencedImageSequence": [{"ReferencedSOPInstanceUID": ["1.2"]}]}],
    "SoftcopyVOILUTSequence": [{"WindowCenter": [4], "WindowWidth": [4]}],
    "DisplayedAreaSelectionSequence": [{
        "DisplayedAreaTopLeftHandCorner": [1, 1], "DisplayedAreaBottomRightHandCorner": [8, 8],
        "PresentationSizeMode": ["MAGNIFY"], "PresentationPixelMagnificationRatio": [2], "PresentationPixelSpacing": [1, 1],
    }],
    "GraphicLayerSequence": [{"GraphicLayer": ["A"], "GraphicLayerRecommendedDisplayCIELabValue": [1, 2, 3]}],
    "GraphicAnnotationSequence": [{"GraphicLayer": ["A"], "TextObjectSequence": [TEXT], "GraphicObjectSequence": [
        {"GraphicType": [kind], "GraphicData": [1, 1, 4, 4, 2, 2, 6, 6], "GraphicAnnotationUnits": ["PIXEL"]}
        for kind in ("POINT", "POLYLINE", "INTERPOLATED", "CIRCLE", "ELLIPSE")
    ]}],
}  # fmt: skip
NONSENSE = [
    -1,
    0,
    1,
    255,
    65536,
    -(2**31),
    1e308,
    -1e308,
    1e-300,
    0.5,
    None,
    "",
    "x",
    "NaN",
    {},
    [],
    {"Alphabetic": "x"},
]


def elements(attributes) -> dict[str, dict]:
    return {TAGS.get(name, name): element(value) for name, value in attributes.items()}


def element(value) -> dict:
    if isinstance(value, bytes):
        return {"vr": "OW", BYTES: value}
    items = [elements(one) if isinstance(one, dict) else one for one in value]
    return {"vr": "SQ" if isinstance(value[0], dict) else "DS", "Value": items}


def damaged(one, chance: random.Random) -> dict:
    """An element with something in it that makes no sense."""
    one = dict(one)
    if BYTES in one:
        one[BYTES] = chance.choice(
            [b"", b"\0", one[BYTES][:3], chance.randbytes(50), b"\1\0" * 30, b"\2\0\xff\xff\0\0\0\0"]
        )
    elif one["vr"] == "SQ" and chance.random() < 0.8:
        one["Value"] = [spoilt(item, chance) if isinstance(item, dict) and item else item for item in one["Value"]]
    else:
        one["Value"] = [chance.choice(NONSENSE) for _ in range(chance.choice([0, 1, 2, 3, 6]))]
    return one


def spoilt(attributes, chance: random.Random) -> dict[str, dict]:
    tag = chance.choice(list(attributes))
    return {**attributes, tag: damaged(attributes[tag], chance)}


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value", "ignore:divide by zero")
@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize("photometric", ["MONOCHROME2", "PALETTE COLOR"])
def test_attributes_that_make_no_sense_make_no_error_but_ours(photometric, signed):
    layout = PixelFormat(
        "1.2.840.10008.1.2.1", 8, 8, pixel_representation=signed, photometric_interpretation=photometric
    )
    pixels = np.arange(64, dtype="<u2").tobytes()
    request = RenderRequest(viewport=Viewport(32, 32), annotation=frozenset({"patient", "technique"}))
    plain = work.Work("1.2", layout, [1], [pixels], [], request, 100.0)
    chance, seen = random.Random(photometric + str(signed)), 0
    for _ in range(300):
        image, state = elements(EVERYTHING), elements({**EVERYTHING, **STATE})
        for _ in range(chance.choice([1, 2, 4])):
            image, state = spoilt(image, chance), spoilt(state, chance)
        laid_over = Attributes(state) if chance.random() < 0.5 else None
        try:
            seen += bool(work.render(replace(plain, attributes=[Attributes(image)], state=laid_over)))
        except CharruaError as error:
            assert str(error)
    assert seen > 50
