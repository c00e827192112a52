"""The files that renderings become: JPEG, PNG, animated GIF, MP4."""

from __future__ import annotations

import io
import sys

import av
import numpy as np
import pytest
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import MPEG4HP41

from charrua_core.errors import CodecUnavailable, FrameNotFound, FrameUndecodable
from charrua_core.imaging.render.video import mp4

RAMP = np.tile(np.arange(0, 240, 4), (40, 1))


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize(("media_type", "form"), [("image/jpeg", "JPEG"), ("image/png", "PNG")])
@pytest.mark.parametrize(("pixels", "mode"), [(RAMP, "L"), (np.stack([RAMP] * 3, axis=-1), "RGB")])
async def test_stills_are_grey_or_coloured_as_the_image_is(rendered, an_image, media_type, form, pixels, mode):
    image = opened(await rendered(an_image(pixels, dtype="u1"), media_type=media_type))
    assert (image.format, image.mode, image.size) == (form, mode, (60, 40))
    assert np.abs(np.asarray(image).astype(int) - pixels).max() <= 3


async def test_quality_is_paid_for_in_bytes(rendered, an_image):
    noise = an_image(np.random.default_rng(1).integers(0, 256, (64, 64)), dtype="u1")
    sizes = [len(await rendered(noise, media_type="image/jpeg", quality=quality)) for quality in (10, 50, 90, 100)]
    assert sizes == sorted(sizes) and sizes[0] * 3 < sizes[3]


def three_frames(an_image, **more):
    return an_image(np.concatenate([RAMP, RAMP[:, ::-1], RAMP]), dtype="u1", frames=3, **more)


@pytest.mark.parametrize(
    ("pace", "milliseconds"),
    [
        ({"FrameTime": 50}, 50),
        ({"FrameTime": 50, "RecommendedDisplayFrameRate": 10}, 100),
        ({"CineRate": 25}, 40),
        ({"FrameTimeVector": [0, 30, 50]}, 40),
        ({"FrameTime": 1}, 20),
        ({"FrameTime": 0}, 100),
        ({}, 100),
    ],
)
async def test_a_gif_moves_at_the_pace_that_the_object_tells(rendered, an_image, pace, milliseconds):
    image = opened(await rendered(three_frames(an_image, **pace), frames=[1, 2, 3], media_type="image/gif"))
    assert (image.n_frames, image.info["duration"], image.info["loop"]) == (3, milliseconds, 0)


async def test_the_frames_of_a_gif_are_those_asked_for_in_this_order(rendered, an_image):
    image = opened(await rendered(three_frames(an_image), frames=[2, 1], media_type="image/gif"))
    seen = []
    for number in range(image.n_frames):
        image.seek(number)
        seen.append(np.asarray(image.convert("L")).astype(int))
    assert len(seen) == 2
    assert max(np.abs(seen[0] - RAMP[:, ::-1]).max(), np.abs(seen[1] - RAMP).max()) <= 2


async def test_frames_that_move_share_one_window(rendered, an_image):
    image = an_image([[0, 0], [0, 100], [0, 200]], frames=3)
    moving = opened(await rendered(image, frames=[1, 2, 3], media_type="image/gif"))
    found = []
    for number in range(3):
        moving.seek(number)
        found.append(np.asarray(moving.convert("L"))[0].tolist())
    assert found == [[0, 0], [0, 128], [0, 255]]


@pytest.mark.parametrize("colours", [1, 3])
async def test_an_mp4_is_h264_that_browsers_play(rendered, an_image, colours):
    pixels = np.concatenate([RAMP[:39, :59]] * 3)
    pixels = pixels if colours == 1 else np.stack([pixels] * 3, axis=-1)
    image = an_image(pixels, dtype="u1", frames=3, FrameTime=50)
    with av.open(io.BytesIO(await rendered(image, frames=[1, 2, 3], media_type="video/mp4", quality=95))) as container:
        stream = container.streams.video[0]
        found = (stream.codec_context.name, stream.pix_fmt, stream.width, stream.height, float(stream.average_rate))
        assert found == ("h264", "yuv420p", 58, 38, 20.0)
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
    assert len(frames) == 3
    assert np.abs(frames[0][..., 0].astype(int) - RAMP[:38, :58]).max() < 12


async def test_without_pyav_only_mp4_is_not_to_be_had(rendered, an_image, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(CodecUnavailable, match="video"):
        await rendered(three_frames(an_image), frames=[1, 2], media_type="video/mp4")
    assert await rendered(three_frames(an_image), frames=[1, 2], media_type="image/gif")


@pytest.fixture
def a_video(an_image):
    """A stored video of three frames, black, grey and white, in two fragments."""
    pictures = [np.full((40, 60, 3), shade, np.uint8) for shade in (0, 128, 255)]
    stream = mp4(pictures, 40, 90)
    image = an_image(pictures[0], dtype="u1", transfer_syntax=MPEG4HP41, PhotometricInterpretation="YBR_PARTIAL_420")
    image.NumberOfFrames = 3
    image.PixelData = encapsulate([stream], fragments_per_frame=2, has_bot=False)
    image["PixelData"].is_undefined_length = True
    return image


@pytest.mark.parametrize(("frame", "shade"), [(1, 0), (2, 128), (3, 255)])
async def test_a_frame_of_a_stored_video_is_seen(seen, a_video, frame, shade):
    assert np.abs((await seen(a_video, frame)).astype(int) - shade).max() <= 3


async def test_frames_beyond_a_video_and_damaged_ones_are_errors(seen, a_video):
    with pytest.raises(FrameNotFound):
        await seen(a_video, 4)
    a_video.PixelData = encapsulate([b"no video" * 100])
    with pytest.raises(FrameUndecodable):
        await seen(a_video, 1)


@pytest.mark.parametrize(
    ("annotation", "upper", "lower"),
    [
        ((), False, False),
        (("patient",), True, False),
        (("technique",), False, True),
        (("patient", "technique"), True, True),
    ],
)
async def test_what_is_asked_for_is_written_upon_it(seen, an_image, annotation, upper, lower):
    image = an_image(np.zeros((200, 200)), dtype="u1", KVP=120, SliceThickness="2.5")
    pixels = await seen(image, annotation=frozenset(annotation))
    assert (pixels[:100].max() > 200, pixels[100:].max() > 200) == (upper, lower)
