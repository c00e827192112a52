"""The calls on the worklist: the manual's `POST /worklist`, and those of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from charrua_core.web import WebRoute

WORKLIST_ROUTES: Sequence[WebRoute] = ()
