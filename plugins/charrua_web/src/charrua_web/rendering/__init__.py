"""Pages as HTML: templates and words of all plugins, in the layout, language and theme of who looks."""

from __future__ import annotations

from charrua_web.rendering.pages import Pages

__all__ = ["Pages"]
