"""Viewports, flips, shapes of pixels, overlays and shutters, each by the few pixels that tell."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.uid import ExplicitVRBigEndian

from charrua_core.errors import CharruaError, RenderingInvalid
from charrua_core.imaging.render import Viewport

NINE = [[1, 2, 3], [4, 5, 6], [7, 8, 9]]


async def parts(seen, an_image, viewport):
    return (await seen(an_image(NINE, dtype="u1"), viewport=viewport)).tolist()


@pytest.mark.parametrize(
    ("viewport", "pixels"),
    [
        pytest.param(Viewport(3, 3), NINE, id="as it is"),
        pytest.param(Viewport(2, 2, 1, 1), [[5, 6], [8, 9]], id="from a corner on"),
        pytest.param(Viewport(2, 1, 0, 1, 2, 1), [[4, 5]], id="a part"),
        pytest.param(Viewport(3, 3, 0, 0, -3, 3), [[3, 2, 1], [6, 5, 4], [9, 8, 7]], id="left and right changed"),
        pytest.param(Viewport(3, 3, 0, 0, 3, -3), [[7, 8, 9], [4, 5, 6], [1, 2, 3]], id="upside down"),
        pytest.param(Viewport(2, 2, 1, 1, -9, -9), [[9, 8], [6, 5]], id="a part beyond the edge, both ways"),
    ],
)
async def test_a_viewport_shows_a_part(seen, an_image, viewport, pixels):
    assert await parts(seen, an_image, viewport) == pixels


@pytest.mark.parametrize(
    ("size", "viewport", "shape"),
    [
        ((10, 20), Viewport(100, 100), (50, 100)),
        ((20, 10), Viewport(100, 100), (100, 50)),
        ((100, 200), Viewport(50, 50), (25, 50)),
        ((100, 200), Viewport(50, 10), (10, 20)),
        ((100, 200), Viewport(40, 40, 0, 0, 50, 100), (40, 20)),
        ((1, 1000), Viewport(100, 100), (1, 100)),
    ],
)
async def test_a_viewport_is_filled_as_far_as_the_shape_allows(seen, an_image, size, viewport, shape):
    assert (await seen(an_image(np.zeros(size), dtype="u1"), viewport=viewport)).shape == shape


@pytest.mark.parametrize("part", [(3, 0, None, None), (0, 3, 1, 1), (2.6, 0, 0.2, 3)])
async def test_a_part_without_pixels_is_refused(seen, an_image, part):
    with pytest.raises(RenderingInvalid):
        await parts(seen, an_image, Viewport(3, 3, *part))


@pytest.mark.parametrize("arguments", [(0, 1), (1, 0), (-1, 5), (20000, 5), (5, 5, -1, 0)])
def test_viewports_that_are_none_are_refused(arguments):
    with pytest.raises(RenderingInvalid):
        Viewport(*arguments)


@pytest.mark.parametrize(
    ("attributes", "shape"),
    [
        ({"PixelAspectRatio": [2, 1]}, (20, 10)),
        ({"PixelAspectRatio": [1, 2]}, (10, 20)),
        ({"PixelSpacing": [1.5, 1]}, (15, 10)),
        ({"ImagerPixelSpacing": [1, 2]}, (10, 20)),
        ({"PixelAspectRatio": [1, 1], "PixelSpacing": [3, 1]}, (10, 10)),
        ({"PixelSpacing": [0, 1]}, (10, 10)),
        ({"PixelSpacing": [1.0001, 1]}, (10, 10)),
    ],
)
async def test_pixels_that_are_no_squares_are_made_so(seen, an_image, attributes, shape):
    assert (await seen(an_image(np.zeros((10, 10)), dtype="u1", **attributes))).shape == shape


async def test_sixteen_bits_stay_sixteen_when_scaled(seen, an_image):
    pixels = await seen(
        an_image(np.full((4, 4), 500), WindowCenter=500, WindowWidth=3), bits=16, viewport=Viewport(8, 8)
    )
    assert (pixels.dtype.itemsize, pixels.shape, set(pixels.ravel().tolist())) == (2, (8, 8), {49151})


# -- overlays --------------------------------------------------------------------------------------------------------


def with_overlay(image, rows, *, group=0x6000, origin=(1, 1), frames=None, first_frame=None):
    bits = np.array(rows, np.uint8)
    image.add_new((group, 0x0010), "US", bits.shape[-2])
    image.add_new((group, 0x0011), "US", bits.shape[-1])
    image.add_new((group, 0x0040), "CS", "G")
    image.add_new((group, 0x0050), "SS", list(origin))
    image.add_new((group, 0x0100), "US", 1)
    image.add_new((group, 0x0102), "US", 0)
    if frames:
        image.add_new((group, 0x0015), "IS", frames)
        image.add_new((group, 0x0051), "US", first_frame)
    packed = np.packbits(bits.ravel(), bitorder="little").tobytes()
    image.add_new((group, 0x3000), "OW", packed + b"\0" * (len(packed) % 2))
    return image


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", ExplicitVRBigEndian, "1.2.840.10008.1.2.1.99"])
async def test_overlays_lie_upon_the_image(seen, an_image, syntax):
    image = with_overlay(an_image(NINE, dtype="u1", transfer_syntax=syntax), [[1, 0, 0], [0, 1, 0], [0, 0, 0]])
    with_overlay(image, [[1]], group=0x6002, origin=(3, 3))
    if syntax == ExplicitVRBigEndian:  # pydicom writes the words as they come
        for group in (0x6000, 0x6002):
            image[group, 0x3000].value = image[group, 0x3000].value[::-1]
    assert (await seen(image)).tolist() == [[255, 2, 3], [4, 255, 6], [7, 8, 255]]
    assert (await seen(image, overlays=False)).tolist() == NINE


@pytest.mark.parametrize(
    ("origin", "pixels"),
    [
        ((2, 2), [[1, 2, 3], [4, 255, 255], [7, 255, 255]]),
        ((0, 0), [[255, 2, 3], [4, 5, 6], [7, 8, 9]]),
        ((3, 0), [[1, 2, 3], [4, 5, 6], [255, 8, 9]]),
        ((9, 9), NINE),
    ],
)
async def test_an_overlay_may_overhang_the_image(seen, an_image, origin, pixels):
    assert (await seen(with_overlay(an_image(NINE, dtype="u1"), [[1, 1], [1, 1]], origin=origin))).tolist() == pixels


async def test_an_overlay_of_several_frames_has_one_for_each_frame_from_its_first(seen, an_image):
    image = an_image([[1, 2, 3]] * 4, dtype="u1", frames=4)
    with_overlay(image, [[[1, 0, 0]], [[0, 0, 1]]], frames=2, first_frame=2)
    found = [(await seen(image, frame))[0].tolist() for frame in (1, 2, 3, 4)]
    assert found == [[1, 2, 3], [255, 2, 3], [1, 2, 255], [1, 2, 3]]


async def test_an_overlay_in_the_unused_bits_of_pixels(seen, an_image):
    image = an_image([[1, 2 | 1 << 12, 3]], BitsStored=12, HighBit=11, WindowCenter=4, WindowWidth=9)
    for element, value in ((0x0010, 1), (0x0011, 3), (0x0100, 16), (0x0102, 12)):
        image.add_new((0x6000, element), "US", value)
    image.add_new((0x6000, 0x0050), "SS", [1, 1])
    assert (await seen(image))[0].tolist() == [48, 255, 112]


@pytest.mark.parametrize("data", [b"", b"\1\0"])
async def test_an_overlay_that_is_not_there_is_left_out(seen, an_image, data):
    image = with_overlay(an_image(NINE * 10, dtype="u1"), np.ones((30, 3)))
    image[0x60003000].value = data
    assert (await seen(image)).tolist() == NINE * 10


# -- shutters --------------------------------------------------------------------------------------------------------

RECTANGULAR = {
    "ShutterLeftVerticalEdge": 2,
    "ShutterRightVerticalEdge": 3,
    "ShutterUpperHorizontalEdge": 2,
    "ShutterLowerHorizontalEdge": 3,
}


@pytest.mark.parametrize(
    ("attributes", "pixels"),
    [
        ({"ShutterShape": "RECTANGULAR", **RECTANGULAR}, [[0, 0, 0], [0, 5, 6], [0, 8, 9]]),
        (
            {"ShutterShape": "RECTANGULAR", **RECTANGULAR, "ShutterPresentationValue": 0xFFFF},
            [[255, 255, 255], [255, 5, 6], [255, 8, 9]],
        ),
        (
            {"ShutterShape": "CIRCULAR", "CenterOfCircularShutter": [2, 2], "RadiusOfCircularShutter": 1},
            [[0, 2, 0], [4, 5, 6], [0, 8, 0]],
        ),
        (
            {"ShutterShape": "POLYGONAL", "VerticesOfThePolygonalShutter": [1, 1, 1, 3, 3, 1]},
            [[1, 2, 3], [4, 5, 0], [7, 0, 0]],
        ),
        (
            {
                "ShutterShape": ["RECTANGULAR", "CIRCULAR"],
                **RECTANGULAR,
                "CenterOfCircularShutter": [2, 2],
                "RadiusOfCircularShutter": 1,
            },
            [[0, 0, 0], [0, 5, 6], [0, 8, 0]],
        ),
        ({"ShutterShape": "CIRCULAR"}, NINE),
    ],
)
async def test_what_lies_outside_of_a_shutter_is_not_seen(seen, an_image, attributes, pixels):
    assert (await seen(an_image(NINE, dtype="u1", **attributes))).tolist() == pixels


async def test_a_frame_that_is_damaged_is_an_error_of_ours(seen, an_image):
    with pytest.raises(CharruaError):
        await seen(an_image(NINE, dtype="u1", PixelData=b"\0\0"))
