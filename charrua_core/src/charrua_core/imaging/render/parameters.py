"""The query parameters of rendered resources (PS3.18 8.3.5.1) as a request."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any, Literal, cast, get_args

from charrua_core.errors import RenderingInvalid
from charrua_core.imaging.render.request import MediaType, Profile, RenderRequest, Viewport, Window

_FUNCTIONS = {"linear": "LINEAR", "linear-exact": "LINEAR_EXACT", "sigmoid": "SIGMOID"}
_ANNOTATIONS = frozenset({"patient", "technique"})


def request_of(parameters: Mapping[str, str], media_type: MediaType = "image/jpeg") -> RenderRequest:
    """Give the request that query parameters ask for; those of other names are somebody else's.

    Raises RenderingInvalid for a value that breaks the rules of its parameter.
    """
    asked: dict[str, Any] = {name: _READERS[name](text) for name, text in parameters.items() if name in _READERS}
    if "iccprofile" in asked:
        asked["icc_profile"] = asked.pop("iccprofile")
    return RenderRequest(media_type, **asked)


def _annotation(text: str) -> frozenset[Literal["patient", "technique"]]:
    told = frozenset(text.split(","))
    if not told <= _ANNOTATIONS:
        raise RenderingInvalid("annotation is patient, technique, or both with a comma between")
    return cast(frozenset[Literal["patient", "technique"]], told)


def _quality(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 4):
        raise RenderingInvalid("quality is 1 to 100")
    return int(text)


def _viewport(text: str) -> Viewport:
    """`vw,vh[,sx,sy[,sw,sh]]`; of the latter four each may be left out."""
    given = text.split(",")
    if len(given) not in (2, 4, 6) or not all(given[:2]):
        raise RenderingInvalid("viewport has a width, a height, and at will the corner and the size of a part")
    numbers = [_number("viewport", one) if one else None for one in [*given, "", "", "", ""][:6]]
    width, height, x, y, part_width, part_height = numbers
    if not (width and height and width.is_integer() and height.is_integer()):
        raise RenderingInvalid("the width and the height of a viewport are whole numbers")
    return Viewport(int(width), int(height), x or 0.0, y or 0.0, part_width or None, part_height or None)


def _window(text: str) -> Window:
    """`center,width,function`; where no function is told, linear."""
    given = text.split(",")
    function = _FUNCTIONS.get(given[2].lower() if len(given) == 3 else "linear")
    if len(given) not in (2, 3) or function is None:
        raise RenderingInvalid("window has a center, a width, and a function: linear, linear-exact or sigmoid")
    return Window(_number("window", given[0]), _number("window", given[1]), cast(Any, function))


def _profile(text: str) -> Profile:
    if text not in get_args(Profile):
        raise RenderingInvalid(f"iccprofile is one of {', '.join(get_args(Profile))}")
    return cast(Profile, text)


def _number(name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not isfinite(number) or "_" in text:
        raise RenderingInvalid(f"{name}: “{text[:40]}” is no number")
    return number


_READERS = {
    "annotation": _annotation,
    "quality": _quality,
    "viewport": _viewport,
    "window": _window,
    "iccprofile": _profile,
}
