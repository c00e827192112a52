"""Pictures that no object takes as they are, decoded in a worker process: PNG, progressive JPEG, what lies on its side."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from charrua_core.errors import FrameTooLarge, ImageInvalid
from charrua_core.imaging.making.jpeg import jpeg_head
from charrua_core.imaging.making.kinds import Kind
from charrua_core.imaging.making.pixels import Picture

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_PIXELS = 60_000_000
_FORMATS = {"jpeg": "JPEG", "png": "PNG"}


def needs_decoding(path: Path, kind: Kind) -> bool:
    """Whether the object that is made holds pixels rather than the file's own stream; raises ImageInvalid. Blocks."""
    return kind == "png" or (kind == "jpeg" and not jpeg_head(path).fits)


def picture_of(path: str, kind: Kind) -> Picture:
    """Decode a picture, upright, over white where it is transparent; for a worker process of imaging.

    Raises ImageInvalid where it cannot be decoded, FrameTooLarge past MOST_PIXELS.
    """
    import PIL.Image
    import PIL.ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with PIL.Image.open(path, formats=[_FORMATS[kind]]) as opened:
                if opened.width * opened.height > MOST_PIXELS:
                    raise FrameTooLarge(f"the picture has more than {MOST_PIXELS:,} pixels")
                upright = PIL.ImageOps.exif_transpose(opened)
                return _picture(upright, was_lossy=kind == "jpeg")
    except (OSError, SyntaxError, ValueError, PIL.Image.DecompressionBombError) as error:
        raise ImageInvalid(f"the picture cannot be decoded: {type(error).__name__}") from error


def _picture(image: Image, *, was_lossy: bool) -> Picture:
    if image.mode.startswith("I;16"):
        return Picture(image.height, image.width, 1, 16, image.tobytes("raw", "I;16"), was_lossy)
    if image.mode in ("1", "L"):
        return Picture(image.height, image.width, 1, 8, image.convert("L").tobytes(), was_lossy)
    return Picture(image.height, image.width, 3, 8, _over_white(image).tobytes(), was_lossy)


def _over_white(image: Image) -> Image:
    import PIL.Image

    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        below = PIL.Image.new("RGBA", image.size, "white")
        return PIL.Image.alpha_composite(below, image).convert("RGB")
    return image.convert("RGB")
