"""Pixels of every kind survive every transfer syntax: unchanged by the lossless ones, within bounds by the lossy ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from charrua_core.errors import CodecUnavailable
from charrua_core.imaging import PixelFormat
from charrua_core.imaging.codecs import (
    LOSSY,
    NATIVE,
    EncodeOptions,
    decode_frame,
    encode_frame,
    encoded_format,
    native,
    syntaxes,
)
from charrua_core.imaging.pixels import native_frame

UIDS = {name: value for name, value in vars(syntaxes).items() if isinstance(value, str) and value.startswith("1.2.840")}
DECODED_ONLY = {syntaxes.JPEG_2000_PART_2, syntaxes.JPEG_2000_PART_2_LOSSLESS}
LOSSLESS = {
    name: uid for name, uid in UIDS.items() if uid not in LOSSY | DECODED_ONLY | {syntaxes.JPEG_XL_RECOMPRESSION}
}

# bits allocated, bits stored, signed, photometric interpretation
KINDS: dict[str, tuple[int, int, int, str]] = {
    "u8": (8, 8, 0, "MONOCHROME2"),
    "s8": (8, 8, 1, "MONOCHROME2"),
    "u6": (8, 6, 0, "MONOCHROME1"),
    "s5": (8, 5, 1, "MONOCHROME2"),
    "label": (8, 1, 0, "MONOCHROME2"),
    "u10": (16, 10, 0, "MONOCHROME1"),
    "u12": (16, 12, 0, "MONOCHROME2"),
    "s12": (16, 12, 1, "MONOCHROME2"),
    "u8 in 16": (16, 8, 0, "MONOCHROME2"),
    "u16": (16, 16, 0, "MONOCHROME2"),
    "s16": (16, 16, 1, "MONOCHROME2"),
    "palette 8": (8, 8, 0, "PALETTE COLOR"),
    "palette 16": (16, 16, 0, "PALETTE COLOR"),
    "rgb 8": (8, 8, 0, "RGB"),
    "rgb 16": (16, 16, 0, "RGB"),
    "ybr": (8, 8, 0, "YBR_FULL"),
    "bits": (1, 1, 0, "MONOCHROME2"),
    "u32": (32, 32, 0, "MONOCHROME2"),
    "s32": (32, 32, 1, "MONOCHROME2"),
}
ONLY_NATIVE = {"bits", "u32", "s32"}
SIZES = [(1, 1), (3, 5), (64, 48), (129, 131)]


def kind(name: str, rows: int, columns: int, frames: int = 1) -> PixelFormat:
    allocated, stored, signed, photometric = KINDS[name]
    samples = 3 if photometric in ("RGB", "YBR_FULL") else 1
    return PixelFormat(
        syntaxes.EXPLICIT_LITTLE_ENDIAN,
        rows,
        columns,
        samples,
        allocated,
        stored,
        stored - 1,
        signed,
        photometric,
        number_of_frames=frames,
    )


def noise(pixel_format: PixelFormat, seed: int = 1) -> NDArray[Any]:
    """Pixels of the whole range, the hardest to compress."""
    stored = pixel_format.bits_stored
    least = -(1 << (stored - 1)) if pixel_format.is_signed else 0
    return (
        np.random.default_rng(seed)
        .integers(least, least + (1 << stored), pixel_format.shape)
        .astype(pixel_format.dtype)
    )


def phantom(pixel_format: PixelFormat) -> NDArray[Any]:
    """Something round and smooth over three quarters of the range, with a saturated edge."""
    y, x = np.mgrid[-1 : 1 : 1j * pixel_format.rows, -1 : 1 : 1j * pixel_format.columns]
    share = np.clip(1.1 - (x**2 + y**2), 0, 1)
    if pixel_format.samples_per_pixel == 3:
        share = np.stack([share, share * 0.8, share * 0.6], axis=-1)
    stored = pixel_format.bits_stored
    least = -(1 << (stored - 1)) if pixel_format.is_signed else 0
    return (least + share * ((1 << stored) - 1)).astype(pixel_format.dtype)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("uid", LOSSLESS.values(), ids=LOSSLESS)
def test_a_lossless_transfer_syntax_gives_back_what_it_was_given(uid: str, name: str, size: tuple[int, int]) -> None:
    pixel_format = kind(name, *size)
    pixels = noise(pixel_format)
    try:
        encoded = encoded_format(pixel_format, uid)
    except CodecUnavailable:
        assert (name in ONLY_NATIVE and uid not in NATIVE) or (name == "ybr" and uid == syntaxes.JPEG_XL_LOSSLESS)
        return
    decoded = decode_frame(encode_frame(pixels, pixel_format, uid), encoded)
    assert np.array_equal(decoded.pixels, pixels)
    assert decoded.pixels.dtype == pixels.dtype
    assert decoded.photometric_interpretation == pixel_format.photometric_interpretation
    assert (encoded.bits_stored, encoded.pixel_representation) == (
        pixel_format.bits_stored,
        pixel_format.pixel_representation,
    )


@pytest.mark.parametrize("predictor", range(1, 8))
def test_jpeg_lossless_takes_every_predictor(predictor: int) -> None:
    pixel_format = kind("s12", 31, 33)
    pixels = noise(pixel_format)
    uid = syntaxes.JPEG_LOSSLESS
    encoded = encode_frame(pixels, pixel_format, uid, EncodeOptions(predictor=predictor))
    assert np.array_equal(decode_frame(encoded, encoded_format(pixel_format, uid)).pixels, pixels)


# transfer syntax → what it takes, and the largest error of a sample as a share of the range
LOSSY_KINDS: dict[str, tuple[list[str], float]] = {
    "JPEG_BASELINE": (["u8", "u6", "rgb 8"], 0.1),
    "JPEG_EXTENDED": (["u12", "u10", "u8 in 16"], 0.05),
    "JPEG_LS_NEAR": (["u8", "u6", "u10", "u12", "u16", "rgb 8", "rgb 16", "ybr"], 0.07),
    "JPEG_2000": (["u8", "s8", "u10", "u12", "s12", "u16", "s16", "rgb 8", "rgb 16", "ybr"], 0.1),
    "HTJ2K": (["u8", "s8", "u10", "u12", "s12", "u16", "s16", "rgb 8", "rgb 16", "ybr"], 0.1),
    "JPEG_XL_RECOMPRESSION": (["u8", "u6", "rgb 8"], 0.1),
    "JPEG_XL": (["u8", "u10", "u12", "u16", "rgb 8", "rgb 16"], 0.1),
}


@pytest.mark.parametrize(
    ("uid", "name", "largest"),
    [
        pytest.param(UIDS[syntax], name, largest, id=f"{syntax}-{name}")
        for syntax, (names, largest) in LOSSY_KINDS.items()
        for name in names
    ],
)
@pytest.mark.parametrize("size", [(128, 96), (129, 131)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_a_lossy_transfer_syntax_stays_within_bounds(
    uid: str, name: str, largest: float, size: tuple[int, int]
) -> None:
    pixel_format = kind(name, *size)
    pixels = phantom(pixel_format)
    encoded = encoded_format(pixel_format, uid)
    stream = encode_frame(pixels, pixel_format, uid)
    assert len(stream) < pixels.nbytes / 2
    decoded = decode_frame(stream, encoded)
    error = np.abs(decoded.pixels.astype("f8") - pixels)
    assert error.max() <= largest * (1 << pixel_format.bits_stored)
    assert error.mean() <= 0.02 * (1 << pixel_format.bits_stored)
    assert decoded.photometric_interpretation == pixel_format.photometric_interpretation


@pytest.mark.parametrize("near", [1, 2, 7])
def test_jpeg_ls_errs_by_no_more_than_it_was_allowed(near: int) -> None:
    pixel_format = kind("u16", 65, 33)
    pixels = noise(pixel_format)
    uid = syntaxes.JPEG_LS_NEAR
    decoded = decode_frame(
        encode_frame(pixels, pixel_format, uid, EncodeOptions(near=near)), encoded_format(pixel_format, uid)
    )
    assert np.abs(decoded.pixels.astype(int) - pixels).max() <= near


@pytest.mark.parametrize(("uid", "ratio"), [(syntaxes.JPEG_2000, 10), (syntaxes.JPEG_2000, 40), (syntaxes.HTJ2K, 10)])
def test_jpeg_2000_reaches_the_ratio_that_was_asked_for(uid: str, ratio: float) -> None:
    pixel_format = kind("s12", 256, 256)
    pixels = (phantom(pixel_format) + noise(pixel_format) // 8).clip(-2048, 2047).astype("i2")
    assert (
        ratio <= pixels.nbytes / len(encode_frame(pixels, pixel_format, uid, EncodeOptions(ratio=ratio))) <= 2.5 * ratio
    )


@pytest.mark.parametrize("uid", sorted(LOSSY - DECODED_ONLY))
@pytest.mark.parametrize("name", ["palette 8", "label", "bits", "u32"])
def test_labels_and_palettes_are_never_compressed_with_loss(uid: str, name: str) -> None:
    pixel_format = kind(name, 16, 16)
    with pytest.raises(CodecUnavailable, match="does not take"):
        encode_frame(noise(pixel_format), pixel_format, uid)


@pytest.mark.parametrize("uid", sorted(DECODED_ONLY))
def test_part_2_of_jpeg_2000_is_decoded_only(uid: str) -> None:
    pixel_format = kind("u12", 16, 16)
    with pytest.raises(CodecUnavailable, match="nothing encodes"):
        encode_frame(noise(pixel_format), pixel_format, uid)
    stream = encode_frame(noise(pixel_format), pixel_format, syntaxes.JPEG_2000_LOSSLESS)
    decoded = decode_frame(stream, encoded_format(pixel_format, uid))
    assert np.array_equal(decoded.pixels, noise(pixel_format))


@pytest.mark.parametrize("uid", sorted(NATIVE))
@pytest.mark.parametrize("name", ["bits", "u8", "u12", "rgb 8"])
def test_native_frames_follow_one_another_without_padding(uid: str, name: str) -> None:
    pixel_format = encoded_format(kind(name, 3, 5, frames=5), uid)
    frames = [noise(pixel_format, seed) for seed in range(5)]
    value = native.join([encode_frame(frame, pixel_format, uid) for frame in frames], pixel_format)
    assert len(value) == -(-5 * pixel_format.native_bits // 16) * 2
    for index, frame in enumerate(frames):
        place = native_frame(pixel_format, index)
        decoded = decode_frame(value[place.offset : place.offset + place.length], pixel_format, place.skipped_bits)
        assert np.array_equal(decoded.pixels, frame)
