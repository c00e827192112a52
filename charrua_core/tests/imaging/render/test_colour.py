"""Colours against numbers computed by hand: palettes (PS3.3 C.7.6.3.1.5, C.7.9.2) and colour spaces (C.7.6.3.1.2)."""

from __future__ import annotations

import io
from struct import pack

import numpy as np
import pytest
from PIL import Image, ImageCms
from pydicom.dataset import Dataset

from charrua_core.errors import CharruaError, ImageInvalid

COLOURS = ("Red", "Green", "Blue")


def palette(*tables: list[int], first: int = 0, bits: int = 16, packed: bool = False) -> dict[str, object]:
    """The attributes of a palette; `packed` writes a byte for each entry."""
    attributes: dict[str, object] = {}
    for colour, entries in zip(COLOURS, tables, strict=True):
        attributes[f"{colour}PaletteColorLookupTableDescriptor"] = [len(entries) & 0xFFFF, first, bits]
        data = np.array(entries, "u1" if packed else "<u2").tobytes()
        attributes[f"{colour}PaletteColorLookupTableData"] = data + b"\0" * (len(data) % 2)
    return attributes


@pytest.mark.parametrize(
    "attributes",
    [
        pytest.param(palette([0, 0x8000, 0xFF00], [0xFF00, 0, 0x100], [7 << 8] * 3), id="16 bits"),
        pytest.param(palette([0, 0x80, 0xFF], [0xFF, 0, 1], [7] * 3, bits=8), id="8 bits in words"),
        pytest.param(palette([0, 0x80, 0xFF], [0xFF, 0, 1], [7] * 3, bits=8, packed=True), id="8 bits in bytes"),
        pytest.param(palette([0, 0x80, 0xFF], [0xFF, 0, 1], [7] * 3), id="called 16 bits and are 8"),
    ],
)
async def test_a_palette_gives_colours_to_values(seen, an_image, attributes):
    image = an_image([[0, 1, 2, 3]], dtype="u1", PhotometricInterpretation="PALETTE COLOR", **attributes)
    assert (await seen(image)).tolist() == [[[0, 255, 7], [128, 0, 7], [255, 1, 7], [255, 1, 7]]]


async def test_a_palette_s_first_entry_is_for_its_first_value(seen, an_image):
    attributes = palette([1 << 8, 2 << 8], [3 << 8, 4 << 8], [5 << 8, 6 << 8], first=-1)
    image = an_image([[-9, -1, 0, 9]], dtype="<i2", PhotometricInterpretation="PALETTE COLOR", **attributes)
    assert (await seen(image))[0].tolist() == [[1, 3, 5], [1, 3, 5], [2, 4, 6], [2, 4, 6]]


def segmented(words: list[int], entries: int, bits: int = 16) -> dict[str, object]:
    form = "B" if bits == 8 else "H"
    data = pack(f"<{len(words)}{form}", *words)
    attributes: dict[str, object] = {}
    for colour in COLOURS:
        attributes[f"{colour}PaletteColorLookupTableDescriptor"] = [entries, 0, bits]
        attributes[f"Segmented{colour}PaletteColorLookupTableData"] = data + b"\0" * (len(data) % 2)
    return attributes


DISCRETE, LINEAR, INDIRECT = 0, 1, 2
SEGMENTS = [
    pytest.param([DISCRETE, 3, 0, 0x1000, 0x2000], [0, 16, 32], 16, id="discrete"),
    pytest.param([DISCRETE, 1, 0, LINEAR, 4, 0x4000], [0, 16, 32, 48, 64], 16, id="linear up"),
    pytest.param([DISCRETE, 1, 0x4000, LINEAR, 2, 0], [64, 32, 0], 16, id="linear down"),
    pytest.param([DISCRETE, 1, 0, LINEAR, 2, 0x2000, INDIRECT, 2, 0, 0], [0, 16, 32, 0, 16, 32], 16, id="indirect"),
    pytest.param([DISCRETE, 2, 0, 10, LINEAR, 2, 20], [0, 10, 15, 20], 8, id="in bytes"),
]


@pytest.mark.parametrize(("words", "levels", "bits"), SEGMENTS)
async def test_a_segmented_palette_is_expanded(seen, an_image, words, levels, bits):
    attributes = segmented(words, len(levels), bits)
    image = an_image([range(len(levels))], dtype="u1", PhotometricInterpretation="PALETTE COLOR", **attributes)
    assert (await seen(image))[0].tolist() == [[level] * 3 for level in levels]


@pytest.mark.parametrize(
    "words",
    [
        pytest.param([LINEAR, 4, 0x4000], id="a line from nowhere"),
        pytest.param([DISCRETE, 9, 1], id="fewer values than told"),
        pytest.param([7, 1, 1], id="an unknown segment"),
        pytest.param([DISCRETE, 1, 0, INDIRECT, 1, 6, 0], id="that repeats itself"),
        pytest.param([DISCRETE, 1, 0, LINEAR], id="cut off"),
    ],
)
async def test_a_damaged_segmented_palette_is_refused(seen, an_image, words):
    image = an_image([[0, 1]], dtype="u1", PhotometricInterpretation="PALETTE COLOR", **segmented(words, 200))
    with pytest.raises(ImageInvalid):
        await seen(image)


async def test_pixels_that_name_colours_need_a_palette(seen, an_image):
    with pytest.raises(ImageInvalid, match="palette"):
        await seen(an_image([[0, 1]], dtype="u1", PhotometricInterpretation="PALETTE COLOR"))


async def test_a_supplemental_palette_colours_the_values_from_its_first_on(seen, an_image):
    attributes = palette([0xFF00, 0], [0, 0xFF00], [0, 0], first=201)
    image = an_image([[0, 200, 201, 202]], dtype="u1", PixelPresentation="MIXED", **attributes)
    assert (await seen(image))[0].tolist() == [[0, 0, 0], [200, 200, 200], [255, 0, 0], [0, 255, 0]]
    image.PixelPresentation = "MONOCHROME"
    assert (await seen(image))[0].tolist() == [0, 200, 201, 202]


YBR = [[[76, 85, 255], [150, 44, 21]]]  # red and green of full intensity, as PS3.3 C.7.6.3.1.2 has them


@pytest.mark.parametrize(
    ("pixels", "more", "colours"),
    [
        pytest.param([[[1, 2, 3], [4, 5, 6]]], {}, [[1, 2, 3], [4, 5, 6]], id="RGB"),
        pytest.param([[[1, 4, 2], [5, 3, 6]]], {"PlanarConfiguration": 1}, [[1, 2, 3], [4, 5, 6]], id="RGB by plane"),
        pytest.param(YBR, {"PhotometricInterpretation": "YBR_FULL"}, [[254, 0, 0], [0, 255, 1]], id="YBR_FULL"),
    ],
)
async def test_colour_spaces_become_rgb(seen, an_image, pixels, more, colours):
    assert (await seen(an_image(pixels, dtype="u1", **more)))[0].tolist() == colours


async def test_half_of_the_colour_is_for_two_pixels_in_ybr_full_422(seen, an_image):
    image = an_image(
        [[[0, 0, 0], [0, 0, 0]]],
        dtype="u1",
        PhotometricInterpretation="YBR_FULL_422",
        PixelData=bytes([76, 100, 128, 128]),
    )
    assert (await seen(image))[0].tolist() == [[76, 76, 76], [100, 100, 100]]


@pytest.mark.parametrize(("stored", "shift"), [(16, 8), (12, 4)])
async def test_of_deep_colour_the_upper_bits_are_seen(seen, an_image, stored, shift):
    pixels = [[[0, 128 << shift, 255 << shift]]]
    assert (await seen(an_image(pixels, BitsStored=stored, HighBit=stored - 1)))[0].tolist() == [[0, 128, 255]]


@pytest.mark.parametrize("space", ["YBR_PARTIAL_420", "HSV", "ARGB"])
async def test_colour_spaces_that_nobody_knows_are_refused(seen, an_image, space):
    with pytest.raises(CharruaError):
        await seen(an_image([[[1, 2, 3]]], dtype="u1", PhotometricInterpretation=space))


def embedded(data: bytes) -> bytes | None:
    return Image.open(io.BytesIO(data)).info.get("icc_profile")


def name_of(profile: bytes) -> str:
    return ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile))).strip()


async def test_no_profile_goes_along_unless_asked(rendered, an_image):
    image = an_image([[[200, 100, 50]] * 4], dtype="u1", ICCProfile=b"\0" * 200)
    assert embedded(await rendered(image)) is None


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("srgb", "sRGB built-in"),
        ("adobergb", "Adobe RGB (1998)"),
        ("displayp3", "Display P3"),
        ("rommrgb", "ROMM RGB"),
        ("yes", "sRGB built-in"),
    ],
)
@pytest.mark.parametrize("media_type", ["image/jpeg", "image/png"])
async def test_the_profile_asked_for_goes_along(rendered, an_image, asked, name, media_type):
    data = await rendered(an_image([[[200, 100, 50]] * 4], dtype="u1"), icc_profile=asked, media_type=media_type)
    assert name_of(embedded(data)) == name


def close(pixels, colour) -> bool:
    return bool(np.abs(pixels[0, 0].astype(int) - colour).max() <= 1)


async def test_colours_are_those_of_the_profile_asked_for(seen, rendered, an_image):
    image = an_image([[[200, 100, 50]]], dtype="u1")
    # By the matrices between the primaries and the curves of both: the same colour has other numbers in each.
    assert close(await seen(image, icc_profile="adobergb"), [177, 100, 56])
    assert close(await seen(image, icc_profile="displayp3"), [187, 105, 62])
    image.ICCProfile = embedded(await rendered(image, icc_profile="adobergb"))
    assert close(await seen(image, icc_profile="srgb"), [227, 100, 42])
    assert embedded(await rendered(image, icc_profile="yes")) == image.ICCProfile


async def test_the_profile_of_an_optical_path_is_the_object_s_own(rendered, an_image):
    image = an_image([[[200, 100, 50]]], dtype="u1")
    profile = embedded(await rendered(image, icc_profile="displayp3"))
    path = Dataset()
    path.ICCProfile = profile
    image.OpticalPathSequence = [path]
    assert embedded(await rendered(image, icc_profile="yes")) == profile
