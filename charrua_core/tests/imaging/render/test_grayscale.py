"""Grey levels against numbers computed by hand from PS3.3 C.11 and C.7.5.1.1.2."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.dataset import Dataset

from charrua_core.errors import RenderingInvalid
from charrua_core.imaging.render import Window


def lut(first: int, entries: list[int], bits: int = 8, vr: str = "US") -> list[Dataset]:
    item = Dataset()
    item.add_new("LUTDescriptor", vr, [len(entries), first, bits])
    item.add_new("LUTData", "OW", np.array(entries, "<u2").tobytes())
    item.ModalityLUTType = "US"
    return [item]


WINDOWS = [
    # of LINEAR, 44.5 and below is black, above 54.5 is white
    pytest.param(Window(50, 11), [44, 45, 49, 50, 54, 55], [0, 13, 115, 140, 242, 255], id="LINEAR"),
    pytest.param(Window(50, 1), [48, 49, 50, 51], [0, 0, 255, 255], id="LINEAR of width 1"),
    pytest.param(Window(50, 10, "LINEAR_EXACT"), [45, 47, 50, 53, 55], [0, 51, 128, 204, 255], id="LINEAR_EXACT"),
    pytest.param(Window(50, 10, "SIGMOID"), [0, 45, 50, 55, 100], [0, 30, 128, 225, 255], id="SIGMOID"),
]


@pytest.mark.parametrize(("window", "values", "levels"), WINDOWS)
async def test_a_window_asked_for(grey_of, window, values, levels):
    assert await grey_of(values, window=window) == levels


@pytest.mark.parametrize(("window", "values", "levels"), WINDOWS)
async def test_the_object_s_own_window(grey_of, window, values, levels):
    own = {"WindowCenter": window.center, "WindowWidth": window.width, "VOILUTFunction": window.function}
    assert await grey_of(values, own) == levels


@pytest.mark.parametrize(
    ("choice", "levels"),
    [(0, [0, 255]), (1, [255, 255]), (2, [7, 9])],
)
async def test_several_windows_and_the_luts_behind_them_are_chosen_by_number(grey_of, choice, levels):
    own = {"WindowCenter": [15, 5], "WindowWidth": [1, 1], "VOILUTSequence": lut(10, [7, *[8] * 9, 9])}
    assert await grey_of([10, 20], own, voi=choice) == levels


async def test_a_window_that_the_object_does_not_have_is_refused(grey_of):
    with pytest.raises(RenderingInvalid):
        await grey_of([10, 20], {"WindowCenter": 15, "WindowWidth": 1}, voi=1)


@pytest.mark.parametrize(
    ("attributes", "levels"),
    [
        pytest.param({"WindowCenter": 0, "WindowWidth": 0}, [0, 128, 255], id="of width 0: none"),
        pytest.param({"WindowCenter": 10, "WindowWidth": None}, [0, 128, 255], id="without width: none"),
        pytest.param({"WindowCenter": 10.5, "WindowWidth": 0.5}, [0, 0, 255], id="below 1: LINEAR_EXACT"),
    ],
)
async def test_windows_that_are_none(grey_of, attributes, levels):
    assert await grey_of([0, 10, 20], attributes) == levels


@pytest.mark.parametrize("width", [0, -1, 0.5, float("nan")])
def test_a_window_asked_for_is_wide_enough(width):
    with pytest.raises(RenderingInvalid):
        Window(10, width)


async def test_rescale_comes_before_the_window(grey_of):
    own = {
        "RescaleSlope": 2,
        "RescaleIntercept": -100,
        "WindowCenter": 0,
        "WindowWidth": 20,
        "VOILUTFunction": "LINEAR_EXACT",
    }
    assert await grey_of([44, 47, 50, 56], own) == [0, 51, 128, 255]


async def test_the_modality_lut_goes_before_rescale_and_holds_its_ends(grey_of):
    own = {"ModalityLUTSequence": lut(10, [100, 200, 300], 16), "RescaleSlope": 5, "RescaleIntercept": 1}
    assert await grey_of([0, 10, 11, 12, 60000], own, window=Window(200, 200, "LINEAR_EXACT")) == [0, 0, 128, 255, 255]


async def test_a_first_input_below_zero_is_understood_whatever_its_vr(grey_of):
    signed = {"dtype": "<i2", "ModalityLUTSequence": lut(0x10000 - 2, [0, 100, 200], 8)}
    assert await grey_of([-2, -1, 0], signed, window=Window(100, 200, "LINEAR_EXACT")) == [0, 128, 255]


@pytest.mark.parametrize(("relationship", "levels"), [("LIN", [255, 0]), ("LOG", [0, 255]), ("DISP", [0, 255])])
async def test_the_modality_lut_of_angiography_is_not_for_the_display(grey_of, relationship, levels):
    own = {"Modality": "XA", "PixelIntensityRelationship": relationship, "ModalityLUTSequence": lut(0, [255, 0])}
    assert await grey_of([0, 1], own) == levels


@pytest.mark.parametrize(
    ("entries", "bits", "levels"),
    [([0, 100, 255], 8, [0, 100, 255]), ([0, 2048, 4095], 12, [0, 128, 255]), ([0, 0x8000, 0xFFFF], 16, [0, 128, 255])],
)
async def test_a_voi_lut_counts_by_its_bits(grey_of, entries, bits, levels):
    assert await grey_of([20, 21, 22], {"VOILUTSequence": lut(20, entries, bits)}) == levels


async def test_a_lut_of_bytes_in_ow(grey_of):
    item = lut(20, [0, 0, 0])
    item[0].LUTData = bytes([0, 100, 255, 0])
    assert await grey_of([20, 21, 22], {"VOILUTSequence": item}) == [0, 100, 255]


@pytest.mark.parametrize(
    ("photometric", "shape", "levels"),
    [
        ("MONOCHROME2", None, [0, 255]),
        ("MONOCHROME1", None, [255, 0]),
        ("MONOCHROME1", "INVERSE", [255, 0]),
        ("MONOCHROME2", "INVERSE", [255, 0]),
        ("MONOCHROME1", "IDENTITY", [0, 255]),
    ],
)
async def test_what_is_black_is_told_once(grey_of, photometric, shape, levels):
    own = {"PhotometricInterpretation": photometric, "PresentationLUTShape": shape}
    assert await grey_of([10, 20], own, window=Window(15, 2)) == levels


@pytest.mark.parametrize(
    ("own", "values", "levels"),
    [
        pytest.param({"PixelPaddingValue": 5000}, [0, 100, 200, 5000], [0, 128, 255, 0], id="a value"),
        pytest.param(
            {"PixelPaddingValue": 5000, "PixelPaddingRangeLimit": 6000},
            [0, 200, 5000, 5500, 6000],
            [0, 255, 0, 0, 0],
            id="a range",
        ),
        pytest.param({"dtype": "<i2", "PixelPaddingValue": -2000}, [-2000, 0, 100], [0, 0, 255], id="signed"),
        pytest.param(
            {"PixelPaddingValue": 0, "PhotometricInterpretation": "MONOCHROME1"},
            [0, 10, 20],
            [0, 255, 0],
            id="black in MONOCHROME1",
        ),
    ],
)
async def test_padding_is_black_and_does_not_widen_the_window(grey_of, own, values, levels):
    assert await grey_of(values, own) == levels


FRACTIONAL = {"dtype": "u1", "SegmentationType": "FRACTIONAL", "MaximumFractionalValue": 100}


@pytest.mark.parametrize(
    ("own", "values", "levels"),
    [
        pytest.param({"dtype": "u1"}, [10, 100, 200], [10, 100, 200], id="bytes as they are"),
        pytest.param({"dtype": "i1"}, [-128, 0, 127], [0, 128, 255], id="signed bytes"),
        pytest.param({}, [1000, 1500, 2000], [0, 128, 255], id="words between least and greatest"),
        pytest.param({"dtype": "<i2", "RescaleSlope": -1}, [-10, 0, 10], [255, 128, 0], id="turned round by the slope"),
        pytest.param({"dtype": "<u4"}, [0, 2**31, 2**32 - 1], [0, 128, 255], id="32 bits"),
        pytest.param({"dtype": "<i4"}, [-(2**31), 0, 2**31 - 1], [0, 128, 255], id="32 bits, signed"),
        pytest.param({}, [7, 7, 7], [0, 0, 0], id="all the same"),
        pytest.param(FRACTIONAL, [0, 50, 100], [0, 128, 255], id="fractional segmentation"),
        pytest.param({"dtype": "u1", "SegmentationType": "LABELMAP"}, [0, 1, 2], [0, 128, 255], id="label map"),
    ],
)  # fmt: skip
async def test_without_a_window_all_values_that_there_are_get_seen(grey_of, own, values, levels):
    assert await grey_of(values, own) == levels


async def test_single_bits_are_black_and_white(seen, an_image):
    image = an_image([[0b01100101]], dtype="u1", Rows=2, Columns=4, BitsAllocated=1, BitsStored=1, HighBit=0)
    assert (await seen(image)).tolist() == [[255, 0, 255, 0], [0, 255, 255, 0]]


@pytest.mark.parametrize(("keyword", "kind"), [("FloatPixelData", "<f4"), ("DoubleFloatPixelData", "<f8")])
async def test_floating_point_pixels(seen, an_image, keyword, kind):
    values = np.array([[0.0, 0.25, 0.5, 1.0, np.inf, np.nan, -7.0]], kind)
    image = an_image(values, dtype=kind, PixelData=None, BitsStored=None, HighBit=None, PixelRepresentation=None)
    setattr(image, keyword, values.tobytes())
    setattr(image, keyword.replace("Data", "PaddingValue"), -7.0)
    assert (await seen(image)).tolist() == [[0, 64, 128, 255, 255, 0, 0]]
    image.WindowCenter, image.WindowWidth, image.VOILUTFunction = 0.25, 0.5, "LINEAR"
    assert (await seen(image)).tolist() == [[0, 128, 255, 255, 255, 0, 0]]


async def test_sixteen_bits_of_grey(seen, an_image):
    levels = await seen(an_image([[0, 1, 2]]), bits=16, window=Window(1, 2, "LINEAR_EXACT"))
    assert (levels.tolist(), levels.dtype.itemsize) == ([[0, 32768, 65535]], 2)


async def test_every_frame_has_the_window_and_rescale_of_its_functional_groups(seen, an_image):
    def group(**macros):
        item = Dataset()
        for sequence, attributes in macros.items():
            macro = Dataset()
            for keyword, value in attributes.items():
                setattr(macro, keyword, value)
            setattr(item, sequence, [macro])
        return item

    exact = {"VOILUTFunction": "LINEAR_EXACT"}
    image = an_image([[0, 10], [0, 10], [0, 10]], frames=3)
    image.SharedFunctionalGroupsSequence = [
        group(FrameVOILUTSequence={"WindowCenter": 10, "WindowWidth": 20, **exact}),
    ]
    image.PerFrameFunctionalGroupsSequence = [
        group(FrameVOILUTSequence={"WindowCenter": 5, "WindowWidth": 10, **exact}),
        group(PixelValueTransformationSequence={"RescaleSlope": 1, "RescaleIntercept": 10}),
        group(),
    ]
    assert [(await seen(image, frame)).tolist() for frame in (1, 2, 3)] == [[[0, 255]], [[128, 255]], [[0, 128]]]
