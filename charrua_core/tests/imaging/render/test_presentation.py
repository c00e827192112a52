"""Images under Softcopy Presentation States (PS3.3 A.33, PS3.4 N)."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.uid import (
    ColorSoftcopyPresentationStateStorage,
    GrayscaleSoftcopyPresentationStateStorage,
    PseudoColorSoftcopyPresentationStateStorage,
)

from charrua_core.errors import ImageInvalid, RenderingInvalid
from charrua_core.imaging.render import Viewport
from charrua_core.testing.objects import an_object
from charrua_core.testing.outside import DATA, dcmtk, with_data, with_dcmtk

NINE = [[1, 2, 3], [4, 5, 6], [7, 8, 9]]


def item(**attributes) -> Dataset:
    made = Dataset()
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


def reference(image, *frames) -> Dataset:
    made = item(ReferencedSOPClassUID=image.SOPClassUID, ReferencedSOPInstanceUID=image.SOPInstanceUID)
    if frames:
        made.ReferencedFrameNumber = list(frames)
    return made


OF_PIXELS = [
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PixelData",
]


def a_state(image, *frames, kind=GrayscaleSoftcopyPresentationStateStorage, **attributes) -> Dataset:
    """A presentation state about the image, or frames of it."""
    series = item(SeriesInstanceUID=image.SeriesInstanceUID, ReferencedImageSequence=[reference(image, *frames)])
    without = dict.fromkeys(OF_PIXELS)
    return an_object(
        **{**without, "SOPClassUID": kind, "Modality": "PR", "ReferencedSeriesSequence": [series], **attributes}
    )


@pytest.fixture
def nine(an_image):
    return an_image(NINE, dtype="u1")


@with_data
@with_dcmtk
async def test_all_tables_of_a_state_give_what_dcmtk_makes_of_them(seen, tmp_path):
    image, state = DATA / "ko-pr" / "imageForPrLUTs.dcm", DATA / "ko-pr" / "prLUTs.dcm"
    status, said = await dcmtk("dcmp2pgm", "-p", state, image, tmp_path / "theirs.pgm")
    assert status == 0, said
    assert ((await seen(image, state=state)) == np.asarray(Image.open(tmp_path / "theirs.pgm"))).all()


async def test_a_state_says_what_the_image_says_no_more(seen, an_image):
    own = {"RescaleSlope": 2, "RescaleIntercept": 3, "WindowCenter": 1, "WindowWidth": 1}
    image = an_image([[0, 2048, 4095]], BitsStored=12, HighBit=11, PhotometricInterpretation="MONOCHROME1", **own)
    assert (await seen(image, state=a_state(image, PresentationLUTShape="IDENTITY")))[0].tolist() == [0, 128, 255]
    assert (await seen(image, state=a_state(image, PresentationLUTShape="INVERSE")))[0].tolist() == [255, 127, 0]


async def test_the_window_of_a_state_is_that_for_the_frame(seen, an_image):
    image = an_image([[5, 15, 25]] * 3, frames=3)
    voi = [
        item(WindowCenter=10, WindowWidth=1, ReferencedImageSequence=[reference(image, 1)]),
        item(WindowCenter=20, WindowWidth=1, ReferencedImageSequence=[reference(image, 2, 3)]),
    ]
    state = a_state(image, PresentationLUTShape="IDENTITY", SoftcopyVOILUTSequence=voi)
    found = [(await seen(image, frame, state=state))[0].tolist() for frame in (1, 2, 3)]
    assert found == [[0, 255, 255], [0, 0, 255], [0, 0, 255]]


@pytest.mark.parametrize(
    ("rotation", "flip", "pixels"),
    [
        (0, "N", NINE),
        (90, "N", [[7, 4, 1], [8, 5, 2], [9, 6, 3]]),
        (180, "N", [[9, 8, 7], [6, 5, 4], [3, 2, 1]]),
        (270, "N", [[3, 6, 9], [2, 5, 8], [1, 4, 7]]),
        (0, "Y", [[3, 2, 1], [6, 5, 4], [9, 8, 7]]),
        (90, "Y", [[1, 4, 7], [2, 5, 8], [3, 6, 9]]),
    ],
)
async def test_the_image_is_turned_clockwise_and_then_flipped(seen, nine, rotation, flip, pixels):
    assert (await seen(nine, state=a_state(nine, ImageRotation=rotation, ImageHorizontalFlip=flip))).tolist() == pixels


@pytest.mark.parametrize(
    ("first", "last", "more", "pixels"),
    [
        ([2, 2], [3, 3], {}, [[5, 6], [8, 9]]),
        ([0, 1], [2, 1], {}, [[0, 1, 2]]),
        ([3, 3], [4, 4], {}, [[9, 0], [0, 0]]),
        ([9, 9], [9, 9], {}, [[0]]),
        ([3, 1], [1, 1], {"ImageHorizontalFlip": "Y"}, [[3, 2, 1]]),
        ([1, 1], [2, 1], {"ImageRotation": 90}, [[1], [2]]),
    ],
)
async def test_the_displayed_area_is_seen_also_beyond_the_image(seen, nine, first, last, more, pixels):
    area = item(
        DisplayedAreaTopLeftHandCorner=first,
        DisplayedAreaBottomRightHandCorner=last,
        PresentationSizeMode="SCALE TO FIT",
        PresentationPixelAspectRatio=[1, 1],
    )
    assert (await seen(nine, state=a_state(nine, DisplayedAreaSelectionSequence=[area], **more))).tolist() == pixels


@pytest.mark.parametrize(
    ("more", "viewport", "shape"),
    [
        ({"PresentationSizeMode": "MAGNIFY", "PresentationPixelMagnificationRatio": 4}, None, (12, 12)),
        ({"PresentationSizeMode": "SCALE TO FIT"}, Viewport(30, 60), (30, 30)),
        ({"PresentationSizeMode": "SCALE TO FIT", "PresentationPixelAspectRatio": [2, 1]}, None, (6, 3)),
    ],
)
async def test_the_displayed_area_is_magnified_or_fills_the_viewport(seen, nine, more, viewport, shape):
    area = item(DisplayedAreaTopLeftHandCorner=[1, 1], DisplayedAreaBottomRightHandCorner=[3, 3], **more)
    assert (
        await seen(nine, viewport=viewport, state=a_state(nine, DisplayedAreaSelectionSequence=[area]))
    ).shape == shape


async def test_shutters_are_those_of_the_state(seen, an_image):
    image = an_image(
        NINE, dtype="u1", ShutterShape="CIRCULAR", CenterOfCircularShutter=[1, 1], RadiusOfCircularShutter=1
    )
    edges = {"ShutterLeftVerticalEdge": 2, "ShutterRightVerticalEdge": 2}
    state = a_state(
        image, ShutterShape="RECTANGULAR", ShutterUpperHorizontalEdge=1, ShutterLowerHorizontalEdge=3, **edges,
        ShutterPresentationValue=0xFFFF,
    )  # fmt: skip
    assert (await seen(image, state=state)).tolist() == [[255, 2, 255], [255, 5, 255], [255, 8, 255]]


def plane(made, group, rows, **more):
    bits = np.array(rows, np.uint8)
    for element, vr, value in ((0x10, "US", 3), (0x11, "US", 3), (0x40, "CS", "G"), (0x100, "US", 1), (0x102, "US", 0)):
        made.add_new((group, element), vr, value)
    made.add_new((group, 0x50), "SS", [1, 1])
    made.add_new((group, 0x3000), "OW", np.packbits(bits.ravel(), bitorder="little").tobytes())
    return made


DIAGONAL, ROW = [[1, 0, 0], [0, 1, 0], [0, 0, 1]], [[1, 1, 1], [0, 0, 0], [0, 0, 0]]


async def test_a_state_activates_overlays_of_the_image_in_the_shade_of_their_layer(seen, nine):
    plane(nine, 0x6000, DIAGONAL)
    plane(nine, 0x6002, ROW)
    layer = item(GraphicLayer="MARKS", GraphicLayerOrder=1, GraphicLayerRecommendedDisplayGrayscaleValue=0x8080)
    state = a_state(nine, GraphicLayerSequence=[layer])
    state.add_new((0x6000, 0x1001), "CS", "MARKS")
    assert (await seen(nine, state=state)).tolist() == [[128, 2, 3], [4, 128, 6], [7, 8, 128]]


async def test_a_bitmap_shutter_hides(seen, nine):
    state = plane(
        a_state(nine, ShutterShape="BITMAP", ShutterOverlayGroup=0x6004, ShutterPresentationValue=0), 0x6004, ROW
    )
    assert (await seen(nine, state=state)).tolist() == [[0, 0, 0], [4, 5, 6], [7, 8, 9]]


async def test_grey_levels_get_the_colours_of_a_pseudo_color_state(seen, nine):
    ramp = np.arange(256, dtype="<u2") << 8
    tables = {"Red": ramp, "Green": ramp[::-1], "Blue": np.zeros(256, "<u2")}
    attributes = {}
    for colour, entries in tables.items():
        attributes[f"{colour}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        attributes[f"{colour}PaletteColorLookupTableData"] = entries.tobytes()
    state = a_state(nine, kind=PseudoColorSoftcopyPresentationStateStorage, **attributes)
    assert (await seen(nine, state=state))[0].tolist() == [[1, 254, 0], [2, 253, 0], [3, 252, 0]]
    with pytest.raises(ImageInvalid):
        await seen(nine, state=a_state(nine, kind=PseudoColorSoftcopyPresentationStateStorage))


async def test_a_color_state_turns_colour_images_and_brings_its_profile(rendered, an_image):
    image = an_image([[[255, 0, 0], [0, 255, 0]]], dtype="u1")
    plain = Image.open(io.BytesIO(await rendered(image, icc_profile="displayp3")))
    state = a_state(
        image, kind=ColorSoftcopyPresentationStateStorage, ImageHorizontalFlip="Y", ICCProfile=plain.info["icc_profile"]
    )
    shown = Image.open(io.BytesIO(await rendered(image, state=state, icc_profile="yes")))
    assert np.asarray(shown)[0].tolist() == [[0, 255, 0], [255, 0, 0]]
    assert shown.info["icc_profile"] == plain.info["icc_profile"]


@pytest.mark.parametrize("frames", [(), (2,)])
async def test_a_state_about_other_images_or_frames_is_refused(seen, nine, frames):
    other = nine if frames else an_object()
    with pytest.raises(RenderingInvalid):
        await seen(nine, state=a_state(other, *frames))


# -- graphics: a black image of 40 × 40, and where it is white then ---------------------------------------------------

CASES = [
    ("POLYLINE", [5, 10, 35, 10], "N", [(20, 10)], [(20, 13), (2, 10)]),
    ("POLYLINE", [5, 5, 35, 5, 35, 35, 5, 35, 5, 5], "Y", [(20, 20), (6, 6)], [(38, 38)]),
    ("CIRCLE", [20, 20, 30, 20], "N", [(30, 20), (20, 10), (10, 20)], [(20, 20), (33, 20)]),
    ("CIRCLE", [20, 20, 30, 20], "Y", [(20, 20), (27, 27)], [(29, 29)]),
    ("ELLIPSE", [5, 20, 35, 20, 20, 15, 20, 25], "N", [(5, 20), (20, 15), (20, 25)], [(20, 20), (20, 30)]),
    ("POINT", [20, 20], "N", [(20, 20), (22, 20)], [(30, 30)]),
    ("INTERPOLATED", [5, 20, 20, 10, 35, 20], "N", [(20, 10), (5, 20)], [(20, 20)]),
]


@pytest.mark.parametrize("units", ["PIXEL", "DISPLAY"])
@pytest.mark.parametrize(("kind", "data", "filled", "white", "black"), CASES)
async def test_graphics_are_drawn_where_they_belong(seen, an_image, kind, data, filled, white, black, units):
    image = an_image(np.zeros((40, 40)), dtype="u1")
    given = [number / 40 for number in data] if units == "DISPLAY" else data
    graphic = item(
        GraphicAnnotationUnits=units, GraphicDimensions=2, NumberOfGraphicPoints=len(data) // 2, GraphicData=given,
        GraphicType=kind, GraphicFilled=filled,
    )  # fmt: skip
    pixels = await seen(image, state=a_state(image, GraphicAnnotationSequence=[item(GraphicObjectSequence=[graphic])]))
    around = [pixels[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2].max() for x, y in white]
    assert min(around) == 255
    assert [pixels[y, x] for x, y in black] == [0] * len(black)


async def test_graphics_turn_and_grow_with_the_image(seen, an_image):
    image = an_image(np.zeros((40, 40)), dtype="u1")
    graphic = item(
        GraphicAnnotationUnits="PIXEL", GraphicData=[5, 10, 35, 10], GraphicType="POLYLINE", GraphicFilled="N"
    )
    state = a_state(image, ImageRotation=90, GraphicAnnotationSequence=[item(GraphicObjectSequence=[graphic])])
    pixels = await seen(image, state=state, viewport=Viewport(80, 80))
    assert (pixels[12:68, 58:62].max(axis=1) == 255).all() and pixels[:, :50].max() == 0


async def test_graphics_are_drawn_upon_the_frames_that_they_are_about_in_the_colour_of_their_layer(seen, an_image):
    image = an_image(np.zeros((80, 40, 3)), dtype="u1", frames=2)
    graphic = item(
        GraphicAnnotationUnits="PIXEL", GraphicData=[0, 20, 40, 20], GraphicType="POLYLINE", GraphicFilled="N"
    )
    annotation = item(
        GraphicLayer="RED", GraphicObjectSequence=[graphic], ReferencedImageSequence=[reference(image, 2)]
    )
    red = [round(54.29 * 655.35), round((80.81 + 128) * 257), round((69.89 + 128) * 257)]
    layer = item(GraphicLayer="RED", GraphicLayerOrder=1, GraphicLayerRecommendedDisplayCIELabValue=red)
    state = a_state(
        image,
        kind=ColorSoftcopyPresentationStateStorage,
        GraphicLayerSequence=[layer],
        GraphicAnnotationSequence=[annotation],
    )
    assert (await seen(image, 1, state=state)).max() == 0
    assert np.abs((await seen(image, 2, state=state))[19:21, 20].max(axis=0).astype(int) - [255, 0, 0]).max() <= 6


async def test_a_grey_image_gets_colours_for_annotations_in_colour_alone(seen, an_image):
    image = an_image(np.zeros((40, 40)), dtype="u1")
    graphic = item(
        GraphicAnnotationUnits="PIXEL", GraphicData=[0, 20, 40, 20], GraphicType="POLYLINE", GraphicFilled="N"
    )
    found = []
    for lab in ([0xFFFF, 0x8080, 0x8080], [0x8B00, 0xD0D0, 0xC6C6]):
        layer = item(GraphicLayer="A", GraphicLayerOrder=1, GraphicLayerRecommendedDisplayCIELabValue=lab)
        annotation = item(GraphicLayer="A", GraphicObjectSequence=[graphic])
        state = a_state(image, GraphicLayerSequence=[layer], GraphicAnnotationSequence=[annotation])
        found.append((await seen(image, state=state)).shape)
    assert found == [(40, 40), (40, 40, 3)]


@pytest.mark.parametrize("units", ["PIXEL", "DISPLAY"])
async def test_texts_stand_in_their_box_or_at_their_anchor(seen, an_image, units):
    image = an_image(np.zeros((200, 200)), dtype="u1")
    scale = 200 if units == "DISPLAY" else 1
    boxed = item(
        BoundingBoxAnnotationUnits=units,
        BoundingBoxTopLeftHandCorner=[100 / scale, 20 / scale],
        BoundingBoxBottomRightHandCorner=[180 / scale, 60 / scale],
        UnformattedTextValue="Tumour\r\nT2",
    )
    anchored = item(
        AnchorPointAnnotationUnits=units, AnchorPoint=[20 / scale, 150 / scale], AnchorPointVisibility="N",
        UnformattedTextValue="here",
    )  # fmt: skip
    annotation = item(TextObjectSequence=[boxed, anchored])
    pixels = await seen(image, state=a_state(image, GraphicAnnotationSequence=[annotation]))
    ys, xs = np.nonzero(pixels > 200)
    upper = ys < 100
    assert upper.any() and xs[upper].min() >= 98 and xs[upper].max() <= 182 and ys[upper].min() >= 18
    assert ys[upper].max() <= 64
    assert xs[~upper].min() >= 18 and xs[~upper].max() < 80 and ys[~upper].min() >= 148
