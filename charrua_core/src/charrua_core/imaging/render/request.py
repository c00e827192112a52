"""What a rendering should be like: the parameters of PS3.18 8.3.5, checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from charrua_core.errors import RenderingInvalid

MediaType = Literal["image/jpeg", "image/png", "image/gif", "video/mp4"]
Function = Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"]
Profile = Literal["no", "yes", "srgb", "adobergb", "rommrgb", "displayp3"]
Box = tuple[int, int, int, int]
"""A part of an image: left, top, right and bottom edge in pixels from 0, the latter two not within."""

STILL: frozenset[str] = frozenset({"image/jpeg", "image/png"})
MOVING: frozenset[str] = frozenset({"image/gif", "video/mp4"})
LARGEST_SIDE = 16384
"""Columns or rows of what is rendered, at most."""


@dataclass(frozen=True, slots=True)
class Window:
    """A VOI window (PS3.3 C.11.2.1.2), in units of the modality LUT's output."""

    center: float
    width: float
    function: Function = "LINEAR"

    def __post_init__(self) -> None:
        narrowest = 1 if self.function == "LINEAR" else 0
        if not (self.width >= narrowest and self.width > 0):
            raise RenderingInvalid(f"a window of function {self.function} cannot be {self.width:g} wide")


@dataclass(frozen=True, slots=True)
class Viewport:
    """How large, and which part of the image (PS3.18 8.3.5.1.3): the part is made as large as fits, its shape kept.

    `x` and `y` are the part's upper left corner in columns and rows from 0. `part_width` and `part_height` are None for
    all that is right of it and below; negative ones flip the part.
    """

    width: int
    height: int
    x: float = 0.0
    y: float = 0.0
    part_width: float | None = None
    part_height: float | None = None

    def __post_init__(self) -> None:
        if not (1 <= self.width <= LARGEST_SIDE and 1 <= self.height <= LARGEST_SIDE):
            raise RenderingInvalid(f"a viewport has 1 to {LARGEST_SIDE} columns and rows")
        if self.x < 0 or self.y < 0:
            raise RenderingInvalid("the part of a viewport begins within the image")


@dataclass(frozen=True, slots=True)
class RenderRequest:
    """How to render; everything may be left to the object."""

    media_type: MediaType = "image/jpeg"
    quality: int | None = None
    """1 to 100, of JPEG and MP4; 90 where nothing is asked."""
    bits: Literal[8, 16] = 8
    """Bits of a grey level, 16 in PNG alone; colour has 8 of each."""
    window: Window | None = None
    voi: int = 0
    """Which of the object's own windows, and behind them its VOI LUTs, from 0."""
    viewport: Viewport | None = None
    annotation: frozenset[Literal["patient", "technique"]] = field(default_factory=frozenset)
    """What is written upon it: whose it is, and how it was made (PS3.18 8.3.5.1.1)."""
    icc_profile: Profile = "no"
    overlays: bool = True

    def __post_init__(self) -> None:
        if self.media_type not in STILL | MOVING:
            raise RenderingInvalid(f"images are not rendered as {self.media_type}")
        if self.quality is not None and not 1 <= self.quality <= 100:
            raise RenderingInvalid("quality is 1 to 100")
        if self.bits == 16 and self.media_type != "image/png":
            raise RenderingInvalid("16 bits of grey are for PNG")
        if self.voi < 0:
            raise RenderingInvalid("windows count from 0")


@dataclass(frozen=True, slots=True)
class Rendered:
    """What came of it."""

    media_type: str
    data: bytes
