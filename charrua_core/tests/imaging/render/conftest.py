"""Images as they are seen, from an object to a picture, without an archive."""

from __future__ import annotations

import io
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from charrua_core.imaging.render import RenderRequest, work
from charrua_core.imaging.rendering import prepared
from charrua_core.testing.images import as_stored, as_stored_object
from charrua_core.testing.objects import an_object, part10

Seen = Callable[..., Awaitable[NDArray[Any]]]


@pytest.fixture
def rendered(tmp_path: Path) -> Callable[..., Awaitable[bytes]]:
    """A function that renders an object, or that of a file: `await rendered(image, frame=2, quality=50)`."""

    async def rendered(
        image: Dataset | Path, *, frames: Any = (1,), state: Dataset | Path | None = None, **asked: Any
    ) -> bytes:
        paths = []
        for number, one in enumerate((image, state)):
            path = one if isinstance(one, Path) else tmp_path / f"{number}.dcm"
            if isinstance(one, Dataset):
                path.write_bytes(part10(one))
            paths.append(path)
        request = RenderRequest(**{"media_type": "image/png", **asked})
        laid_over = as_stored_object(paths[1]) if state is not None else None
        return work.render(await prepared(as_stored(paths[0]), frames, request, laid_over))

    return rendered


@pytest.fixture
def seen(rendered: Callable[..., Awaitable[bytes]]) -> Seen:
    """A function that renders a frame and gives its pixels: (rows, columns), or (rows, columns, 3) of colour."""

    async def seen(image: Dataset | Path, frame: int = 1, **asked: Any) -> NDArray[Any]:
        return np.asarray(Image.open(io.BytesIO(await rendered(image, frames=[frame], **asked))))

    return seen


@pytest.fixture
def grey_of(seen: Seen) -> Callable[..., Awaitable[list[int]]]:
    """A function that gives the grey levels in which a row of stored values is seen."""

    async def grey_of(values: list[int], attributes: dict[str, Any] | None = None, **asked: Any) -> list[int]:
        [row] = await seen(an_image([values], **(attributes or {})), **asked)
        levels: list[int] = row.tolist()
        return levels

    return grey_of


def an_image(
    pixels: Any, *, dtype: str = "<u2", frames: int = 1, transfer_syntax: str = ExplicitVRLittleEndian, **more: Any
) -> Dataset:
    """An image of these pixels, (rows, columns) or (rows, columns, 3), several frames one under another."""
    array = np.asarray(pixels).astype(dtype)
    kind = array.dtype.newbyteorder("=")
    bits = kind.itemsize * 8
    attributes = {
        "Rows": array.shape[0] // frames,
        "Columns": array.shape[1],
        "NumberOfFrames": frames if frames > 1 else None,
        "SamplesPerPixel": 3 if array.ndim == 3 else 1,
        "PhotometricInterpretation": "RGB" if array.ndim == 3 else "MONOCHROME2",
        "PlanarConfiguration": 0 if array.ndim == 3 else None,
        "BitsAllocated": bits,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": int(kind.kind == "i"),
        "PixelData": array.tobytes() + b"\0" * (array.nbytes % 2),
        **more,
    }
    return an_object(transfer_syntax=transfer_syntax, **attributes)


@pytest.fixture(name="an_image")
def _an_image() -> Callable[..., Dataset]:
    """See above."""
    return an_image
