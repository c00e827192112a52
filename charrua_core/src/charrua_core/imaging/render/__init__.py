"""Rendering: any frame of any image as a picture for people, by the rules of PS3.3 C.11 and PS3.18 8.3.5.

The names here load no codec; the work is done in imaging's worker processes.
"""

from __future__ import annotations

from charrua_core.imaging.render.parameters import request_of
from charrua_core.imaging.render.request import Rendered, RenderRequest, Viewport, Window
from charrua_core.imaging.render.server import render, render_cine

__all__ = ["RenderRequest", "Rendered", "Viewport", "Window", "render", "render_cine", "request_of"]
