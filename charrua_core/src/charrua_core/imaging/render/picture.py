"""One frame as a picture: decoded, transformed, drawn upon. Runs in a worker process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrua_core.errors import ImageInvalid
from charrua_core.imaging.attributes import Attributes
from charrua_core.imaging.pixels import Decoded, PixelFormat
from charrua_core.imaging.render import captions
from charrua_core.imaging.render.canvas import Canvas, Ink
from charrua_core.imaging.render.colour import rgb
from charrua_core.imaging.render.geometry import Geometry, aspect_of, geometry_of
from charrua_core.imaging.render.graphics import draw_annotations, ink_of
from charrua_core.imaging.render.grayscale import Extent, extent_of, grayscale
from charrua_core.imaging.render.overlays import Overlay, overlays_of
from charrua_core.imaging.render.palette import coloured, palette_of, pseudo_coloured, supplemented
from charrua_core.imaging.render.presentation import Presentation
from charrua_core.imaging.render.request import RenderRequest
from charrua_core.imaging.render.shutters import shade_of, shuttered

Picture = NDArray[Any]


def picture(
    decoded: Decoded,
    layout: PixelFormat,
    image: Attributes,
    request: RenderRequest,
    presentation: Presentation | None,
    overlays: list[Overlay],
    extent: Extent | None = None,
) -> Picture:
    """Give the frame as it is seen: (rows, columns) grey or (rows, columns, 3) RGB, uint8 or uint16.

    `extent` is that of all frames that are shown together, None for one that is shown alone.
    """
    attributes = presentation.over(image) if presentation else image
    shown = _pixels(decoded, layout, attributes, request, presentation, extent)
    shown = _covered(shown, attributes, request, presentation, overlays)
    geometry = _geometry(layout, attributes, request, presentation)
    seen = geometry.apply(shown)
    if presentation is not None and presentation.draws_in_colour and seen.ndim == 2 and seen.dtype == np.uint8:
        seen = np.repeat(seen[..., np.newaxis], 3, axis=-1)
    canvas = Canvas(seen)
    if presentation is not None:
        draw_annotations(canvas, presentation, geometry)
    captions.write(canvas, attributes, request)
    return canvas.pixels


def _pixels(
    decoded: Decoded,
    layout: PixelFormat,
    attributes: Attributes,
    request: RenderRequest,
    state: Presentation | None,
    extent: Extent | None,
) -> Picture:
    if layout.samples_per_pixel > 1:
        return rgb(decoded, layout)
    if decoded.photometric_interpretation == "PALETTE COLOR":
        palette = palette_of(attributes, layout.is_signed)
        if palette is None:
            raise ImageInvalid("the object lacks the palette that its pixels name colours of")
        return coloured(decoded.pixels, palette)
    grey = grayscale(decoded.pixels, layout, attributes, request, extent=extent, identity_voi=state is not None)
    if state is not None and state.pseudo_color:
        return pseudo_coloured(grey, state.state)
    if grey.dtype == np.uint8:
        colours = supplemented(decoded.pixels, grey, attributes, layout.is_signed)
        return grey if colours is None else colours
    return grey


def _covered(
    shown: Picture, attributes: Attributes, request: RenderRequest, state: Presentation | None, overlays: list[Overlay]
) -> Picture:
    """With overlays upon it and within its shutters; a bitmap shutter is an overlay that hides (PS3.3 C.7.6.15)."""
    canvas = Canvas(shown)
    shade = shade_of(attributes)
    shutter: Ink = (shade, shade, shade)
    hiding = attributes.integer("ShutterOverlayGroup") if "BITMAP" in attributes.values("ShutterShape") else 0
    hidden = shuttered(attributes, (shown.shape[0], shown.shape[1]))
    if hidden is not None:
        canvas.fill(hidden, shutter)
    for overlay in overlays:
        if overlay.group == hiding:
            canvas.fill(overlay.mask, shutter)
        elif state is not None and (name := state.overlay_layer(overlay.group)):
            canvas.fill(overlay.mask, ink_of(state.layer(name)))
        elif state is None and request.overlays:
            canvas.fill(overlay.mask)
    return canvas.pixels


def _geometry(
    layout: PixelFormat, attributes: Attributes, request: RenderRequest, state: Presentation | None
) -> Geometry:
    shape, aspect = (layout.rows, layout.columns), aspect_of(attributes)
    if state is None:
        return geometry_of(shape, aspect, request.viewport)
    area, told_aspect, magnification = state.displayed_area()
    return geometry_of(
        shape,
        told_aspect or aspect,
        request.viewport,
        area=area,
        magnification=magnification,
        quarter_turns=state.quarter_turns,
        flip=state.flip,
    )


def common_extent(frames: Sequence[Decoded], layout: PixelFormat, attributes: Sequence[Attributes]) -> Extent | None:
    """Give the least and the greatest value of frames that are shown together, None for colour and for a single one."""
    if len(frames) < 2 or layout.samples_per_pixel > 1:
        return None
    extents = [extent_of(one.pixels, layout, own) for one, own in zip(frames, attributes, strict=True)]
    return min(least for least, _ in extents), max(greatest for _, greatest in extents)


def planes(
    image: Attributes, layout: PixelFormat, frame: int, stored: bytes, presentation: Presentation | None
) -> list[Overlay]:
    """Give the overlay planes of the image, and of the presentation state instead where both have a group."""
    found = {one.group: one for one in overlays_of(image, layout, frame, stored)}
    if presentation is not None:
        found |= {one.group: one for one in overlays_of(presentation.state, layout, frame)}
    return [found[group] for group in sorted(found)]
