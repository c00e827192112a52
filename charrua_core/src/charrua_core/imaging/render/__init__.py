"""Pictures for people of any frame of any image, by the rules of PS3.3 C.11 and PS3.18 8.3.5.

`imaging.rendering` is what the archive calls; what is here, `describe` apart, runs in worker processes. Importing this loads
nothing that they do not need.
"""

from __future__ import annotations

from charrua_core.imaging.render.parameters import request_of
from charrua_core.imaging.render.request import Rendered, RenderRequest, Viewport, Window

__all__ = ["RenderRequest", "Rendered", "Viewport", "Window", "request_of"]
