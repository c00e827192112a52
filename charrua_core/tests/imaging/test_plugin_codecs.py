"""A plugin brings codecs of its own: for a transfer syntax that core does not know, and before core's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charrua_core.errors import CodecUnavailable, FrameUndecodable, PluginFailed
from charrua_core.imaging import PixelFormat
from charrua_core.imaging.codecs import decode_frame, encode_frame

REVERSED, RLE = "1.2.826.0.1.3680043.2.1143.99", "1.2.840.10008.1.2.5"
_PLUGIN = f"""
    @hookimpl
    def decode_frame():
        from charrua_core.imaging.codecs import Codec

        return [Codec(("{REVERSED}",), "vendor_frames:decode"), Codec(("{RLE}",), "vendor_frames:not_mine", priority=5)]

    @hookimpl
    def encode_frame():
        from charrua_core.imaging.codecs import Codec

        return [Codec(("{REVERSED}",), "vendor_frames:encode"), Codec(("1.2.3",), "vendor_frames:missing")]
"""
_FRAMES = """
import numpy as np
from charrua_core.imaging import Decoded


def decode(data, pixel_format):
    pixels = np.frombuffer(data[::-1], pixel_format.dtype).reshape(pixel_format.shape)
    return Decoded(pixels, pixel_format.photometric_interpretation)


def encode(pixels, pixel_format, transfer_syntax_uid, options):
    return pixels.tobytes()[::-1]


def not_mine(data, pixel_format):
    if data == b"mine":
        raise ValueError("damaged")
    return None
"""
EIGHT_BITS = {"bits_allocated": 8, "bits_stored": 8, "high_bit": 7}
PIXELS = np.arange(12, dtype="u1").reshape(3, 4)


@pytest.fixture
async def app(open_archive: Callable[..., Any], write_plugin: Callable[[str, str], str], tmp_path: Path) -> Any:
    name = write_plugin("vendor", _PLUGIN)
    (tmp_path / "plugins" / "vendor_frames.py").write_text(_FRAMES)
    return await open_archive(plugins=(name,))


async def test_its_codec_is_used_for_its_transfer_syntax_and_cores_for_what_it_leaves(app: Any) -> None:
    pixel_format = PixelFormat(REVERSED, 3, 4, **EIGHT_BITS)
    encoded = await app.imaging.run(encode_frame, PIXELS, pixel_format, REVERSED)
    assert encoded == PIXELS.tobytes()[::-1]
    assert np.array_equal((await app.imaging.run(decode_frame, encoded, pixel_format)).pixels, PIXELS)
    assert app.imaging.decodes(REVERSED)
    assert app.imaging.encodes(REVERSED)

    pixel_format = PixelFormat(RLE, 3, 4, **EIGHT_BITS)
    encoded = await app.imaging.run(encode_frame, PIXELS, pixel_format, RLE)
    assert np.array_equal((await app.imaging.run(decode_frame, encoded, pixel_format)).pixels, PIXELS)


async def test_what_a_codec_raises_is_damage_and_one_that_cannot_be_imported_is_named(app: Any) -> None:
    with pytest.raises(FrameUndecodable, match="ValueError: damaged"):
        await app.imaging.run(decode_frame, b"mine", PixelFormat(RLE, 3, 4, **EIGHT_BITS))
    with pytest.raises(CodecUnavailable, match="vendor_frames:missing"):
        await app.imaging.run(encode_frame, PIXELS, PixelFormat(RLE, 3, 4, **EIGHT_BITS), "1.2.3")


async def test_a_hook_that_gives_no_codecs_stops_the_start(
    open_archive: Callable[..., Any], write_plugin: Callable[[str, str], str]
) -> None:
    name = write_plugin("odd", "@hookimpl\ndef decode_frame():\n    return ['odd:decode']\n")
    with pytest.raises(PluginFailed, match=r"plugin odd, hook decode_frame: it gave str"):
        await open_archive(plugins=(name,))
