"""What decoded pixels mean: unused bits, signs, colour, byte order; and what is refused before a decoder sees it."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from typing import Any

import imagecodecs
import numpy as np
import pytest

from charrua_core.errors import FrameTooLarge, FrameUndecodable, ImageInvalid
from charrua_core.imaging import PixelFormat, native_frame
from charrua_core.imaging.codecs import EncodeOptions, decode_frame, encode_frame, encoded_format, syntaxes

EXPLICIT = syntaxes.EXPLICIT_LITTLE_ENDIAN
MONO_8 = PixelFormat(EXPLICIT, 32, 48, 1, 8, 8, 7)
RGB_8 = replace(MONO_8, samples_per_pixel=3, photometric_interpretation="RGB")
GREEN = np.full((32, 48, 3), (0, 128, 0), "u1")


def of(uid: str, pixel_format: PixelFormat = MONO_8, **changes: Any) -> PixelFormat:
    return replace(pixel_format, transfer_syntax_uid=uid, **changes)


# -- native --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("uid", [EXPLICIT, syntaxes.RLE, syntaxes.DEFLATED_FRAMES])
@pytest.mark.parametrize(
    ("word", "stored", "high", "signed", "value"),
    [
        (0xF123, 12, 11, 0, 0x123),  # an overlay in the four highest bits
        (0xF923, 12, 11, 1, 0x923 - 0x1000),
        (0x0923, 12, 11, 1, 0x923 - 0x1000),  # the sign is that of the stored bits
        (0xF7FF, 12, 11, 1, 0x7FF),
        (0x1234, 12, 15, 0, 0x123),  # the stored bits are the highest
        (0x9234, 12, 15, 1, 0x923 - 0x1000),
        (0x1234, 8, 11, 0, 0x23),
        (0xFFFF, 16, 15, 1, -1),
        (0xFFFF, 16, 15, 0, 0xFFFF),
    ],
)
def test_only_the_stored_bits_count(uid: str, word: int, stored: int, high: int, signed: int, value: int) -> None:
    word_format = PixelFormat(EXPLICIT, 1, 2)
    frame = encode_frame(np.array([[word, 0]], "u2"), word_format, uid)
    pixel_format = PixelFormat(uid, 1, 2, 1, 16, stored, high, signed)
    assert decode_frame(frame, pixel_format).pixels.tolist() == [[value, 0]]


@pytest.mark.parametrize(
    ("changes", "data", "pixels"),
    [
        ({}, [1, 2, 3, 4, 5, 6], [[[1, 2, 3], [4, 5, 6]]]),
        ({"planar_configuration": 1}, [1, 4, 2, 5, 3, 6], [[[1, 2, 3], [4, 5, 6]]]),
        ({"photometric_interpretation": "YBR_FULL_422"}, [1, 2, 3, 4], [[[1, 3, 4], [2, 3, 4]]]),
    ],
    ids=["by pixel", "by plane", "422"],
)
def test_colour_comes_by_pixel(changes: dict[str, Any], data: list[int], pixels: list[Any]) -> None:
    assert decode_frame(bytes(data), replace(RGB_8, rows=1, columns=2, **changes)).pixels.tolist() == pixels


@pytest.mark.parametrize(("vr", "data"), [("OB", b"\1\2\3\0"), ("OW", b"\2\1\0\3")])
def test_bytes_of_big_endian_words_are_swapped(vr: str, data: bytes) -> None:
    pixel_format = replace(
        MONO_8, transfer_syntax_uid=syntaxes.EXPLICIT_BIG_ENDIAN, rows=1, columns=3, pixel_data_vr=vr
    )
    assert decode_frame(data, pixel_format).pixels.tolist() == [[1, 2, 3]]


@pytest.mark.parametrize(("uid", "order"), [(EXPLICIT, "<"), (syntaxes.EXPLICIT_BIG_ENDIAN, ">")])
@pytest.mark.parametrize("bits", [32, 64])
def test_floating_point_pixels_keep_their_values(uid: str, order: str, bits: int) -> None:
    values = np.array([[1.5, -2.25, np.inf]], f"{order}f{bits // 8}")
    pixel_format = PixelFormat(uid, 1, 3, 1, bits, bits, bits - 1, is_float=True)
    decoded = decode_frame(values.tobytes(), pixel_format).pixels
    assert decoded.dtype == f"f{bits // 8}"
    assert np.array_equal(decoded, values)
    assert encode_frame(decoded, pixel_format, uid) == values.tobytes()


# -- colour of code streams ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("photometric", ["YBR_FULL", "YBR_FULL_422"])
def test_ybr_in_a_jpeg_becomes_rgb(photometric: str) -> None:
    stream = imagecodecs.jpeg8_encode(GREEN, 95, colorspace="RGB", outcolorspace="YCBCR")
    decoded = decode_frame(stream, of(syntaxes.JPEG_BASELINE, RGB_8, photometric_interpretation=photometric))
    assert decoded.photometric_interpretation == "RGB"
    assert np.abs(decoded.pixels.astype(int) - GREEN).max() <= 3


def test_rgb_in_a_jpeg_stays_as_it_is_whatever_its_markers_say() -> None:
    stream = imagecodecs.jpeg8_encode(GREEN, 95, colorspace="YCBCR", outcolorspace="YCBCR")  # with a JFIF marker
    decoded = decode_frame(stream, of(syntaxes.JPEG_BASELINE, RGB_8))
    assert np.abs(decoded.pixels.astype(int) - GREEN).max() <= 3


@pytest.mark.parametrize(
    "uid", [syntaxes.RLE, syntaxes.JPEG_LOSSLESS_SV1, syntaxes.JPEG_LS, syntaxes.JPEG_2000_LOSSLESS]
)
def test_ybr_full_of_a_lossless_syntax_stays_what_it_is(uid: str) -> None:
    ybr = replace(RGB_8, photometric_interpretation="YBR_FULL")
    decoded = decode_frame(encode_frame(GREEN, ybr, uid), encoded_format(ybr, uid))
    assert decoded.photometric_interpretation == "YBR_FULL"
    assert np.array_equal(decoded.pixels, GREEN)


@pytest.mark.parametrize("uid", [syntaxes.JPEG_2000_LOSSLESS, syntaxes.HTJ2K_LOSSLESS])
def test_jpeg_2000_of_rgb_uses_its_colour_transformation(uid: str) -> None:
    assert encoded_format(RGB_8, uid).photometric_interpretation == "YBR_RCT"
    stream = encode_frame(GREEN, RGB_8, uid)
    assert stream[stream.index(b"\xff\x52") + 8] == 1  # SGcod: multiple component transformation


@pytest.mark.parametrize(("columns", "levels"), [(40, 5), (2048, 5), (2049, 6), (4100, 7)])
def test_htj2k_in_order_of_resolution_begins_with_a_thumbnail(columns: int, levels: int) -> None:
    wide = replace(MONO_8, columns=columns)
    stream = encode_frame(np.zeros(wide.shape, "u1"), wide, syntaxes.HTJ2K_LOSSLESS_RPCL)
    style = stream.index(b"\xff\x52")
    assert (stream[style + 5], stream[style + 9]) == (2, levels)  # progression order RPCL, decomposition levels
    assert b"\xff\x55" in stream  # TLM
    assert -(-columns // 2**levels) <= 64


# -- signs in code streams -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("signed", "value"), [(1, -2000), (0, 6192)])
@pytest.mark.parametrize("stream_signed", [True, False])
def test_pixel_representation_says_the_sign_whatever_a_jpeg_2000_stream_says(
    signed: int, value: int, stream_signed: bool
) -> None:
    samples = np.full((32, 32), -2000 if stream_signed else 6192, "i2")
    stream = imagecodecs.jpeg2k_encode(
        samples if stream_signed else samples.view("u2"), codecformat="j2k", reversible=True, bitspersample=13
    )
    pixel_format = PixelFormat(syntaxes.JPEG_2000_LOSSLESS, 32, 32, 1, 16, 13, 12, signed)
    assert np.unique(decode_frame(stream, pixel_format).pixels).tolist() == [value]


@pytest.mark.parametrize("sample", [0x0830, 0xF830], ids=["masked", "sign-extended"])
def test_a_sign_in_a_jpeg_ls_stream_is_found_wherever_the_encoder_left_it(sample: int) -> None:
    stream = imagecodecs.jpegls_encode(np.full((16, 16), sample, "u2"))
    pixel_format = PixelFormat(syntaxes.JPEG_LS, 16, 16, 1, 16, 12, 11, 1)
    assert np.unique(decode_frame(stream, pixel_format).pixels).tolist() == [-2000]


def test_white_does_not_wrap_around_to_black() -> None:
    stream = imagecodecs.jpegls_encode(np.full((16, 16), 4100, "u2"), level=2)  # past the range, as loss may go
    pixel_format = PixelFormat(syntaxes.JPEG_LS_NEAR, 16, 16, 1, 16, 12, 11)
    assert np.unique(decode_frame(stream, pixel_format).pixels).tolist() == [4095]


# -- what is refused -----------------------------------------------------------------------------------------------------
STREAMS = {
    "jpeg": (syntaxes.JPEG_BASELINE, MONO_8),
    "jpeg extended": (syntaxes.JPEG_EXTENDED, replace(MONO_8, bits_allocated=16, bits_stored=12, high_bit=11)),
    "jpeg lossless": (syntaxes.JPEG_LOSSLESS_SV1, MONO_8),
    "jpeg-ls": (syntaxes.JPEG_LS, MONO_8),
    "jpeg 2000": (syntaxes.JPEG_2000_LOSSLESS, MONO_8),
    "htj2k": (syntaxes.HTJ2K_LOSSLESS, MONO_8),
    "jpeg xl": (syntaxes.JPEG_XL_LOSSLESS, MONO_8),
    "rle": (syntaxes.RLE, MONO_8),
    "deflated": (syntaxes.DEFLATED_FRAMES, MONO_8),
    "native": (EXPLICIT, MONO_8),
}


def stream_of(name: str) -> tuple[bytes, PixelFormat]:
    uid, pixel_format = STREAMS[name]
    pixels = np.random.default_rng(1).integers(0, 255, pixel_format.shape).astype(pixel_format.dtype)
    return encode_frame(pixels, pixel_format, uid, EncodeOptions()), encoded_format(pixel_format, uid)


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.98])
def test_a_frame_that_is_cut_off_is_an_error_and_not_a_half_grey_image(name: str, share: float) -> None:
    stream, pixel_format = stream_of(name)
    with pytest.raises(FrameUndecodable):
        decode_frame(stream[: int(len(stream) * share)], pixel_format)


@pytest.mark.parametrize("name", [name for name in STREAMS if name not in ("rle", "deflated", "native")])
@pytest.mark.parametrize(
    "changes",
    [{"rows": 33}, {"columns": 0xFFFF}, {"samples_per_pixel": 3, "photometric_interpretation": "RGB"}],
    ids=["rows", "columns", "colour"],
)
def test_a_stream_of_another_size_than_the_objects_is_refused(name: str, changes: dict[str, Any]) -> None:
    stream, pixel_format = stream_of(name)
    with pytest.raises(FrameUndecodable):
        decode_frame(stream, replace(pixel_format, **changes))


@pytest.mark.parametrize("uid", [syntaxes.JPEG_LOSSLESS_SV1, syntaxes.JPEG_LS, syntaxes.JPEG_2000_LOSSLESS])
def test_a_stream_of_more_bits_than_are_allocated_is_refused(uid: str) -> None:
    deep = replace(MONO_8, bits_allocated=16, bits_stored=16, high_bit=15)
    stream = encode_frame(np.zeros(deep.shape, "u2"), deep, uid)
    with pytest.raises(FrameUndecodable, match="16 bits, the object of 8"):
        decode_frame(stream, of(uid))


def test_a_panic_of_a_decoder_is_an_error_like_any_other() -> None:
    runs = b"\x81\x00" * 100  # each of 128 bytes: more than the frame has
    stream = struct.pack("<16L", 2, 64, 64 + len(runs), *[0] * 13) + 2 * runs
    with pytest.raises(FrameUndecodable, match="PanicException"):
        decode_frame(stream, replace(STREAMS["jpeg extended"][1], transfer_syntax_uid=syntaxes.RLE))


def test_a_deflated_bomb_is_inflated_to_the_frames_size_and_no_further() -> None:
    bomb = zlib.compressobj(9, wbits=-15)
    stream = bomb.compress(bytes(1 << 26)) + bomb.flush()
    assert decode_frame(stream, of(syntaxes.DEFLATED_FRAMES)).pixels.shape == (32, 48)


# -- the format itself ---------------------------------------------------------------------------------------------------
HEADER = {
    "00280002": {"vr": "US", "Value": [1]},
    "00280004": {"vr": "CS", "Value": ["MONOCHROME2"]},
    "00280008": {"vr": "IS", "Value": ["10"]},
    "00280010": {"vr": "US", "Value": [512]},
    "00280011": {"vr": "US", "Value": [256]},
    "00280100": {"vr": "US", "Value": [16]},
    "00280101": {"vr": "US", "Value": [12]},
    "00280102": {"vr": "US", "Value": [11]},
    "00280103": {"vr": "US", "Value": [1]},
    "7FE00010": {"vr": "OW"},
}


def test_the_format_is_read_from_the_index() -> None:
    wanted = PixelFormat(EXPLICIT, 512, 256, 1, 16, 12, 11, 1, "MONOCHROME2", number_of_frames=10)
    assert PixelFormat.from_json(HEADER, EXPLICIT) == wanted
    assert (wanted.dtype, wanted.shape, wanted.native_bits) == ("int16", (512, 256), 512 * 256 * 16)


@pytest.mark.parametrize(
    ("tag", "value", "error"),
    [
        ("00280010", None, ImageInvalid),
        ("00280010", 0, ImageInvalid),
        ("00280011", 70_000, ImageInvalid),
        ("00280002", 2, ImageInvalid),
        ("00280004", "RGB", ImageInvalid),
        ("00280100", 12, ImageInvalid),
        ("00280101", 17, ImageInvalid),
        ("00280101", 0, ImageInvalid),
        ("00280103", 2, ImageInvalid),
        ("00280008", "many", ImageInvalid),
        ("00280008", -1, ImageInvalid),
    ],
)
def test_a_format_that_does_not_hold_together_is_refused(tag: str, value: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        PixelFormat.from_json({**HEADER, tag: {"vr": "US", "Value": [value]}}, EXPLICIT)


def test_a_frame_that_nobody_could_hold_is_refused() -> None:
    with pytest.raises(FrameTooLarge):
        PixelFormat(EXPLICIT, 65535, 65535)


@pytest.mark.parametrize("high_bit", [None, 0, 7, 16])
def test_a_wrong_high_bit_means_the_lowest_bits(high_bit: int | None) -> None:
    header = {**HEADER, "00280102": {"vr": "US", "Value": [high_bit]}}
    assert PixelFormat.from_json(header, EXPLICIT).high_bit == 11


def test_there_are_as_many_frames_as_the_object_says() -> None:
    pixel_format = replace(MONO_8, number_of_frames=2)
    assert native_frame(pixel_format, 1).offset == 32 * 48
    with pytest.raises(IndexError):
        native_frame(pixel_format, 2)
